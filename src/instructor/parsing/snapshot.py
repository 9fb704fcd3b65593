"""The value of a JSON text as far as it is known, after each piece of the text.

What is closed is the same object in all later snapshots; only the containers that are open are made anew. Numbers and
literals are known when they are closed, strings grow. Missing and surplus commas are passed over. At any other fault
the value stays as it is for good: whether the text can be read after all is decided when it is whole, elsewhere.

What a shape does not show yet is not there: an object misses the key, a list ends before the element.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jiter

from instructor.parsing.scanner import SCALAR, SPACE, Key, Prose, String, slashes, unescaped

_BETWEEN = re.compile(r"[\s,\ufeff]*")
_FOLLOWS = {"{": frozenset('"}'), "[": frozenset('-0123456789tfn"{[]')}
_BEGINS_SCALAR = frozenset("-0123456789tfn")
_HALF_ESCAPE = re.compile(r"\\(?:u(?:[0-9a-fA-F]{0,3}|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?))?\Z")
_LONGEST_HALF = len(r"\uD800\uDC0")

ANY = '"{[-0123456789tfn'
"""With what a value may begin."""


class _NotYet:
    """What a shape shows as long as it cannot show anything."""


NOT_YET = _NotYet()

DEEPEST = 200
"""How many containers may be open at once: as many as pydantic's parser allows."""


class Shape(Protocol):
    """What a container is shown as. Knows keys and parts; the parts are a dict for `{` and a list for `[`."""

    @property
    def whole(self) -> bool:
        """Return whether the closed container is made from its own text; then nothing inside it is."""
        ...

    @property
    def marks(self) -> str:
        """With what a string, number or literal may begin that is shown here."""
        ...

    def of(self, opener: str, /) -> Shape:
        """Return the shape of one container that this bracket opens here."""
        ...

    def child(self, key: str, parts: Any, /) -> Shape:
        """Return the shape of what stands under this key, or, in a list, of any element; `parts` came before it."""
        ...

    def show(self, parts: Any, /) -> Any:
        """Show the container with these parts, which are a copy to keep; `NOT_YET` where it cannot be shown."""
        ...

    def close(self, parts: Any, text: str | None, how: Mapping[str, Any], /) -> Any:
        """Make the closed container: from its text, or of its parts where something around it is made from text."""
        ...


class Plain:
    """The shape of JSON itself: dicts and lists."""

    whole = False
    marks = ANY

    def of(self, _opener: str, /) -> Plain:
        return self

    def child(self, _key: str, _parts: Any, /) -> Plain:
        return self

    def show(self, parts: Any, /) -> Any:
        return parts

    def close(self, parts: Any, _text: str | None, _how: Mapping[str, Any], /) -> Any:
        return parts


class _Open:
    """A container that is open: its closed parts, and the key of the part that comes."""

    __slots__ = ("begin", "key", "parts", "shape", "some", "spine", "stuck")

    def __init__(self, shape: Shape, opener: str, begin: int) -> None:
        self.shape, self.begin, self.key = shape, begin, ""
        self.parts: Any = {} if opener == "{" else []
        self.some = False  # whether a part was closed, shown or not
        self.stuck = False  # a list, of which an element is not shown: neither are those after it
        self.spine: _Spine | None = None  # of a long one

    def add(self, value: Any) -> None:
        self.some = True
        if type(self.parts) is dict:
            if value is not NOT_YET:
                self.parts[self.key] = value
                if self.spine is not None:
                    self.spine.keys.append(self.key)
        elif value is NOT_YET or self.stuck:
            self.stuck = True
        else:
            self.parts.append(value)

    def copy(self) -> Any:
        """Return many closed parts in a dict or list of their own."""
        if self.spine is None:
            self.spine = _Spine(self.parts)
        return self.spine.copy(self.parts)


