"""The values an extraction is made of. Frozen: a request is rebuilt, never changed.

A *call* is what the user wants, a *request* what an SDK is called with, a *response* what the SDK gives back, a *reply*
that response decoded, a *delta* a piece of a streamed reply decoded. Nothing here knows a provider.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from instructor.mode import Mode

if TYPE_CHECKING:
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
        """Return the reply as a stream of it would: all text of a channel at once."""
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


class Tool(NamedTuple):
    """A tool as the model sees it: its arguments are the answer, or an item of it."""

    name: str
    description: str
    schema: Json


class Answer(NamedTuple):
    """A complete and valid answer, as calls of tools, in any mode. Hooks for "answer" get it."""

    messages: Sequence[Message]
    """The conversation, in the form of the chat wire, without corrections of ours."""
    tools: Sequence[Tool]
    calls: Sequence[ToolCall]
    """What the model answered: corrected, and in one piece."""


class Valid(NamedTuple):
    """A value that is right: its place in the reply and the text it came from.

    `final` is False for a snapshot, `mended` is True if small faults of the text's syntax were repaired first.
    `tool` names the tool that was called with it, where each item is a call of its own.
    """

    at: int
    value: Any
    text: str
    final: bool = True
    mended: bool = False
    tool: str = ""


class Invalid(NamedTuple):
    """A part of the answer that is wrong: its place, its text, and what is wrong, as the exception that says so."""

    at: int
    text: str
    error: Exception
    tool: str = ""


Outcome = Valid | Invalid


class ReplyParser(Protocol):
    """Reads a reply as it comes; returns what is known to be valid or invalid so far. Pure: no I/O, no provider."""

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]: ...

    def close(self, *, ended: bool = True) -> list[Outcome]:
        """Return what the end of the text decides; `ended`: the reply was proven to end there, and was not cut."""
        ...

    @property
    def started(self) -> bool:
        """Return whether any part of an answer came: prose alone, or a reply without the answer's tool, is none."""
        ...

    @property
    def closed(self) -> bool:
        """Return whether the answer's last bracket came."""
        ...

    @property
    def waits_for(self) -> str:
        """The character before which no text decides anything; empty if any text may."""
        ...

    @property
    def doubted(self) -> int:
        """How many values were returned that later proved to be part of a thought; nothing takes them back."""
        ...


class Output(Protocol):
    """The shape of the answer."""

    @property
    def kind(self) -> Any:
        """Return the type of the value, or of an item."""
        ...

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def schema(self) -> Json: ...
    @property
    def many(self) -> bool:
        """Return whether the answer is a list, whose items stand and fall each on its own."""
        ...

    @property
    def distinct(self) -> bool:
        """Return whether arguments for another tool can hardly be valid: something in the answer is required."""
        ...

    @property
    def tools(self) -> Sequence[Tool]:
        """The tools by which the answer may come."""
        ...

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        """Make the reply that would have held just these parts of an answer."""
        ...

    def parser(self, call: Call) -> ReplyParser: ...


class Dialect(Protocol):
    """One wire format, as pure functions over wire JSON."""

    @property
    def messages_name(self) -> str:
        """The wire's name for messages. They may be passed by it, too."""
        ...

    @property
    def turns_key(self) -> str:
        """The key of a request's body that holds the conversation."""
        ...

    @property
    def sees_all(self) -> bool:
        """Whether later events repeat earlier text, so that the reader must see each event."""
        ...

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        ...

    def takes_address(self, kind: str, url: str) -> bool:
        """Return whether a content part of this kind may have this address instead of bytes."""
        ...

    def as_messages(self, messages: Any) -> Any:
        """Return messages in the SDK's own forms as dicts with a role and a content."""
        ...

    def user_tool_names(self, options: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the tools that the user passed with a call."""
        ...

    def encode(self, call: Call) -> Request: ...
    def decode(self, wire: Json) -> Reply: ...
    def delta(self, event: Json) -> Iterable[Delta]:
        """Read an event. If it raises after some deltas, because the reply fails, these have been returned before."""
        ...

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads the events of one stream: `delta`, or a reader that remembers earlier events.

        It is not shown events that repeat the one before but for their text, unless `sees_all`.
        """
        ...

    def resume(self, request: Request, reply: Reply) -> Request | None:
        """Return the request by which a paused reply goes on; None if this wire has no paused replies."""
        ...

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        """Append the reply as the assistant's turn and the notes as what it is answered."""
        ...

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        ...


class Received(NamedTuple):
    """A whole response: the wire's JSON, the SDK's own object, the headers where the transport has any."""

    wire: Json
    raw: Any
    headers: Mapping[str, str]


class Connection(Protocol):
    """An open stream. `read` gives all events of one network read, parsed or not, and None after the last one."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    def read(self) -> Sequence[Json | bytes] | None: ...
    def interrupt(self) -> bool:
        """End the read that another thread is in. Return False if this connection cannot do that."""
        ...

    def close(self) -> None: ...


class AsyncConnection(Protocol):
    @property
    def headers(self) -> Mapping[str, str]: ...
    async def read(self) -> Sequence[Json | bytes] | None: ...
    async def close(self) -> None: ...


class Arguments(NamedTuple):
    """The names of a function's arguments: all that it takes, and those that it must have."""

    taken: frozenset[str]
    required: frozenset[str]


class Transport(Protocol):
    """How a sync client is called."""

    @property
    def create(self) -> Callable[..., Any]:
        """The client's own function, for calls without a `response_model`."""
        ...

    @property
    def arguments(self) -> Arguments | None:
        """The arguments that the client's function takes; None if it takes any."""
        ...

    def send(self, request: Request) -> Received: ...
    def open(self, request: Request) -> Connection: ...
    def interrupt_open(self, thread: int) -> bool:
        """End the `open` that a thread is in. Return False if this transport cannot do that."""
        ...

    def response(self, wire: Json) -> Any:
        """Build the SDK's response object for a reply that came as a stream."""
        ...


class AsyncTransport(Protocol):
    """How an async client is called."""

    @property
    def create(self) -> Callable[..., Awaitable[Any]]: ...
    @property
    def arguments(self) -> Arguments | None: ...
    async def send(self, request: Request) -> Received: ...
    async def open(self, request: Request) -> AsyncConnection: ...
    def response(self, wire: Json) -> Any: ...
