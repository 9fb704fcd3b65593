"""Events as deltas, at little cost for the many that repeat the one before them but for its text.

Of the 300 bytes of an event four are text. To parse all, and to look through what that gives, takes eight times as long
as to see that the bytes around the text are the same again and to parse the text alone. Nothing is guessed: two events
in a row show where the text is, and an event is read by them only if all its other bytes are theirs.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import jiter
from pydantic_core import to_json

from instructor.core.tool_names import Names, Naming, with_ids
from instructor.core.types import (
    TEXT,
    Delta,
    Dialect,
    Finish,
    Json,
    Reply,
    ReplyParser,
    Request,
    ToolCall,
)
from instructor.exceptions import ResponseParsingError
from instructor.usage import Counted, Usage, with_short_files

_STRING = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)
_PADDING = b'"obfuscation"'
"""The key of random text by which events are made equally long, lest their sizes tell the answer. Nobody reads it."""
_TRIES = 8
"""How often in a row two events may prove to differ in more than their text before no two are compared any more."""
_MOST_HELD = 64
"""How many texts are kept back at most: a stream that runs away must be noticed."""
_SHOWN = 200
_NOTHING = (b"", b"", b"", 0, 0)


class EventReader:
    """Reads the events of one stream for a sink. `joined`: texts of neighbouring events may come as one delta."""

    def __init__(self, dialect: Dialect, parser: ReplyParser, naming: Naming | None = None, *, joined: bool) -> None:
        self._decode = dialect.reader()
        self._naming = naming or Naming(Names(()), misnamed=True, named=False)
        self._parser = parser
        self._joined = joined
        self._tries = 0 if dialect.sees_all else _TRIES
        self._last: tuple[bytes, Delta] | None = None  # an event that is text only
        self._channel = 0
        self._around = _NOTHING  # what is around the text, and around padding after it; where both are
        self._held: list[str] = []  # texts that are not read yet
        self._begun: Sequence[Json | bytes] | None = None  # events whose texts were taken up to an index
        self._index = 0
        self.done = False
        """Whether the event came that ends a stream, whatever the connection does."""
        self.head: Json | None = None
        """The first event."""
        self.passed_over: Any = None
        """The last event without a part of an answer."""
        self._halves = Halves()

    def buffer(self, events: Sequence[Json | bytes]) -> bool:
        """Keep events back whose texts decide nothing: to pass one through the whole engine costs ten times as much."""
        waits_for = self._parser.waits_for
        if not waits_for:
            return False
        held = self._held
        known = len(held)
        end = self._take(events, 0, held)
        if end == len(events) and len(held) < _MOST_HELD:
            if end == 1:  # what most reads bring
                if waits_for not in held[-1]:
                    return True
            elif waits_for not in "".join(held[known:]):
                return True
        self._begun, self._index = events, end
        return False

    def read(self, events: Sequence[Json | bytes], found: list[Delta]) -> None:
        """Append the deltas of events, parsed or not. If one cannot be read, those before it are there."""
        index = self._index if events is self._begun else self._take(events, 0, self._held)
        self._begun = None
        while index < len(events):
            self.flush(found)
            self._read_whole(events[index], found)
            if self.done:
                return
            index = self._take(events, index + 1, self._held)
        self.flush(found)

    def flush(self, found: list[Delta]) -> None:
        """Append the deltas of what is kept back."""
        if self._joined and self._held:
            found.append(Delta(self._channel, "".join(self._held)))
        else:
            channel = self._channel
            found += [_tuple(Delta, (channel, text, None, None, None, None, None, "")) for text in self._held]
        self._held.clear()

    def _take(self, events: Sequence[Json | bytes], index: int, texts: list[str]) -> int:
        """Take the texts of events that are like those before; return the index of the first other one."""
        before, middle, after, begin, end = self._around
        if not before:
            return index
        for at in range(index, len(events)):
            event = events[at]
            if type(event) is not bytes or not event.startswith(before) or not event.endswith(after):
                return at
            try:
                if middle:
                    padding = event.rfind(middle, begin)
                    _from_json(event[padding + len(middle) : end])
                    text = _from_json(event[begin:padding])
                else:
                    text = _from_json(event[begin:end])
            except ValueError:
                return at
            if type(text) is not str:
                return at
            texts.append(text)
        return len(events)

    def _read_whole(self, event: Json | bytes, found: list[Delta]) -> None:
        """Read an event by the dialect."""
        payload = event if isinstance(event, bytes) else b""
        if isinstance(event, bytes):
            if event.startswith(b"[DONE]"):
                self.done = True
                return
            event, is_odd = _parsed(event)
        else:
            is_odd = True
        if not isinstance(event, dict):
            self.passed_over = event
            return
        if self.head is None:
            self.head = event
        known = len(found)
        found += self._decode(event)  # what comes before an error is there
        deltas: Sequence[Delta] = found[known:]
        if not deltas:
            self.passed_over = event
        odd = is_odd or bool(self._halves)
        if odd:
            deltas = self._halves.joined(deltas)
        found[known:] = deltas = self._naming.read(deltas)
        if self._naming.reused:  # the same bytes may stand around the texts of two calls
            self._tries, self._around = 0, _NOTHING
        if odd:
            self._last = None  # its text is not what stands in it
            if self._halves:  # the next text is to be joined to half a character, and has to come here
                self._around = _NOTHING
        elif self._tries:
            self._learn(payload, deltas)

    def _learn(self, event: bytes, deltas: Sequence[Delta]) -> None:
        """Compare an event with the one before it."""
        last, self._last = self._last, None
        if len(deltas) != 1 or deltas[0] != Delta(deltas[0].channel, deltas[0].text):
            self._around = _NOTHING  # a block began, say: what is like the events before is not its own
            return
        delta = deltas[0]
        self._last = (event, delta)
        if last is None or last[1].channel != delta.channel or last[1].text == delta.text:
            return
        around = _around(last[0], last[1].text, event, delta.text)
        if around is None:
            self._tries -= 1
            self._around = self._around if self._tries else _NOTHING
        else:
            self._tries = _TRIES
            before, middle, after = around
            self._channel, self._around = delta.channel, (before, middle, after, len(before), -len(after))


def _around(one: bytes, ones_text: str, other: bytes, others_text: str) -> tuple[bytes, bytes, bytes] | None:
    """Return what two events have in common, if they differ in nothing but their texts and padding after them."""
    parts, others = _STRING.split(one), _STRING.split(other)  # every second one is a string
    differing = [at for at in range(len(parts)) if at >= len(others) or parts[at] != others[at]]
    if len(parts) != len(others) or not 1 <= len(differing) <= 2 or not all(at % 2 for at in differing):
        return None
    at = differing[0]
    if jiter.from_json(parts[at]) != ones_text or jiter.from_json(others[at]) != others_text:
        return None
    before = b"".join(parts[:at])
    if len(differing) == 1:
        return before, b"", b"".join(parts[at + 1 :])
    padding = differing[1]
    if parts[padding - 2] != _PADDING:
        return None
    return before, b"".join(parts[at + 1 : padding]), b"".join(parts[padding + 1 :])


_tuple = tuple.__new__  # a third of the price of Delta(...)
_from_json = jiter.from_json


def _parsed(event: bytes) -> tuple[Any, bool]:
    """Return what an event is, an object if need be out of a list of one, and whether its texts may hold halves."""
    is_odd = False
    try:
        value = _from_json(event)
    except ValueError:
        is_odd = True
        try:
            value = read_json(event)
        except ValueError as error:
            shown = event[:_SHOWN].decode("utf-8", "replace")
            raise ResponseParsingError(
                f"An event of the stream is not JSON ({error}): {shown!r}", text=shown
            ) from error
    return (value[0] if type(value) is list and len(value) == 1 else value), is_odd


_CHARACTERS_A_TOKEN = 4
"""A rule of thumb for English text, for providers that do not count."""

KEPT = 1 << 20
"""Characters of a list's text that are kept for `completion`: a list may be endless, and its items were handed out."""