class _Grown:
    """A string that grows in place although every snapshot holds it.

    CPython appends in place to a string that one local variable alone holds. Snapshots hold the last strings, so three
    take turns: the one shown three pieces ago is free by now, and takes those pieces. If somebody still holds it, the
    append copies: slower, never wrong.
    """

    __slots__ = ("_before", "_late", "_later", "_spare", "shown")

    def __init__(self) -> None:
        self.shown = self._before = self._spare = ""  # the oldest last
        self._late = self._later = ""  # what came between spare and before, and between before and shown

    def add(self, piece: str) -> None:
        grown = self._spare
        self._spare = ""
        grown += self._late
        grown += self._later
        grown += piece
        self._spare, self._before, self.shown = self._before, self.shown, grown
        self._late, self._later = self._later, piece


class _Spine:
    """A long list or dict that is shown again and again, with a few parts more: to copy it would look at all its parts.

    As with strings two take turns, if nobody holds the one shown before last: then it is brought up to date.
    """

    __slots__ = ("_known", "_late", "_shown", "_spare", "keys", "looked")

    def __init__(self, parts: Any) -> None:
        self._shown: Any = type(parts)()
        self._spare: Any = type(parts)()
        self.keys: list[str] = list(parts) if type(parts) is dict else []
        """The keys of a dict as they came; one that came again is there again."""
        self._known = self._late = 0  # how many closed parts the two have
        self.looked = 0
        """Parts copied."""

    def copy(self, parts: Any) -> Any:
        size = len(self.keys) or len(parts)
        if _holders(self._spare) != _ONLY_US:
            made = parts.copy()
            self.looked += size
        else:
            made = self._spare
            self.looked += size - self._late
            if self.keys:
                for key in self.keys[self._late :]:
                    made[key] = parts[key]
            else:
                made[self._late :] = parts[self._late :]
        self._spare, self._shown = self._shown, made
        self._late, self._known = self._known, size
        return made


_LONG = 64
"""From so many parts on a list or dict is cheaper to bring up to date than to copy."""
_holders: Callable[[Any], int] = getattr(sys, "getrefcount", lambda _: 0)
_new = _Spine([])
_ONLY_US = _holders(_new._spare) or -1  # PyPy does not count, and copies


