"""The parts of a script: the request that came, the answer to it, and the faults. Values only, no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from typing_extensions import TypedDict, Unpack

from instructor.testing.gates import Gate
from instructor.testing.typed import to_json
from instructor.usage import Usage

Json = dict[str, Any]
Payload = Json | str | bytes
"""One event: an object is dumped, a string is the event's data as it stands, bytes go out untouched."""


class Faults(TypedDict, total=False):
    """How a reply is cut and broken. A place `n` is a number of events; one past the reply's last event is an error."""

    chunk: (
        int | Sequence[int]
    )  # characters of the answer per event (4); a list: the length of each piece, then the rest
    events_per_write: int | Literal["all"]  # events in one network write, which is one HTTP chunk (1)
    split_bytes: int | Sequence[int]  # end a write at these byte offsets of the body, wherever they fall
    interleave: bool  # the deltas of several tool calls take turns
    corrupt_item: (
        int | Sequence[int] | Mapping[int, str]
    )  # items of the answer's list replaced by what fits no model, or by text
    finish: str  # the finish reason, in the wire's word; with cut_after the terminal events still come, and say this
    cut_after: int  # the body ends after n events: properly, for HTTP; without terminal event, for the provider
    drop_after: int  # the connection is closed after n events, inside the body
    drop: Literal["fin", "rst"]  # how ("fin")
    malformed_after: int  # an event that is not JSON comes after n events
    half_utf8_after: int  # the body ends inside the next event, after the first byte of a longer character
    error_after: int  # the provider reports an error after n events, and the body ends
    silence_after: int  # nothing comes after n events, until the client leaves
    wait_after: int | Sequence[int]  # the gate is waited for after n events; at each of them, for a list
    gate: Gate
    speed: float  # events per second, for watching


ENDINGS = ("cut_after", "drop_after", "half_utf8_after", "error_after", "silence_after")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. Headers are lower case; those with keys, cookies or organisations are left out."""

    number: int
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Json
    raw: bytes = field(repr=False)

    @property
    def messages(self) -> list[Json]:
        return list(self.body.get("messages", ()))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call. Arguments that are not a string are dumped as JSON. Default name: the forced or first tool's."""

    arguments: Any
    name: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, for every wire. `usage=False`: the provider sends none. None: counted from the text."""

    text: str = ""
    calls: Sequence[ToolCall] = ()
    refusal: str | None = None
    finish: str | None = None
    usage: Usage | Literal[False] | None = None
    by_request: bool = False

    def corrupted(self, items: int | Sequence[int] | Mapping[int, str]) -> Answer:
        """Replace items of the list, counted through all tool calls (or the text) in order."""
        texts = [call.arguments for call in self.calls] or [self.text]
        chosen: Mapping[int, str]
        if isinstance(items, Mapping):
            chosen = items
        else:
            chosen = dict.fromkeys([items] if isinstance(items, int) else items, '{"corrupt": true}')
        found, damaged = 0, []
        for text in texts:
            slices = item_slices(text)
            for place in reversed(range(len(slices))):
                if found + place in chosen:
                    start, end = slices[place]
                    text = text[:start] + chosen[found + place] + text[end:]
            found += len(slices)
            damaged.append(text)
        if max(chosen) >= found:
            raise ValueError(f"corrupt_item={items!r}, but the answer has {plural(found, 'item')}")
        if not self.calls:
            return replace(self, text=damaged[0])
        return replace(
            self, calls=[replace(call, arguments=text) for call, text in zip(self.calls, damaged, strict=True)]
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a script: an answer, or raw events, or a whole body, or silence; and its faults."""

    answer: Answer | None = None
    events: Sequence[Payload] | None = None
    body: Json | bytes | None = None
    status: int = 200
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        if unknown := set(self.faults) - set(Faults.__annotations__):
            raise TypeError(
                f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(Faults.__annotations__)}"
            )

    @property
    def silent(self) -> bool:
        return self.status == 200 and self.answer is None and self.events is None and self.body is None

    def but(self, **faults: Unpack[Faults]) -> Reply:
        """Return the same reply with more faults. A new ending replaces the old one."""
        old = self.faults
        if any(name in faults for name in ENDINGS):
            old = cast("Faults", {name: value for name, value in old.items() if name not in ENDINGS})
        return replace(self, faults={**old, **faults})


