"""Items out of a list, while the list is being written.

What is read is one of: a wrapper object that holds the list under a key, a bare array, several of either, or one object
a line; with prose and fences around. Of prose only brackets are looked at. A bracket with which JSON may begin is a
*candidate*: its own level is then read as JSON (deeper levels only for brackets and strings), and it is dropped, where
the reader stands, at the first character that cannot be. A list is believed, and hence everything in it an item, as
soon as it is the value of the wrapper's key, is opened by `[{` or `["` at the start of a line, or has given an item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from instructor.text.scan import OBJECT, SCALAR, SPACE, Key, Nest, Prose, Quoted

_BETWEEN = re.compile(r"[\s,\ufeff]*")
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_BEGINS_SCALAR = frozenset("-0123456789tfnTFNI")


class Slice(NamedTuple):
    """The text of one item. `loose`: it is an object that stood by itself, in no list."""

    text: str
    loose: bool


class Items:
    """Cuts the items out of a list as it comes.

    `key` is the wrapper's key that holds the list, `opens` the characters that an item may begin with: `[` in prose
    begins a list only if one of them or `]` follows. Numbers and literals end at the delimiter after them; in a list
    that is not believed yet, scalars are handed out when a comma or `]` has followed.
    """

    __slots__ = (
        "_broken", "_doubted", "_ended", "_fresh", "_from", "_held", "_hold", "_key", "_key_read", "_listed",
        "_loose", "_nest", "_opener", "_opens", "_out", "_phase", "_pieces", "_prose", "_quoted", "_remark",
        "_stray", "_sure", "_wrapped", "awaits", "looked",
    )  # fmt: skip

    def __init__(self, key: str = "tasks", opens: str = '{["-0123456789tfn') -> None:
        self._key, self._opens = key, frozenset(opens)
        self.looked = 0
        """Characters looked at: read by the scanner, and copied into slices."""
        self._phase: _Phase = Items._in_prose
        self._prose, self._nest, self._quoted = Prose(), Nest(), Quoted()
        # Inside brackets nothing is decided before the closing one comes, inside a string nothing before a quote.
        # Chunks without it are kept unread: to start the scanner for four characters costs ten times as much.
        self.awaits = ""
        self._held: list[str] = []
        self._hold = self._held.append
        self._pieces: list[str] = []  # the unfinished item, as far as it lies in texts already read
        self._from = -1  # where it goes on in the text being read, or -1: nothing is being kept
        self._out: list[Slice]
        self._opener = ""
        self._key_read = Key()
        self._fresh = False  # the candidate object began at the start of a line
        self._wrapped = False  # the list is inside a wrapper
        self._listed = False  # a list is open
        self._sure = False  # the list is believed
        self._stray = False  # a closing brace came that the list cannot hold: perhaps the list's end was forgotten
        self._remark = ""  # a comment between items, as far as it decides where the comment ends
        self._doubted: Slice | None = None  # first item of a list that is not believed
        self._ended = self._broken = False  # a list came to its end; a list was left without an end
        self._loose = False  # a loose object was handed out

    def feed(self, text: str) -> Sequence[Slice]:
        """Take text; give the items that it closes."""
        if self.awaits not in text:
            self._hold(text)
            return ()
        if self._held:
            self._hold(text)
            text = "".join(self._held)
            self._held.clear()
        return self._read(text)

    def close(self) -> list[Slice]:
        """Read what is left; give the items that the end of the text decides."""
        held = "".join(self._held)
        self._held.clear()
        return self._read(held)

    @property
    def closed(self) -> bool:
        """Whether a list came to its `]` and none is open; where no list came, whether all loose objects are closed."""
        if self._listed or self._broken or (self._from >= 0 and self._fresh):
            return False
        return self._ended or self._loose

    @property
    def listed(self) -> bool:
        """Whether a list came at all; what stood by itself beside one is no item that was asked for."""
        return self._ended or self._broken or (self._listed and self._sure)

    @property
    def rest(self) -> str:
        """The text of the unfinished item, or of the unfinished object that may prove to be a loose one."""
        return "".join(self._pieces + self._held) if self._from >= 0 or self._phase is _IN_LIST else ""

    def _read(self, text: str) -> list[Slice]:
        out = self._out = []
        place, size = 0, len(text)
        self.looked += size
        # The two phases of nearly all reads have short cuts here, for each call counts.
        if self._phase is _IN_NEST:
            place = self._nest.follow(text, 0)
            if place < 0:
                if self._from >= 0:
                    self._pieces.append(text)
                return out
            place = self._value_ends(text, place)
        elif self._phase is _IN_LIST and self._sure:
            place = self._objects(text, 0)
            if place == size and self._phase is _IN_LIST:
                self.awaits = "}" if self._held else ""
                return out
        while place < size:
            place = self._phase(self, text, place)
        if self._from >= 0 and size:
            self._pieces.append(text[self._from :] if self._from else text)
            self._from = 0
        phase = self._phase
        if phase is _IN_NEST:
            self.awaits = self._nest.ends
        else:
            self.awaits = '"' if phase is _IN_STRING else "}" if self._held else ""
        return out

    # What is kept: the text of an item, or of an object that may be one.

    def _keep(self, place: int) -> None:
        self._from, self._pieces = place, []

    def _cut(self, text: str, end: int) -> str:
        """Give what was kept, up to `end`."""
        cut = text[self._from : end]
        if self._pieces:
            self._pieces.append(cut)
            cut = "".join(self._pieces)
            self._pieces = []
        self._from = -1
        self.looked += len(cut)
        return cut

    def _hand_out(self, text: str, end: int) -> None:
        item = Slice(self._cut(text, end), False)
        if self._sure or item.text[0] == "{" or item.text[0] == "[":
            self._sure = True
            self._out.append(item)
        else:
            self._doubted = item

    # Prose, and what may begin there.

    def _in_prose(self, text: str, place: int) -> int:
        place = self._prose.find(text, place)
        if place == len(text):
            return place
        self._opener, self._fresh = text[place], self._prose.fresh
        if self._opener == "{" and self._fresh:
            self._keep(place)
        self._phase = Items._after_opener
        return place + 1

    def _after_opener(self, text: str, place: int) -> int:
        place = _end(SPACE, text, place)
        if place == len(text):
            return place
        mark = text[place]
        if self._opener == "{":
            if mark == '"' or mark == "}":
                self._phase = Items._before_key
                return place
        elif mark in self._opens or mark == "]":
            self._open_list(sure=self._fresh and mark in '{"', wrapped=False)
            return place
        return self._drop(place)

    def _drop(self, place: int) -> int:
        """Go back to prose, right here: what was a candidate cannot be JSON."""
        self._prose.fresh = self._listed = False
        self._from, self._pieces, self._doubted = -1, [], None
        self._phase = Items._in_prose
        return place

    def _to_prose(self) -> None:
        """Go back to prose after a whole value: the line is as fresh as it was where the value began."""
        self._prose.fresh = self._fresh
        self._phase = Items._in_prose

    # The level of a wrapper, or of an object that stands by itself.

    def _before_key(self, text: str, place: int) -> int:
        place = _end(_BETWEEN, text, place)
        if place == len(text):
            return place
        mark = text[place]
        if mark == '"':
            self._key_read = Key()
            self._phase = Items._in_key
            return place + 1
        if mark != "}":
            return self._drop(place)
        if self._from >= 0:
            self._out.append(Slice(self._cut(text, place + 1), True))
            self._loose = True
        self._to_prose()
        return place + 1

    def _in_key(self, text: str, place: int) -> int:
        end = self._key_read.follow(text, place)
        if end < 0:
            return len(text)
        if text[end] == "\n":
            return self._drop(end)
        self._phase = Items._after_key
        return end + 1

    def _after_key(self, text: str, place: int) -> int:
        place = _end(SPACE, text, place)
        if place == len(text):
            return place
        if text[place] != ":":
            return self._drop(place)
        self._phase = Items._before_value
        return place + 1

    def _before_value(self, text: str, place: int) -> int:
        place = _end(SPACE, text, place)
        if place == len(text):
            return place
        mark = text[place]
        if mark == "[" and self._key_read.name == self._key:
            self._from, self._pieces = -1, []
            self._open_list(sure=True, wrapped=True)
            return place + 1
        if mark == "{" or mark == "[":
            self._nest.start(mark)
            self._phase = Items._in_nest
            return place + 1
        if mark == '"':
            self._phase = Items._in_string
            return place + 1
        if mark not in _BEGINS_SCALAR:
            return self._drop(place)
        self._phase = Items._in_scalar
        return place

    # The level of a list.

    def _open_list(self, *, sure: bool, wrapped: bool) -> None:
        self._listed, self._sure, self._wrapped = True, sure, wrapped
        self._stray, self._doubted = False, None
        self._phase = Items._in_list

    def _in_list(self, text: str, place: int) -> int:
        if self._doubted:
            place = _end(SPACE, text, place)
            if place < len(text):
                if text[place] not in ",]":
                    return self._drop(place)
                self._out.append(self._doubted)
                self._sure, self._doubted = True, None
        place = self._objects(text, place) if self._sure else _end(_BETWEEN, text, place)
        if place == len(text) or self._phase is _IN_NEST:
            return place
        mark = text[place]
        if mark == "{":
            self._keep(place)
            self._phase = Items._after_first_brace
        elif mark == "[":
            self._keep(place)
            self._nest.start(mark)
            self._phase = Items._in_nest
        elif mark == "]":
            self._listed, self._ended = False, True
            self._leave_list()
        elif mark == "}":
            self._stray = self._wrapped
        elif mark == '"':
            self._keep(place)
            self._phase = Items._in_string
        elif mark == "/":
            self._remark = ""
            self._phase = Items._in_remark
        elif self._stray:
            self._listed, self._broken = False, True
            self._to_prose()
        else:
            self._keep(place)
            self._phase = Items._in_scalar
            return place
        return place + 1

    def _objects(self, text: str, place: int) -> int:
        """Pass over gaps and objects; an object that is whole and has no bracket inside takes one step."""
        size, out, step, last = len(text), self._out, OBJECT.match, text.rfind("}")
        while place < last:
            run: re.Match[str] = step(text, place)  # type: ignore[assignment]  # it matches always
            place, groups = run.end(), run.lastindex
            if groups is None:
                return place
            brace = run.start(1)
            if groups > 1 or place == size or text[place] != "}":
                self._keep(brace)
                self._nest.start_with(run)
                self._phase = Items._in_nest
                return place
            place += 1
            self.looked += place - brace
            out.append(_tuple(Slice, (text[brace:place], False)))
        if place < size:
            place = _end(_BETWEEN, text, place)
        if place < size and text[place] == "{":  # it cannot end in this text: read it when it can
            self._hold(text[place:])
            self.looked -= size - place
            return size
        return place

    def _in_remark(self, text: str, place: int) -> int:
        """Pass over a comment, after its first slash."""
        if not self._remark:
            self._remark = text[place]
            return place + 1
        line = self._remark[0] == "/"
        end = text.find("\n" if line else "/", place)
        if end < 0:
            self._remark = self._remark[0] + text[-1]
            return len(text)
        if line or (text[end - 1] if end > place else self._remark[1:]) == "*":
            self._phase = Items._in_list
        self._remark = self._remark[0]
        return end + 1

    def _leave_list(self) -> None:
        if self._wrapped:
            self._phase = Items._before_key
        else:
            self._to_prose()

    def _after_first_brace(self, text: str, place: int) -> int:
        """Doubt the first object of a list that is not believed: `[{x}]` is prose."""
        place = _end(SPACE, text, place)
        if place < len(text):
            if text[place] not in "\"'}":
                return self._drop(place)
            self._nest.start("{")
            self._phase = Items._in_nest
        return place

    # A value, of either level.

    def _in_nest(self, text: str, place: int) -> int:
        return self._value_ends(text, self._nest.follow(text, place))

    def _in_string(self, text: str, place: int) -> int:
        return self._value_ends(text, self._quoted.follow(text, place))

    def _in_scalar(self, text: str, place: int) -> int:
        end = _end(SCALAR, text, place)
        if end == len(text):
            return end
        place = self._value_ends(text, end)
        if self._doubted and not _LITERAL.fullmatch(self._doubted.text):
            return self._drop(place)
        return place

    def _value_ends(self, text: str, end: int) -> int:
        if end < 0:
            return len(text)
        if self._listed:
            self._hand_out(text, end)
            self._phase = Items._in_list
        else:
            self._phase = Items._before_key
        return end


_tuple = tuple.__new__  # half the price of Slice(...)
_Phase = Callable[[Items, str, int], int]
_IN_LIST, _IN_NEST, _IN_STRING = Items._in_list, Items._in_nest, Items._in_string


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    return pattern.match(text, place).end()  # type: ignore[union-attr]  # these patterns match always