class ResponseAccumulator:
    """Gathers the deltas of one stream; of its text no more than `most` characters.

    A finish counts if nothing of the answer follows it: some servers stamp it on their first, empty chunk. `by_tool`
    says where the answer comes; None: anywhere.
    """

    def __init__(self, most: int = sys.maxsize, *, by_tool: bool | None = None) -> None:
        self._room, self._by_tool = most, by_tool
        self._parts: dict[int, io.StringIO] = {}
        self._lost: dict[int, int] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._refusal: list[str] = []
        self._turn: list[tuple[str, int]] = []  # parts of the turn, and how much text had come by then
        self.characters = 0
        self.added = 0
        """How often something was added."""
        self.head: Json = {}
        self.finish: Finish | None = None
        self.reason = ""
        self.usage: Counted | None = None

    def add(self, deltas: Iterable[Delta]) -> None:
        self.added += 1
        for channel, text, call_id, name, finish, refusal, usage, reason in deltas:
            if self.finish and not finish and (text or name):
                self._go_on(channel, text)
            if text:
                self.characters += len(text)
                parts = self._parts.get(channel)
                if parts is None or len(text) > self._room:
                    self._keep(channel, text)
                else:
                    self._room -= len(text)
                    parts.write(text)
            if call_id or name:
                if call_id and channel == TEXT:
                    self._turn.append((call_id, self._parts[TEXT].tell() if TEXT in self._parts else 0))
                else:
                    was = self._names.get(channel, ("", ""))
                    self._names[channel] = (call_id or was[0], name or was[1])
            if finish:
                self.finish = finish
            if reason:
                self.reason = reason
            if refusal is not None:
                self._refusal.append(refusal)
            if usage:
                self.usage = usage if self.usage is None else self.usage.merged(usage)

    def reply(self) -> Reply:
        """Return the reply as if it had come whole; where text was not kept, it says so."""
        channels = sorted({c for c in (*self._parts, *self._names) if c != TEXT})
        named = [(*self._names.get(channel, ("", "")), self._text(channel)) for channel in channels]
        calls = with_ids([ToolCall(call_id, name, text) for call_id, name, text in named])
        text, refusal = self._text(TEXT), None
        if self._refusal:
            refusal = "".join(self._refusal) or text or self.reason or "no words given"
        turn = self._paused_turn(text) if self.finish == "pause" else ()
        return Reply(text, calls, self.finish, refusal, self.usage, self.reason, turn=turn)

    def _paused_turn(self, text: str) -> list[tuple[str, str]]:
        """Return each part of the turn with its text; nothing where not all text was kept."""
        if TEXT in self._lost:
            return []
        begins = [0, *(end for _, end in self._turn)]
        return [(part, text[begin:end]) for begin, (part, end) in zip(begins, self._turn, strict=False)]

    def _go_on(self, channel: int, text: str) -> None:
        """Forget the finish if this is a part of the answer: a text, or a call that begins."""
        begun = not text and channel not in self._names
        if (begun or text.strip()) and (self._by_tool is None or (channel >= 0) is self._by_tool):
            self.finish, self.reason = None, ""

    def _keep(self, channel: int, text: str) -> None:
        if len(text) > self._room:
            self._lost[channel] = self._lost.get(channel, 0) + len(text) - self._room
            text = text[: self._room]
        self._room -= len(text)
        parts = self._parts.get(channel)
        if parts is None:
            parts = self._parts[channel] = io.StringIO(newline="")
        parts.write(text)

    def _text(self, channel: int) -> str:
        kept = self._parts[channel].getvalue() if channel in self._parts else ""
        lost = self._lost.get(channel)
        return f"{kept}… ({lost} more characters were not kept)" if lost else kept