class Snapshot:
    """Reads one JSON value and shows it after each piece of text.

    Theory of operation. `_open` is the stack of containers that are open, outermost first. A closed part is added to
    its container once and stays the same object in all later snapshots. A snapshot copies only the open containers,
    from the innermost outwards (`_shown`). So it costs its depth and the length of what is open, not the size of the
    value. Long containers keep a copy of their own (`spine`), which is brought up to date if nobody else holds it.

        phase           reads                              next, by what comes
        in_prose        text around the value              after_opener: a bracket of `opens`
        after_opener    what follows that bracket          a container, if a part or its end can follow; else in_prose
        in an object    a key, a colon, a value            a container, a string, a scalar · leaves: `}`
        in a list       values                             the same · leaves: `]`
        in a string     characters; it is shown growing    its container, at the closing quote
        in a scalar     a number or literal                its container, at the delimiter after it
        at_rest         nothing: a fault stopped it        stays: the whole text is validated at its end

    Never: a value that later changes in a snapshot that was returned, a half escape, a number before its end.

    Args:
        shape: What the value is shown as.
        opens: The brackets with which the value may begin.
        how: Is passed to `Shape.close`.
    """

    __slots__ = (
        "_base", "_begin", "_changed", "_grown", "_half", "_hidden", "_how", "_kept", "_key_read", "_open", "_opener",
        "_opens", "_phase", "_prose", "_quoted", "_root", "_token", "_wholes", "afresh", "closed", "looked", "value",
    )  # fmt: skip

    def __init__(self, shape: Shape, opens: str = "{[", how: Mapping[str, Any] | None = None) -> None:
        self.value: Any = None
        """The last snapshot; None before the value has begun."""
        self.closed = False
        """Whether the last bracket of the value came."""
        self.afresh = False
        """Whether a value was shown that proved to be a part of a thought."""
        self.looked = 0
        """Characters looked at: read by the scanner, and copied into texts of closed parts."""
        self._root, self._opens, self._how = shape, opens, how or {}
        self._phase: _Phase = Snapshot._in_prose
        self._prose, self._quoted = Prose(), String()
        self._kept = io.StringIO(newline="")
        self._base = 0  # how much text was fed before the text being read
        self._open: list[_Open] = []
        self._wholes = 0  # how many of the open ones will be made from their text
        self._opener, self._begin = "", 0  # the bracket with which the value may begin, and its place
        self._key_read = Key()
        self._token: list[str] = []  # a number or literal, as far as it was read
        self._grown: _Grown | None = None  # the string being read, if it is a value
        self._hidden = False  # whether the string, number or literal being read is not shown
        self._half = ""  # the end of the text, if it is inside an escape of that string
        self._changed = False

    def feed(self, text: str) -> Any | None:
        """Take text; return the value so far. What changed nothing gives the same object again."""
        self._kept.write(text)
        index, size = 0, len(text)
        while index < size:
            index = self._phase(self, text, index)
        self._base += size
        self.looked += size
        if self._changed:
            self._changed = False
            self.value = self._shown()
        return self.value

    @property
    def begin(self) -> int:
        """The index of the bracket with which the value begins."""
        return self._begin

    @property
    def text(self) -> str:
        """All text that was fed."""
        return self._kept.getvalue()

    def _shown(self) -> Any:
        """Make the open containers anew, from the innermost outwards."""
        open_ = self._open
        if not open_:
            return self.value
        grown = self._grown
        inner: Any = NOT_YET if grown is None or self._hidden else grown.shown
        for container in reversed(open_):
            parts = container.parts
            parts = parts.copy() if len(parts) < _LONG else container.copy()
            if inner is not NOT_YET:
                if type(parts) is dict:
                    parts[container.key] = inner
                elif not container.stuck:
                    parts.append(inner)
            inner = container.shape.show(parts)
        return self.value if inner is NOT_YET else inner

    # Before the value, and when it cannot be read.

    def _in_prose(self, text: str, index: int) -> int:
        prose = self._prose
        index = prose.find(text, index)
        if prose.afresh:
            prose.afresh = 0
            self.afresh = self.afresh or (self.value is not None and self._begin < self._base)
            self.value, self.closed, self._changed = None, False, False
        if index == len(text):
            return index
        if not self.closed and text[index] in self._opens:
            self._opener, self._begin = text[index], self._base + index
            self._phase = Snapshot._after_opener
        else:
            prose.passed(text[index])
        return index + 1

    def _after_opener(self, text: str, index: int) -> int:
        index = _end(SPACE, text, index)
        if index < len(text):
            if text[index] in _FOLLOWS[self._opener]:
                self._enter(self._root, self._opener, self._begin)
            else:
                self._phase = Snapshot._in_prose
                self._prose.passed(self._opener)
        return index

    def _fault(self, text: str, index: int) -> int:
        """Stop for good; but as long as the value has no part, what was read may be prose."""
        if len(self._open) == 1 and not self._open[0].some:
            self._open.clear()
            self.value, self._changed = None, False
            self._phase = Snapshot._in_prose
            return index
        self._phase = Snapshot._at_rest
        return len(text)

    def _at_rest(self, text: str, _index: int) -> int:
        return len(text)

    # Containers.

    def _enter(self, shape: Shape, opener: str, begin: int) -> None:
        container = _Open(shape.of(opener), opener, begin)
        if self._open and container.shape.whole:
            self._wholes += 1
        self._open.append(container)
        self._phase = _INSIDE[opener]
        self._changed = True

    def _leave(self, index: int) -> int:
        """Close the innermost container; its bracket stands at `index`."""
        container = self._open.pop()
        shape, outer = container.shape, self._open
        self._changed = True
        if not outer:
            value, self.closed = shape.close(container.parts, None, self._how), True
            self.value = self.value if value is NOT_YET else value
            self._phase = Snapshot._in_prose  # to see whether it was a thought
            return index + 1
        if shape.whole:
            self._wholes -= 1
        text = None
        if shape.whole and not self._wholes:
            text = self._cut(container.begin, self._base + index + 1)
        value = shape.close(container.parts, text, self._how)
        self._add(value)
        return index + 1

    def _cut(self, begin: int, end: int) -> str:
        kept = self._kept
        kept.seek(begin)
        text = kept.read(end - begin)
        kept.seek(0, io.SEEK_END)
        self.looked += end - begin
        return text

    def _add(self, value: Any) -> None:
        """Add a closed part to the innermost container."""
        container = self._open[-1]
        container.add(value)
        self._phase = Snapshot._in_object if type(container.parts) is dict else Snapshot._in_list
        self._changed = True

    def _in_object(self, text: str, index: int) -> int:
        index = _end(_BETWEEN, text, index)
        if index == len(text):
            return index
        if text[index] == '"':
            self._key_read = Key()
            self._phase = Snapshot._in_key
            return index + 1
        return self._leave(index) if text[index] == "}" else self._fault(text, index)

    def _in_list(self, text: str, index: int) -> int:
        index = _end(_BETWEEN, text, index)
        if index < len(text) and text[index] == "]":
            return self._leave(index)
        return self._before_value(text, index)

    def _in_key(self, text: str, index: int) -> int:
        end = self._key_read.follow(text, index)
        if end < 0:
            return len(text)
        if text[end] == "\n":
            return self._fault(text, end)
        self._open[-1].key = self._key_read.name
        self._phase = Snapshot._after_key
        return end + 1

    def _after_key(self, text: str, index: int) -> int:
        index = _end(SPACE, text, index)
        if index == len(text):
            return index
        if text[index] != ":":
            return self._fault(text, index)
        self._phase = Snapshot._before_value
        return index + 1

    # Values.

    def _before_value(self, text: str, index: int) -> int:
        index = _end(SPACE, text, index)
        if index == len(text):
            return index
        mark = text[index]
        container = self._open[-1]
        shape = container.shape.child(container.key, container.parts)
        if (mark == "{" or mark == "[") and len(self._open) < DEEPEST:
            self._enter(shape, mark, self._base + index)
            return index + 1
        self._hidden = container.stuck or mark not in shape.marks
        if mark == '"':
            self._grown, self._half = _Grown(), ""
            self._changed = True
            self._phase = Snapshot._in_string
            return index + 1
        if mark not in _BEGINS_SCALAR:
            return self._fault(text, index)
        self._token = []
        self._phase = Snapshot._in_scalar
        return index

    def _in_scalar(self, text: str, index: int) -> int:
        end = _end(SCALAR, text, index)
        self._token.append(text[index:end])
        if end == len(text):
            return end
        try:
            value = jiter.from_json("".join(self._token).encode())
        except ValueError:
            return self._fault(text, end)
        self._add(NOT_YET if self._hidden else value)
        return end

    def _in_string(self, text: str, index: int) -> int:
        grown = self._grown
        assert grown is not None
        end = self._quoted.follow(text, index)
        piece = text[index : end - 1] if end > 0 else text[index:]
        if self._half or "\\" in piece:
            piece = self._decoded(self._half + piece, closed=end > 0)
        if piece:
            grown.add(piece)
            self._changed = True
        if end < 0:
            return len(text)
        self._grown = None
        self._add(NOT_YET if self._hidden else grown.shown)
        return end

    def _decoded(self, piece: str, *, closed: bool) -> str:
        """Decode a piece of a string; what ends inside an escape, or between two that mean one character, waits."""
        self._half = ""
        if not closed:
            half = _HALF_ESCAPE.search(piece, max(0, len(piece) - _LONGEST_HALF))
            while half and slashes(piece, 0, half.start()) % 2:
                half = _HALF_ESCAPE.search(piece, half.start() + 1)
            if half:
                self._half, piece = half[0], piece[: half.start()]
        return unescaped(piece)


_Phase = Callable[[Snapshot, str, int], int]
_INSIDE: dict[str, _Phase] = {"{": Snapshot._in_object, "[": Snapshot._in_list}


def _end(pattern: re.Pattern[str], text: str, index: int) -> int:
    return pattern.match(text, index).end()  # type: ignore[union-attr]  # these patterns match always
