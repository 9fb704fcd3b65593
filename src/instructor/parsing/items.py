"""Items out of a list, while the list is being written.

What is read is one of: a wrapper object that holds the list under a key, a bare array, several of either, or one object
a line; with prose and fences around. Of prose only brackets are looked at. A bracket with which JSON may begin is a
*candidate*: its own level is then read as JSON (deeper levels only for brackets and strings), and it is dropped, where
the reader stands, at the first character that cannot be. A list is believed, and hence everything in it an item, as
soon as it is the value of the wrapper's key, is opened by `[{` or `["` at the start of a line, holds an object or list
or, at the start of a line, two scalars. Other lists of scalars, `[1]` in a sentence, wait: the last of them is believed
if the text ends without a better one.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from instructor.parsing.scanner import OBJECT, SCALAR, SPACE, Comment, Escaped, Key, Nest, Prose, SingleQuoted, String


class Slice(NamedTuple):
    """The text of one item. `loose`: it is an object that stood by itself, in no list."""

    text: str
    loose: bool


AFRESH = Slice("", loose=True)
"""Stands in the place of an item where the text tells that all before was a thought."""


class BufferedReader(abc.ABC):
    """What a reader of items keeps."""

    __slots__ = ("_from", "_held", "_hold", "_pieces", "edges", "looked", "waits_for")

    def __init__(self) -> None:
        self.looked = 0
        """Characters looked at: read by the scanner, and copied into slices."""
        self.edges: list[int] = []
        """Before which item of those that are given next, counted from 1, a wrapper's list opens; negative: it ends."""
        # Inside brackets nothing is decided before the closing one comes, inside a string nothing before a quote.
        # Chunks without it are kept unread: to start the scanner for four characters costs ten times as much.
        self.waits_for = ""
        self._held: list[str] = []
        self._hold = self._held.append
        self._pieces: list[str] = []  # the unfinished item, as far as it lies in texts already read
        self._from = -1  # where it goes on in the text being read, or -1: nothing is being kept

    def feed(self, text: str) -> Sequence[Slice]:
        """Take text; return the items that it closes."""
        if self.waits_for not in text:
            self._hold(text)
            return ()
        if self._held:
            self._hold(text)
            text = "".join(self._held)
            self._held.clear()
        return self._read(text)

    def close(self, *, ended: bool = True) -> list[Slice]:
        """Read what is left; return the items that the end of the text decides. `ended`: the text was not cut."""
        del ended
        held = "".join(self._held)
        self._held.clear()
        return self._read(held)

    @abc.abstractmethod
    def _read(self, text: str) -> list[Slice]: ...

    def _keep(self, index: int) -> None:
        """Begin to keep the text of an item, or of an object that may be one."""
        self._from, self._pieces = index, []

    def _cut(self, text: str, end: int) -> str:
        """Return what was kept, up to `end`."""
        cut = text[self._from : end]
        if self._pieces:
            self._pieces.append(cut)
            cut = "".join(self._pieces)
            self._pieces = []
        self._from = -1
        self.looked += len(cut)
        return cut


_BETWEEN = re.compile(r"[\s,\ufeff]*")
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_BEGINS_SCALAR = frozenset("-0123456789tfnTFNI")
ANY_KEY = "*"
"""Stands among the keys of an item that may have any other."""
NESTED = "[{"
"""Stands among the keys of an item whose own list under the wrapper's key may hold objects."""