def spent(request: Request, characters: int, counted: Counted | None) -> Usage:
    """Return the tokens of a request that was answered with so much text; what its provider did not say is a guess."""
    return (
        _estimated(request, characters) if counted is None else counted.usage(lambda: _estimated(request, characters))
    )


def _estimated(request: Request, characters: int) -> Usage:
    body = with_short_files(request.body)
    try:
        sent = len(to_json(body, fallback=str))
    except ValueError:  # half a character
        sent = len(json.dumps(body, default=str))
    return Usage(sent // _CHARACTERS_A_TOKEN, characters // _CHARACTERS_A_TOKEN, exact=False)


_HALF = re.compile("[\ud800-\udfff]")
_FIRST = re.compile("[\ud800-\udbff]$")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def read_json(data: bytes) -> Any:
    """Read JSON as the quick parser does, and also what it refuses and Python's own reads; otherwise a ValueError."""
    try:
        return jiter.from_json(data)
    except ValueError as error:
        try:
            return json.loads(data, strict=False)
        except (ValueError, RecursionError):
            raise error from None


def without_halves(body: bytes) -> bytes:
    """Write a JSON text so that the quick parser takes it: halves that are alone become the sign for what they are."""
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)


class Halves:
    """Joins the halves that lie in two deltas of one channel."""

    def __init__(self) -> None:
        self._waiting: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def joined(self, deltas: Sequence[Delta]) -> list[Delta]:
        """Return the deltas with whole characters; a first half at the end of a text waits for the second one."""
        return [self._whole(delta) for delta in deltas]

    def _whole(self, delta: Delta) -> Delta:
        text = delta.text
        if text and delta.channel in self._waiting:
            text = self._waiting.pop(delta.channel) + text
        if _FIRST.search(text):
            self._waiting[delta.channel] = text[-1]
            text = text[:-1]
        call_id, name, refusal = (each and _mended(each) for each in (delta.id, delta.name, delta.refusal))
        reason = _mended(delta.reason)
        return delta._replace(text=_mended(text), id=call_id, name=name, refusal=refusal, reason=reason)


def _mended(text: str) -> str:
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
