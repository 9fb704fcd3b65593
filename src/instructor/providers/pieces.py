"""Texts that come in pieces, and of which some events tell the whole: what of it is new."""

from __future__ import annotations

import re
from typing import Any

import jiter

from instructor.core.types import Delta
from instructor.exceptions import ResponseParsingError
from instructor.parsing import is_json

_SHOWN = 200
MOST = 1 << 20
"""Characters of a text that are kept to compare the whole with: a list may be endless."""
_HALF = re.compile("[\ud800-\udfff]")
_BEGINNING = 64
"""Characters by which a text that begins anew is distinguished from one that goes on."""


class Text:
    """One text of a reply, a call's arguments say: of each event it gives what was not read before."""

    __slots__ = ("_at", "_echo", "_head", "_pieces", "length")

    def __init__(self) -> None:
        self.length = 0
        self._head = ""
        self._pieces: list[str] | None = []
        self._echo = ""  # what an opening event brought: the pieces after it may bring it again
        self._at = 0  # how much of that has come again

    def opening(self, text: str) -> str:
        """Return what an opening event brings. The pieces after it repeat it, or go on from it."""
        if self.length:
            return self.whole(text)
        self._echo = text
        return self._added(text)

    def piece(self, text: str) -> str:
        """Return what a piece brings."""
        if self._echo:
            echo, at = self._echo, self._at
            if echo.startswith(text, at):
                self._at = at + len(text)
                if self._at == len(echo):
                    self._echo = ""
                return ""
            self._echo = ""
            repeats = text.startswith(echo[at:])
            text = text[len(echo) - at :] if repeats else echo[:at] + text
        return self._added(text)

    def whole(self, text: str, *, checked: bool = False) -> str:
        """Return what a closing event brings beyond what came. If `checked`, what came must be its beginning."""
        if self._pieces is None:  # it was compared before, or is too long for that
            missing = text[self.length :]
        else:
            before = _characters("".join(self._pieces))
            if text.startswith(before):
                missing, self._pieces, self.length = text[len(before) :], None, len(text)
            elif not checked or before.startswith(text) or is_same_json(before, text):
                return ""
            else:
                shown = f"{before[-60:]!r}, and the whole {text[-60:]!r}"
                raise ResponseParsingError(f"Pieces of a text are lost: they end with {shown}", text=before)
        self.length = max(self.length, len(text)) if missing else self.length
        return missing

    def again(self, text: str) -> str | None:
        """Return what a text brings that tells all that came once more; None if it is not such a text."""
        if self._pieces is None or not self._head:
            return None
        if not text.startswith(self._head):  # the same in other spelling, at most
            begins = text.startswith("{") and self.is_whole and is_json(text)
            return "" if begins and self.tells(text) else None
        before = "".join(self._pieces)
        if text.startswith(before) and (len(text) == len(before) or is_json(text)):
            return self._added(text[len(before) :])
        return "" if is_same_json(before, text) else None

    def tells(self, text: str) -> bool:
        """Return whether a whole text may be this one: it is what came, or goes on from it."""
        if self._pieces is None:
            return len(text) == self.length
        before = "".join(self._pieces)
        return text.startswith(before) or is_same_json(before, text)

    @property
    def is_whole(self) -> bool:
        """Return whether what came is one JSON object; all of it is looked at only where it ends as one does."""
        if not self._pieces or not self._pieces[-1].rstrip().endswith("}"):
            return False
        return is_json("".join(self._pieces))

    def _added(self, text: str) -> str:
        self.length += len(text)
        if self._pieces is not None and text:
            self._pieces.append(text)
            if len(self._head) < _BEGINNING:
                self._head += text[: _BEGINNING - len(self._head)]
            if self.length > MOST:
                self._pieces = None
        return text


def _characters(text: str) -> str:
    """Return a text whose characters that were cut in two are whole."""
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_same_json(one: str, other: str) -> bool:
    """Return whether two texts are the same JSON value, or differ in nothing but blanks."""
    try:
        return bool(jiter.from_json(one.encode()) == jiter.from_json(other.encode()))
    except ValueError:
        return one.split() == other.split()


def word(value: Any) -> str:
    """Return a text, or an empty one for whatever else stands where a text should."""
    return value if isinstance(value, str) else ""


def piece_of(value: Any) -> str:
    """Return a piece of an answer's text, empty for null. Any other thing is an error: the answer would be another."""
    if value is None or isinstance(value, str):
        return value or ""
    shown = repr(value)[:_SHOWN]
    raise ResponseParsingError(f"A piece of the answer must be a string, got {shown}.", text=shown)


def number(value: Any) -> int | None:
    """Return an index, which some servers write as a text; None for whatever else stands there."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if type(value) is int and value >= 0 else None


def mapping(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one for whatever else stands where one should."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; one that stands alone is taken for a list of it, whatever else is left out."""
    if isinstance(value, dict):
        return [value]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, (list, tuple)) else []


class _Call:
    __slots__ = ("call_id", "channel", "index", "text")

    def __init__(self, channel: int, index: int | None, call_id: str) -> None:
        self.channel, self.index, self.call_id = channel, index, call_id
        self.text = Text()


class Calls:
    """Separates calls, and returns what is new in each piece: some servers send a call twice."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._channels: set[int] = set()
        self._next = 0

    def read(self, index: int | None, call_id: str, name: str, text: str, *, opens: bool = False) -> Delta:
        """Read a piece of a call; `opens`: the pieces after it may repeat its text."""
        call = self._found(index, call_id, text, begins=opens or bool(name))
        if call is None:
            call = self._begun(index, call_id)
        if index is not None:
            self._by_index[index] = call
        if call_id and not call.call_id:
            call.call_id = call_id
        if call_id:
            self._by_id[call_id] = call
        new = call.text.again(text) if text else ""
        if new is None:
            new = call.text.opening(text) if opens and not call.text.length else call.text.piece(text)
        return Delta(call.channel, new, call_id or None, name or None)

    def _found(self, index: int | None, call_id: str, text: str, *, begins: bool) -> _Call | None:
        call = self._by_id.get(call_id) if call_id else None
        if call is not None:
            return None if self._is_another(call, index, text) else call
        if index is not None:
            call = self._by_index.get(index)
            return None if call is not None and call_id and call.call_id else call
        if self._calls and not call_id and not begins:
            return self._calls[-1]
        return None

    def _is_another(self, call: _Call, index: int | None, text: str) -> bool:
        """Return whether a piece with the id of a call begins another: some servers give all calls one id."""
        if index is not None and call.index is not None and index != call.index:
            return not (text and call.text.tells(text))
        return text.lstrip().startswith("{") and call.text.is_whole and is_json(text) and not call.text.tells(text)

    def _begun(self, index: int | None, call_id: str) -> _Call:
        channel = index if index is not None and index not in self._channels else self._next
        self._channels.add(channel)
        self._next = max(self._next, channel + 1)
        call = _Call(channel, index, call_id)
        self._calls.append(call)
        return call