class ItemReader(BufferedReader):
    """Cuts the items out of a list as it comes.

    Theory of operation. The reader is a state machine whose state is a method, `_phase(text, index)`: it reads on and
    returns where it stopped, and sets the next phase. A text may end anywhere, so a phase keeps what it needs. Every
    character is looked at once. An item is handed out when its last character has come, never before.

        phase            reads                              next, by what comes
        in_prose         text around the answer             after_opener: `{` or `[`
        after_opener     what follows that bracket          before_key: `"` or `}` · in_list: an item or `]` ·
                                                            after_backslash: JSON in a JSON string · else in_prose
        before_key       what may be the wrapper            in_key · in_prose: `}` (a loose object)
        in_key, after_key, before_value                     in_list: `[` under the wrapper's key · after_rival: the
                                                            key is also an item's · in_nest/string/scalar: a value
        in_list          the list: commas, comments, items  in_nest, in_string, in_scalar: an item · leaves: `]`
        in_nest          an object or array, by counting    in_list or before_key, when its bracket closes
        in_scalar        a number or literal                ends at the delimiter after it
        after_doubted    a scalar in a list of prose        in_list: `,` or `]` · else in_prose (it was a phrase)
        in_escaped       a JSON string that holds JSON      an inner reader reads it, unescaped

    What is certain, and what waits: a list is `_sure` if it is under the wrapper's key, or when its first object or
    array closes. Scalars of other lists are kept in `_pending`. When such a list ends they become the `_fallback`: it
    counts only if no better list came and the text was proven to end. A loose object is one outside of any list. It is
    handed out by `_at_line_start`, and the caller decides whether it is an item.

    Never: an item twice, an item before its end, a character looked at again, an item out of a thought that was marked.

    Args:
        key: The wrapper's key that holds the list.
        opens: The characters that an item may begin with. `[` in prose begins a list only before one of them or `]`.
        rivals: The keys of an item, if `key` is one of them; with `ANY_KEY` if it may have others, with `NESTED` if its
            own list may hold objects.
    """

    __slots__ = (
        "_at_line_start",
        "_broken",
        "_empty",
        "_ended",
        "_escaped",
        "_fallback",
        "_inner",
        "_key",
        "_key_read",
        "_listed",
        "_loose",
        "_named",
        "_nest",
        "_opener",
        "_opens",
        "_out",
        "_pending",
        "_phase",
        "_prose",
        "_quoted",
        "_remark",
        "_rivals",
        "_saw_item_key",
        "_single",
        "_sure",
        "_tagged",
        "_unmatched_brace",
        "_wrapped",
    )  # fmt: skip

    def __init__(
        self, key: str = "tasks", opens: str = '{["-0123456789tfn', rivals: frozenset[str] = frozenset()
    ) -> None:
        super().__init__()
        self._key, self._rivals = key, rivals
        self._opens = frozenset(opens + "'" if '"' in opens else opens)
        self._phase: _Phase = ItemReader._in_prose
        self._prose, self._nest, self._quoted, self._single = Prose(), Nest(), String(), SingleQuoted()
        self._out: list[Slice]
        self._opener = ""
        self._key_read = Key()
        self._at_line_start = False  # the candidate object began at the start of a line
        self._wrapped = False  # the list is inside a wrapper
        self._listed = False  # a list is open
        self._sure = False  # the list is believed
        self._unmatched_brace = False  # a `}` came that the list cannot hold: perhaps its end was forgotten
        self._remark = Comment()  # a comment between items
        self._pending: list[Slice] = []  # the scalars of a list that is not believed
        self._fallback: list[Slice] | None = None  # those of such a list that came to its end
        self._saw_item_key = False  # a key came that a wrapper has not, but an item
        self._empty = False  # an empty list came under a key that both have
        self._escaped = Escaped()  # JSON inside a JSON string
        self._inner: ItemReader | None = None  # what reads it
        self._ended = self._broken = False  # a list came to its end; a list was left without an end
        self._loose = False  # a loose object was handed out
        self._named: list[Slice] = []  # objects with a name before them: items, if nothing else is one
        self._tagged = False  # one of the names is a tag

    def close(self, *, ended: bool = True) -> list[Slice]:
        out = super().close(ended=ended)
        if self._inner is not None:
            out += self._inner.close(ended=ended)
        if ended and self._fallback is not None and not (self._listed or self.listed or self._loose):
            out += self._fallback
            self._ended = True
        elif ended and not (self.listed or self._loose) and (self._tagged or len(self._named) > 1):
            out += self._named
            self._loose = True
        return out

    @property
    def closed(self) -> bool:
        """Return whether a list reached its `]` and none is open; without a list, whether all objects are closed."""
        if self._inner is not None and (self._inner.listed or self._inner._loose or self._inner.rest):
            return self._inner.closed
        if self._listed or self._broken or (self._from >= 0 and self._at_line_start):
            return False
        return self._ended or self._loose

    @property
    def listed(self) -> bool:
        """Return whether a list came at all; an object outside of it is not an item."""
        inner = self._inner is not None and self._inner.listed
        return inner or self._ended or self._broken or (self._listed and self._sure)

    @property
    def rest(self) -> str:
        """The text of the unfinished item, or of the unfinished object that may prove to be a loose one."""
        if self._inner is not None:
            return self._inner.rest
        return "".join(self._pieces + self._held) if self._from >= 0 or self._phase is _IN_LIST else ""

    def _read(self, text: str) -> list[Slice]:
        out = self._out = []
        index, size = 0, len(text)
        self.looked += size
        # The two phases of nearly all reads have short cuts here, for each call counts.
        if self._phase is _IN_NEST:
            index = self._nest.follow(text, 0)
            if index < 0:
                if self._from >= 0:
                    self._pieces.append(text)
                return out
            index = self._value_ends(text, index)
        elif self._phase is _IN_LIST and self._sure:
            index = self._objects(text, 0)
            if index == size and self._phase is _IN_LIST:
                self.waits_for = "}" if self._held else ""
                return out
        while index < size:
            index = self._phase(self, text, index)
        if self._from >= 0 and size:
            self._pieces.append(text[self._from :] if self._from else text)
            self._from = 0
        phase = self._phase
        if phase is _IN_NEST:
            self.waits_for = self._nest.ends
        elif self._inner is not None:
            self.waits_for = self._inner.waits_for
        else:
            self.waits_for = '"' if phase is _IN_STRING else "}" if self._held else ""
        return out

    def _hand_out(self, text: str, end: int) -> None:
        item = Slice(self._cut(text, end), False)
        if not self._sure:
            if item.text[0] != "{" and item.text[0] != "[":
                self._pending.append(item)
                return
            self._believe()
        self._out.append(item)

    def _believe(self) -> None:
        """Believe the list that is open."""
        self._sure = True
        self._out += self._pending
        self._pending = []

    # Prose, and what may begin there.

    def _in_prose(self, text: str, index: int) -> int:
        prose = self._prose
        index = prose.find(text, index)
        if prose.afresh:
            self._start_afresh()
        if index == len(text):
            return index
        self._opener, self._saw_item_key, self._empty, self._wrapped = text[index], False, False, False
        self._at_line_start = prose.leads if text[index] == "{" else prose.fresh
        if self._opener == "{" and (self._at_line_start or prose.names):
            self._keep(index)
        self._phase = ItemReader._after_opener
        return index + 1

    def _start_afresh(self) -> None:
        """Forget what came: it was a thought."""
        self._fallback, self._ended, self._broken, self._loose = None, False, False, False
        self._named, self._tagged = [], False
        self._out += [AFRESH] * self._prose.afresh
        self._prose.afresh = 0

    def _after_opener(self, text: str, index: int) -> int:
        index = _end(SPACE, text, index)
        if index == len(text):
            return index
        mark = text[index]
        if mark == "\\":
            self._phase = ItemReader._after_backslash
            return index + 1
        if self._opener == "{":
            if mark in "\"'}":
                self._phase = ItemReader._before_key
                return index
        elif mark in self._opens or mark == "]":
            self._open_list(sure=self._at_line_start and mark == '"', wrapped=False)
            return index
        self._forget()
        self._prose.passed(self._opener)
        return index

    def _drop(self, index: int) -> int:
        """Go back to prose, right here: what was a candidate cannot be JSON."""
        self._forget()
        self._prose.spoil()
        return index

    def _forget(self) -> None:
        """Return a candidate up."""
        self._listed = False
        self._from, self._pieces, self._pending = -1, [], []
        self._phase = ItemReader._in_prose

    # JSON inside a JSON string: no backslash follows a bracket elsewhere.

    def _after_backslash(self, text: str, index: int) -> int:
        if text[index] in '"\\':
            self._open_inner(text[index])
            return index + 1
        if text[index] in "nrt":
            self._phase = ItemReader._after_escaped_space
            return index + 1
        return self._drop(index)

    def _after_escaped_space(self, text: str, index: int) -> int:
        index = _end(SPACE, text, index)
        if index < len(text):
            if text[index] == "\\":
                self._phase = ItemReader._after_backslash
                return index + 1
            if self._opener == "{" or text[index] not in self._opens:
                return self._drop(index)
            self._open_inner("")
        return index

    def _open_inner(self, first: str) -> None:
        inner = self._inner = self._like()
        self._escaped = Escaped()
        if not self._prose.leads:
            inner._prose.spoil()
        self._forget()
        self._phase = ItemReader._in_escaped
        self._out += inner.feed(self._opener + first)

    def _like(self) -> ItemReader:
        return type(self)(self._key, "".join(self._opens), self._rivals)

    def _in_escaped(self, text: str, index: int) -> int:
        inner = self._inner
        assert inner is not None  # in a phase of its own
        meant, index = self._escaped.follow(text, index)
        self._out += inner.feed(meant)
        if self._escaped.ended:
            self._out += inner.close(ended=False)
            self._ended, self._loose = self._ended or inner._ended, self._loose or inner._loose
            self._broken = self._broken or inner._broken or (inner._listed and inner._sure)
            self._fallback = self._fallback if inner._fallback is None else inner._fallback
            self._inner, self._phase = None, ItemReader._in_prose
        return index

    def _to_prose(self) -> None:
        """Go back to prose after a whole value: the line is as fresh as it was where the value began."""
        self._phase = ItemReader._in_prose

    # The level of a wrapper, or of an object that stands by itself.

    def _before_key(self, text: str, index: int) -> int:
        index = _end(_BETWEEN, text, index)
        if index == len(text):
            return index
        mark = text[index]
        if mark == '"' or mark == "'":
            self._key_read = Key(mark)
            self._phase = ItemReader._in_key
            return index + 1
        if mark != "}":
            return self._drop(index)
        if self._empty and not (self._saw_item_key or self._loose):  # nothing else tells that it is an item
            self._open_list(sure=True, wrapped=False)
            self._leave_list()
            return index + 1
        if self._from >= 0:
            self._stood_alone(text, index + 1)
        self._to_prose()
        return index + 1

    def _stood_alone(self, text: str, end: int) -> None:
        item = Slice(self._cut(text, end), True)
        if self._at_line_start:
            self._out.append(item)
            self._loose = True
        else:
            self._named.append(item)
            self._tagged = self._tagged or self._prose.names == ">"

    def _in_key(self, text: str, index: int) -> int:
        end = self._key_read.follow(text, index)
        if end < 0:
            return len(text)
        if text[end] not in "\"'":
            return self._drop(end)
        self._phase = ItemReader._after_key
        return end + 1

    def _after_key(self, text: str, index: int) -> int:
        index = _end(SPACE, text, index)
        if index == len(text):
            return index
        if text[index] != ":":
            return self._drop(index)
        self._phase = ItemReader._before_value
        return index + 1

    def _before_value(self, text: str, index: int) -> int:
        index = _end(SPACE, text, index)
        if index == len(text):
            return index
        mark = text[index]
        if self._rivals and (name := self._key_read.name) in self._rivals and name != self._key:
            self._saw_item_key = True
            if self._wrapped and NESTED in self._rivals:  # what was handed out may be a part of an item
                self._ended, self._broken = False, True
        if mark == "[" and not self._saw_item_key and self._key_read.name == self._key:
            if self._rivals:
                self._phase = ItemReader._after_rival
            else:
                self._open_list(sure=True, wrapped=True)
            return index + 1
        if mark == "{" or mark == "[":
            self._nest.start(mark)
            self._phase = ItemReader._in_nest
            return index + 1
        if mark == '"':
            self._phase = ItemReader._in_string
            return index + 1
        if mark == "'":
            self._single = SingleQuoted()
            self._phase = ItemReader._in_single
            return index + 1
        if mark not in _BEGINS_SCALAR:
            return self._drop(index)
        self._phase = ItemReader._in_scalar
        return index

    # The level of a list.

    def _open_list(self, *, sure: bool, wrapped: bool) -> None:
        self._listed, self._sure, self._wrapped = True, False, wrapped
        self._unmatched_brace, self._pending, self._from, self._pieces = False, [], -1, []
        self._phase = ItemReader._in_list
        if wrapped:
            self.edges.append(len(self._out) + 1)
        if sure:
            self._believe()

    def _after_rival(self, text: str, index: int) -> int:
        """Doubt a list under a key that items have, too: it is the wrapper's if what it holds may be items."""
        index = _end(SPACE, text, index)
        if index == len(text):
            return index
        if text[index] == "]":
            self._phase = ItemReader._after_empty
            return index + 1
        if text[index] in self._opens:
            self._open_list(sure=True, wrapped=True)
        else:
            self._nest.start("[")
            self._phase = ItemReader._in_nest
        return index

    def _after_empty(self, text: str, index: int) -> int:
        """Doubt an empty list under such a key: an object that has no other key of an item is the wrapper."""
        index = _end(SPACE, text, index)
        if index < len(text):
            self._phase = ItemReader._before_key
            self._empty = True
            self._saw_item_key = self._saw_item_key or (text[index] != "}" and ANY_KEY in self._rivals)
        return index

    def _after_doubted(self, text: str, index: int) -> int:
        """Go on in a list that is not believed: if neither comma nor end follows a value, it is prose."""
        index = _end(SPACE, text, index)
        if index < len(text):
            if text[index] not in ",]":
                return self._drop(index)
            if self._at_line_start and text[index] == ",":
                self._believe()
            self._phase = ItemReader._in_list
        return index

    def _in_list(self, text: str, index: int) -> int:
        index = self._objects(text, index) if self._sure else _end(_BETWEEN, text, index)
        if index == len(text) or self._phase is _IN_NEST:
            return index
        mark = text[index]
        if mark == "{":
            self._keep(index)
            self._phase = ItemReader._after_first_brace
        elif mark == "[":
            self._keep(index)
            self._nest.start(mark)
            self._phase = ItemReader._in_nest
        elif mark == "]":
            self._leave_list()
        elif mark == "}":
            self._unmatched_brace = self._wrapped
        elif mark == '"':
            self._keep(index)
            self._phase = ItemReader._in_string
        elif mark == "'":
            self._keep(index)
            self._single = SingleQuoted()
            self._phase = ItemReader._in_single
        elif mark == "/" or (mark == "#" and self._sure):
            self._remark = Comment(mark)
            self._phase = ItemReader._in_remark
        elif self._unmatched_brace:
            self._listed, self._broken = False, True
            self._to_prose()
        else:
            self._keep(index)
            self._phase = ItemReader._in_scalar
            return index
        return index + 1

    def _objects(self, text: str, index: int) -> int:
        """Pass over gaps and objects; an object that is whole and has no bracket inside takes one step."""
        size, out, step, last = len(text), self._out, OBJECT.match, text.rfind("}")
        while index < last:
            run: re.Match[str] = step(text, index)  # type: ignore[assignment]  # it matches always
            index, groups = run.end(), run.lastindex
            if groups is None:
                return index
            brace = run.start(1)
            if groups > 1 or index == size or text[index] != "}":
                self._keep(brace)
                self._nest.start_with(run)
                self._phase = ItemReader._in_nest
                return index
            index += 1
            self.looked += index - brace
            out.append(_tuple(Slice, (text[brace:index], False)))
        if index < size:
            index = _end(_BETWEEN, text, index)
        if index < size and text[index] == "{":  # it cannot end in this text: read it when it can
            self._hold(text[index:])
            self.looked -= size - index
            return size
        return index

    def _in_remark(self, text: str, index: int) -> int:
        end = self._remark.follow(text, index)
        if end < 0:
            return len(text)
        self._phase = ItemReader._in_list
        return end

    def _leave_list(self) -> None:
        """Leave a list whose end came."""
        self._listed = False
        if self._sure:
            self._ended = True
        else:
            self._fallback, self._pending = self._pending, []
        if self._wrapped:
            self.edges.append(-len(self._out) - 1)
            self._phase = ItemReader._before_key
        else:
            self._to_prose()

    def _after_first_brace(self, text: str, index: int) -> int:
        """Doubt the first object of a list that is not believed: `[{x}]` is prose."""
        index = _end(SPACE, text, index)
        if index < len(text):
            if text[index] == "\\":
                self._opener = "[{"
                self._phase = ItemReader._after_backslash
                return index + 1
            if not self._at_line_start and text[index] not in "\"'}":
                return self._drop(index)
            self._nest.start("{")
            self._phase = ItemReader._in_nest
        return index

    # A value, of either level.

    def _in_nest(self, text: str, index: int) -> int:
        return self._value_ends(text, self._nest.follow(text, index))

    def _in_string(self, text: str, index: int) -> int:
        return self._value_ends(text, self._quoted.follow(text, index))

    def _in_single(self, text: str, index: int) -> int:
        return self._value_ends(text, self._single.follow(text, index))

    def _in_scalar(self, text: str, index: int) -> int:
        end = _end(SCALAR, text, index)
        if end == len(text):
            return end
        index = self._value_ends(text, end)
        if self._pending and not _LITERAL.fullmatch(self._pending[-1].text):
            return self._drop(index)
        return index

    def _value_ends(self, text: str, end: int) -> int:
        if end < 0:
            return len(text)
        if self._listed:
            self._hand_out(text, end)
            self._phase = ItemReader._in_list if self._sure else ItemReader._after_doubted
        else:
            self._phase = ItemReader._before_key
        return end


