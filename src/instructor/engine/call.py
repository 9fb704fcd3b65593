"""The values an extraction is made of. Frozen: a request is rebuilt, never changed.

A *call* is what the user wants, a *request* what an SDK is called with, a *response* what the SDK gives back, a *reply*
that response decoded, a *delta* a piece of a streamed reply decoded. Nothing here knows a provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from instructor.engine.ports import Output
    from instructor.mode import Mode
    from instructor.usage import Counted

Message = Mapping[str, Any]
Json = dict[str, Any]

TEXT = -1
"""The channel of a reply's plain text; a tool call's channel is its index, from 0."""

Finish = Literal["stop", "tool", "length", "filter", "pause", "other"]
"""Why a reply ended, in one vocabulary for all wires. None while it has not: no terminal event was seen.

"pause": the provider's own tools take long; the reply goes on when it is sent back as it is. "other": any word that is
not known to mean one of the first five. It proves nothing: the reply counts as broken off.
"""

PROVEN = ("stop", "tool")
"""The endings of a reply that are the model's own."""

UNPROVEN = (None, "other")
"""The endings of which nobody says what they mean: the answer itself must show that it is whole."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is wanted: these messages, answered in this shape, by this mode."""

    messages: Sequence[Message]
    output: Output
    mode: Mode
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # a header may hold a key
    context: Mapping[str, Any] | None = None
    strict: bool | None = True
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """Keyword arguments for one call of an SDK, as the wire documents them."""

    body: Mapping[str, Any] = field(repr=False)  # a header may hold a key
    stream: bool = False


class ToolCall(NamedTuple):
    """One tool call of a reply: its arguments are JSON text, as the model wrote them."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply, decoded."""

    text: str = ""
    calls: Sequence[ToolCall] = ()
    finish: Finish | None = None
    refusal: str | None = None
    usage: Counted | None = None
    reason: str = ""
    """The provider's own words for why the reply ended, where they say more than `finish` does."""
    last_event: Any = None
    """The last event of a stream that said nothing else and had no end."""
    broke: Exception | None = None
    """What the provider says it failed by, after what came."""
    turn: Sequence[tuple[str, str]] = ()
    """What a paused reply is sent back as: the wire's own parts, as JSON, each with the text that came for it."""

    def deltas(self) -> list[Delta]:
        """Give the reply as a stream of it would: all text of a channel at once."""
        return [
            Delta(TEXT, self.text, finish=self.finish, reason=self.reason),
            *(Delta(at, call.arguments, call.id, call.name) for at, call in enumerate(self.calls)),
        ]


class Delta(NamedTuple):
    """A piece of a streamed reply. `text` belongs to `channel`; the other fields come once, when they are known.

    `id` is a call's. On the channel of the text it is a part of `Reply.turn`, whose text has come. `refusal` is empty
    where the reply's text holds its words.
    """

    channel: int = TEXT
    text: str = ""
    id: str | None = None
    name: str | None = None
    finish: Finish | None = None
    refusal: str | None = None
    usage: Counted | None = None
    reason: str = ""
