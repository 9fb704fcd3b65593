"""Ends a generation that repeats itself. Pure: it is fed text and says when to stop.

So small a model sometimes falls into a loop: the same item again and again, two items in turn, blanks, digits. The
grammar allows all of that. A run that is cut ends as one that met its length limit, never as one that is complete.
"""

from __future__ import annotations

from collections import deque

BLANKS = 200
"""So many blanks in a row, outside of strings and in them, are no layout any more."""
DIGITS = 64
"""No number has so many digits."""
TIMES = 3
"""So many equal objects in a row, or so many equal rounds of up to `ROUND` objects, are a loop."""
ROUND = 4
TAIL = 240
"""Text whose last `TAIL` characters repeat with a period of at most `PERIOD` is a loop."""
PERIOD = 48


class Brackets:
    """Follows the brackets of a JSON text, one character at a time. Brackets inside strings do not count."""

    def __init__(self) -> None:
        self._string = self._escaped = False

    def follow(self, char: str) -> bool:
        """Return whether the next character is a bracket of the structure."""
        if self._string:
            self._string = self._escaped or char != '"'
            self._escaped = char == "\\" and not self._escaped
            return False
        self._string = char == '"'
        return char in "[{]}"


class LoopDetector:
    """Looks at each character once (and at the tail again every `PERIOD` characters)."""

    def __init__(self, *, json: bool = True) -> None:
        self._json = json
        self._tail = ""
        self._unseen = 0
        self._blanks = self._digits = 0
        self._open: list[int] = []  # where each open bracket stands in `_text`
        self._kinds: list[str] = []
        self._items: list[deque[str]] = []  # the last objects of each open array
        self._text: list[str] = []
        self._brackets = Brackets()

    def feed(self, text: str) -> str | None:
        """Take more text; say why the run is to end, if it is."""
        for char in text:
            self._blanks = self._blanks + 1 if char.isspace() else 0
            self._digits = self._digits + 1 if char.isdigit() else 0
            if self._blanks > BLANKS:
                return "blanks"
            if self._digits > DIGITS:
                return "digits"
            if self._json and self._mark(char):
                return "items"
        self._tail = (self._tail + text)[-TAIL:]
        self._unseen += len(text)
        if self._unseen >= PERIOD and len(self._tail) == TAIL:
            self._unseen = 0
            if _periodic(self._tail):
                return "text"
        return None

    def _mark(self, char: str) -> bool:
        """Follow the JSON structure; True when the object that closes here is one too many of its kind."""
        self._text.append(char)
        if not self._brackets.follow(char):
            return False
        if char in "[{":
            self._open.append(len(self._text) - 1)
            self._kinds.append(char)
            self._items.append(deque(maxlen=ROUND * TIMES))
        elif self._open:
            start, kind = self._open.pop(), self._kinds.pop()
            self._items.pop()
            if kind == "{" and self._kinds and self._kinds[-1] == "[":
                siblings = self._items[-1]
                siblings.append("".join(self._text[start:]))
                return _loops(list(siblings))
        return False


def _loops(items: list[str]) -> bool:
    return any(
        len(items) >= TIMES * size and items[-TIMES * size :] == items[-size:] * TIMES for size in range(1, ROUND + 1)
    )


def _periodic(tail: str) -> bool:
    return any(tail[size:] == tail[:-size] for size in range(1, PERIOD + 1))