_tuple = tuple.__new__  # half the price of Slice(...)
_Phase = Callable[[ItemReader, str, int], int]
_IN_LIST, _IN_NEST, _IN_STRING = ItemReader._in_list, ItemReader._in_nest, ItemReader._in_string


def _end(pattern: re.Pattern[str], text: str, index: int) -> int:
    return pattern.match(text, index).end()  # type: ignore[union-attr]  # these patterns match always


class _Fences(Prose):
    """Knows whether the prose before a bracket opened a fence."""

    __slots__ = ("fenced",)

    def __init__(self) -> None:
        super().__init__()
        self.fenced = False

    def _read(self, text: str, index: int, end: int) -> None:
        super()._read(text, index, end)
        if text.count("```", index, end) % 2:
            self.fenced = not self.fenced


class BestListReader(ItemReader):
    """Cuts the items out of the likeliest list: in a fence before others, in a wrapper before others, then the last.

    The text comes in one piece, and without thoughts. Objects that stand by themselves count if there is no list.
    """

    __slots__ = ("_rank", "_worse")

    def __init__(self, opens: str, rivals: frozenset[str]) -> None:
        super().__init__(opens=opens, rivals=rivals)
        self._prose: _Fences = _Fences()
        self._rank = self._worse = -1  # the best list so far; where the items of one that is worse begin

    def _like(self) -> BestListReader:
        return type(self)("".join(self._opens), self._rivals)

    def _start_afresh(self) -> None:
        self._out.clear()
        self._rank = self._worse = -1
        self._prose.fenced = False
        super()._start_afresh()

    def _believe(self) -> None:
        rank = 2 * self._prose.fenced + self._wrapped
        if rank >= self._rank:
            self._rank = rank
            self._out.clear()
        else:
            self._worse = len(self._out)
        super()._believe()

    def _leave_list(self) -> None:
        super()._leave_list()
        if self._worse >= 0:
            del self._out[self._worse :]
            self._worse = -1

    def _read(self, text: str) -> list[Slice]:
        out = super()._read(text)
        self.edges.clear()  # one list counts: none is a repeat of another
        return out

    def _stood_alone(self, text: str, end: int) -> None:
        super()._stood_alone(text, end)
        if self.listed and self._at_line_start:
            del self._out[-1]