def tools(
    *arguments: object,
    name: str | None = None,
    text: str = "",
    usage: Usage | Literal[False] | None = None,
    **faults: Unpack[Faults],
) -> Reply:
    """Reply with one tool call for each of `arguments`: JSON text, a ToolCall, or a value to dump."""
    return Reply(Answer(text, [_call(each, name) for each in arguments], usage=usage), faults=faults)


def content(text: object, *, usage: Usage | Literal[False] | None = None, **faults: Unpack[Faults]) -> Reply:
    """Reply with text. A value that is not a string is dumped as JSON."""
    return Reply(Answer(_text(text), usage=usage), faults=faults)


def answer(*values: object, usage: Usage | Literal[False] | None = None, **faults: Unpack[Faults]) -> Reply:
    """Reply as the request asks: by tool calls if it has tools, else as text, with one call or line for each value.

    Args:
        values: what the model answers. Typed values (models, dataclasses, numbers, enums, lists) are written as
            the request's schema asks: a list as `{"tasks": [...]}`, a value that is not an object as
            `{"content": ...}`, a member of a union with its tag, as `{"kind": "Cat", ...}`. Dicts and strings are
            sent as they are. But if the request asks for a string, a string is written as one, unless it begins as
            JSON does, with `{`, `[` or `"`.
        usage: the tokens of the reply. By default they are counted from the text; `False`: the provider sends none.
        faults: how the reply is cut or broken: see `Faults`.

    Example:
        >>> answer(User(name="Ann", age=3))
        >>> answer([User(name="Ann", age=3), User(name="Bob", age=4)], corrupt_item=1)
    """
    calls = [each if isinstance(each, ToolCall) else ToolCall(each) for each in values]
    return Reply(Answer(calls=calls, usage=usage, by_request=True), faults=faults)


def refusal(text: str = "I cannot help with that.", **faults: Unpack[Faults]) -> Reply:
    """Reply that the model refuses."""
    return Reply(Answer(refusal=text), faults=faults)


def error(status: int, message: str | None = None, *, headers: Mapping[str, str] | None = None) -> Reply:
    """Reply with an HTTP error, in the wire's format of errors."""
    return Reply(status=status, message=message or f"Scripted error {status}.", headers=headers or {})


def events(payloads: Sequence[Payload], **faults: Unpack[Faults]) -> Reply:
    """Reply with exactly these events, as a stream."""
    return Reply(events=payloads, faults=faults)


def body(whole: Json | bytes, status: int = 200, **faults: Unpack[Faults]) -> Reply:
    """Reply with exactly this body."""
    return Reply(body=whole, status=status, faults=faults)


def silence() -> Reply:
    """Send nothing, not even a status line, until the client leaves or the server stops."""
    return Reply()


def plural(count: int, one: str, many: str = "") -> str:
    """Return the number and its noun: "1 reply", "2 replies". Without `many` the plural adds an "s"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def item_slices(text: str) -> list[tuple[int, int]]:
    """Find the items of the longest list in a text, or the objects that follow each other in it."""
    best: list[tuple[int, int]] = []
    for mark in re.finditer(r"\[", text):
        if best and mark.start() < best[-1][1]:
            continue
        found = _values(text, mark.end())
        if found and (not best or found[-1][1] - found[0][0] > best[-1][1] - best[0][0]):
            best = found
    return best or _values(text, text.find("{") if "{" in text else len(text))


_DECODER, _GAP = json.JSONDecoder(strict=False), re.compile(r"[ \t\r\n,]*")


def _values(text: str, at: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while True:
        start = _GAP.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches the empty string
        try:
            _, at = _DECODER.raw_decode(text, start)
        except ValueError:
            return found
        found.append((start, at))


def _text(value: object) -> str:
    value = to_json(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _call(value: object, name: str | None) -> ToolCall:
    if isinstance(value, ToolCall):
        return replace(value, arguments=_text(value.arguments))
    return ToolCall(_text(value), name)
