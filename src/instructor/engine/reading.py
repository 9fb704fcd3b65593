"""Events as deltas, at little cost for the many that repeat the one before them but for its text.

Of the 300 bytes of an event four are text. To parse all, and to look through what that gives, takes eight times as long
as to see that the bytes around the text are the same again and to parse the text alone. Nothing is guessed: two events
in a row show where the text is, and an event is read by them only if all its other bytes are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import jiter

from instructor.engine.call import Delta, Json
from instructor.engine.halves import Halves, read_json
from instructor.engine.names import Names, Naming
from instructor.engine.ports import Dialect, Patient, Sink, fitting, reader_of
from instructor.exceptions import ResponseParsingError

_STRING = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)
_PADDING = b'"obfuscation"'
"""The key of random text by which events are made equally long, lest their sizes tell the answer. Nobody reads it."""
_TRIES = 8
"""How often in a row two events may prove to differ in more than their text before no two are compared any more."""
_MOST_HELD = 64
"""How many texts are kept back at most: a stream that runs away must be noticed."""
_SHOWN = 200
_NOTHING = (b"", b"", b"", 0, 0)


class Reading:
    """Reads the events of one stream for a sink. `joined`: texts of neighbouring events may come as one delta."""

    def __init__(self, dialect: Dialect, sink: Sink, naming: Naming | None = None, *, joined: bool) -> None:
        self._decode = reader_of(dialect)
        self._naming = naming or Naming(Names(()), misnamed=True, named=False)
        self._sink: Patient | None = fitting(sink, "awaits")
        self._joined = joined
        self._tries = 0 if getattr(dialect, "sees_all", False) else _TRIES
        self._last: tuple[bytes, Delta] | None = None  # an event that is text only
        self._channel = 0
        self._around = _NOTHING  # what is around the text, and around padding after it; where both are
        self._held: list[str] = []  # texts that are not read yet
        self._begun: Sequence[Json | bytes] | None = None  # events whose texts were taken up to a place
        self._place = 0
        self.done = False
        """Whether the event came that ends a stream, whatever the connection does."""
        self.head: Json | None = None
        """The first event."""
        self.passed_over: Any = None
        """The last event that told nothing of an answer."""
        self._halves = Halves()

    def holds(self, events: Sequence[Json | bytes]) -> bool:
        """Keep events back whose texts decide nothing: to pass one through the whole engine costs ten times as much."""
        awaits = self._sink.awaits if self._sink is not None else ""
        if not awaits:
            return False
        held = self._held
        known = len(held)
        end = self._take(events, 0, held)
        if end == len(events) and len(held) < _MOST_HELD:
            if end == 1:  # what most reads bring
                if awaits not in held[-1]:
                    return True
            elif awaits not in "".join(held[known:]):
                return True
        self._begun, self._place = events, end
        return False

    def read(self, events: Sequence[Json | bytes], found: list[Delta]) -> None:
        """Append the deltas of events, parsed or not. If one cannot be read, those before it are there."""
        place = self._place if events is self._begun else self._take(events, 0, self._held)
        self._begun = None
        while place < len(events):
            self.release(found)
            self._read_whole(events[place], found)
            if self.done:
                return
            place = self._take(events, place + 1, self._held)
        self.release(found)

    def release(self, found: list[Delta]) -> None:
        """Append the deltas of what is kept back."""
        if self._joined and self._held:
            found.append(Delta(self._channel, "".join(self._held)))
        else:
            channel = self._channel
            found += [_tuple(Delta, (channel, text, None, None, None, None, None, "")) for text in self._held]
        self._held.clear()

    def _take(self, events: Sequence[Json | bytes], place: int, texts: list[str]) -> int:
        """Take the texts of events that are like those before; give the place of the first other one."""
        before, middle, after, begin, end = self._around
        if not before:
            return place
        for at in range(place, len(events)):
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
    """Give what two events have in common, if they differ in nothing but their texts and padding after them."""
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
