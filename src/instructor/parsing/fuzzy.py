"""JSON that is nearly right: values with prose and fences around them, strings that hold JSON, and small faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from instructor.parsing import is_json
from instructor.parsing import repair as repairing
from instructor.parsing.repair import Unclear
from instructor.parsing.scanner import CLOSING, MARK, Nest

_LANGUAGE = re.compile(r"[\w-]*\s")
_BEGIN = re.compile(
    r"""```
    |\{(?=\s*(?:\}|(?:"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*'|\w+)\s*:))
    |\[(?=\s*[\]{\["'\-\dtfnTFN])""",
    re.VERBOSE,
)
_PATIENCE = 8
_NOTHING = re.compile(
    r"""(?:[\s\x00-\x1f\ufeff\u200b;,)}\]"'`~]|</?[A-Za-z][\w:-]*>|\[/?[A-Z_]{2,20}\]"""
    r"""|<[|\uff5c][^<>\s]{1,60}>(?:assistant|user|system)?)*"""
)
"""What is not part of an answer: white space, surplus marks, a fence, tags and the tokens that servers leave."""
_FIELD = re.compile(r"""\s*["'][^"'\n]{1,80}["']\s*:""")
_MARK = re.compile(
    r"""[{}]|(?P<field>(?<!\w)["'][\w $.-]{1,80}["']\s*:\s*(?:["'{\[\d-]|(?:true|false|null|True|False|None)\b))"""
)
_CLOSING = " \t\r\n}],;`"
_decode = json.JSONDecoder().raw_decode
_FIRST = re.compile(r"\s*([\"}])")
_COLON = re.compile(r"\s*:\s*")
_NEXT = re.compile(r'\s*(?:(\})|,\s*")')
_ESCAPED = re.compile(r'[{\[]\s*(?:\{\s*)?\\"')


def repair(slice_: str) -> str | None:
    """Return valid JSON for a closed value with small faults, or None where its meaning is not plain."""
    try:
        return mended(slice_)
    except Unclear:
        return None


def mended(slice_: str) -> str:
    """Return valid JSON for a closed value with small faults; raise `Unclear` where its meaning is not plain."""
    if is_json(slice_):
        return slice_
    value = _bare(slice_)
    if value is not slice_ and is_json(value):
        return value
    written = repairing.mended(value)
    if not is_json(written):  # half an emoji, say
        raise Unclear
    return written


def _bare(text: str) -> str:
    """Take the fence, the byte order mark and the white space from around a value."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and len(text) > 5:
        text = text[3:-3]
        if language := _LANGUAGE.match(text):
            text = text[language.end() :]
    return text.strip().lstrip("\ufeff").lstrip()


class Found(NamedTuple):
    """A complete object or array in a text: where it begins and ends, and where the fence ends that it stands in."""

    text: str
    begin: int
    end: int
    fence: int = -1
    """The index of the fence that closes the one it stands in, or of the text's end; -1 for what stands in none."""


def values(text: str, opens: str = "{[") -> list[str]:
    """Return the complete objects and arrays in a text, in order, those in fences last.

    A text that is one JSON value, whatever its kind, is returned as it is.
    """
    parts = found(text, opens)
    return [part.text for part in parts if part.fence < 0] + [part.text for part in parts if part.fence >= 0]


def found(text: str, opens: str = "{[") -> list[Found]:
    """Find the complete objects and arrays in a text, in order.

    `opens` says which of the two kinds count. A text that is one JSON value of any kind is found as it is. What a
    reasoning model thinks first is not part of the answer. A bracket that is never closed is prose. Only a few of them
    are allowed, because each costs a look at the whole rest. If the text or a fence begins with such a bracket, the
    answer is not complete, and none is found: a part of it is another value.
    """
    if is_json(text):
        return [Found(text, 0, len(text))]
    text = spoken(text)
    ends, index, fence, unclosed = _Ends(text), 0, -1, 0
    parts: list[Found] = []
    while unclosed < _PATIENCE and (begin := _BEGIN.search(text, index)):
        index = begin.end()
        if begin[0] == "```":
            closing = text.find("```", index)
            fence = -1 if fence >= 0 else len(text) if closing < 0 else closing
        elif begin[0] in opens:
            end = ends.after(begin.start())
            if end < 0:
                if fence >= 0 or not text[: begin.start()].strip():
                    return []  # this is the answer, and not whole: a part of it is not to be taken for it
                unclosed += 1
            else:
                parts.append(Found(text[begin.start() : end], begin.start(), end, fence))
                index = end
    return parts


class _Ends:
    """Finds where the values of one text end."""

    def __init__(self, text: str) -> None:
        self._text, self._nest, self._failed = text, Nest(), 0

    def after(self, begin: int) -> int:
        """Return the index after the value that begins here, or -1 if it has no end.

        Brackets tell where JSON ends. In what is not quite JSON they may stand in strings with other quotes, so that is
        read. Reading that fails is done again a few times only: each time may cost a look at the whole rest.
        """
        text, nest = self._text, self._nest
        nest.start(text[begin])
        end = nest.follow(text, begin + 1)
        if self._failed == _PATIENCE or (end >= 0 and is_json(text[begin:end])):
            return end
        mender = repairing.Mender(text, begin)
        try:
            mender.read()
        except Unclear:
            self._failed += 1
            return end
        return mender.end


def spoken(text: str) -> str:
    """Return a text with blanks in the place of what a reasoning model thought; a mark inside JSON is data.

    All before a closing mark that was never opened is a thought: the prompt's template had opened it.
    """
    mark = MARK.search(text)
    if mark is None:
        return text
    nest, index, unclosed, begin = Nest(), 0, 0, _BEGIN.search(text)
    parts: list[str] = []
    known = 0  # the index up to which the parts go
    while mark:
        while begin and begin.start() < index:
            begin = _BEGIN.search(text, index)
        if begin and begin.start() < mark.start():
            index = begin.end()
            if begin[0] != "```" and unclosed < _PATIENCE:
                nest.start(begin[0])
                end = nest.follow(text, index)
                unclosed += end < 0
                index = max(index, end)
        else:
            closing = CLOSING.get(mark[0].lower())
            closed = closing.search(text, mark.end()) if closing else mark
            index = closed.end() if closed else len(text)
            if closing is None:
                parts = [" " * index]
            else:
                parts += (text[known : mark.start()], " " * (index - mark.start()))
            known = index
        if mark.start() < index:
            mark = MARK.search(text, index)
    return "".join(parts) + text[known:]


def left_over(text: str, parts: Sequence[Found]) -> str:
    """Return what stands beside the value that a text holds, and may be a part of the answer; empty if nothing may.

    The same value once more is nothing. Prose before the value is passed over.
    """
    if _FIELD.match(text, 0, parts[0].begin):
        return text[: parts[0].begin]
    index, first = parts[0].end, ""
    for part in parts[1:]:
        first = first or meaning(parts[0].text)
        if not _NOTHING.fullmatch(text, index, part.begin) or meaning(part.text) != first:
            break
        index = part.end
    return "" if _NOTHING.fullmatch(text, index) else text[index:]


def torn_off(text: str, part: Found, parts: Sequence[Found]) -> str:
    """Return what stands beside a value in prose and was to be a part of it: more fields, or its closing bracket."""
    begin, end = 0, len(text)
    if part.fence >= 0:
        begin, end = text.rfind("```", 0, part.begin) + 3, part.fence
        if language := _LANGUAGE.match(text, begin):
            begin = language.end()
    if _FIELD.match(text, begin, part.begin):
        return text[begin : part.begin]
    gaps = pairwise([*(other for other in parts if part.end <= other.end <= end), Found("", end, end)])
    after = " ".join(text[one.end : other.begin] for one, other in gaps).lstrip(_CLOSING)
    depth = 0
    for mark in _MARK.finditer(after):
        depth += (mark[0] == "{") - (mark[0] == "}")
        if mark["field"] or depth < 0:
            return text[part.end : end]
    return ""


def meaning(text: str) -> str:
    """Write a value in the one way that all texts of the same value have; unchanged if it is not JSON."""
    whole = repair(text)
    if whole is None:
        return text
    try:
        value = json.loads(whole, parse_float=lambda number: f"\0{Decimal(number).normalize()}")
        return json.dumps(value, sort_keys=True)
    except (ValueError, RecursionError, ArithmeticError):
        return whole


def members(text: str) -> dict[str, str] | None:
    """Return the values of an object by their keys, each as it is written; None if the text is not a JSON object."""
    index = text.find("{") + 1
    if not index or text[: index - 1].strip():
        return None
    found: dict[str, str] = {}
    try:
        more = _FIRST.match(text, index)
        while more and more[1] != "}":
            key, index = _decode(text, more.end() - 1)
            colon = _COLON.match(text, index)
            if colon is None:
                return None
            _, end = _decode(text, colon.end())
            found[key] = text[colon.end() : end]
            more = _NEXT.match(text, end)
    except (ValueError, RecursionError):
        return None
    return found if more and not text[more.end() :].strip() else None


def inner(text: str) -> str | None:
    r"""Return the JSON that a string of JSON holds, `"{\"a\": 1}"`, with its quotes or without; None for others."""
    value = _bare(text)
    if _ESCAPED.match(value):
        value = f'"{value}"'
    if value[:1] not in ('"', "'"):
        return None
    whole = repair(value)
    try:
        held, end = _decode(whole or value)
    except ValueError:
        return None
    if whole is None and not _NOTHING.fullmatch(value, end):
        return None
    if not isinstance(held, str) or held.strip()[:1] not in ("{", "[", '"', "`"):
        return None
    parts = found(held)
    return parts[0].text if parts and not left_over(held, parts) else held


_ERRORS = 5
"""Characters in which a quote may differ from its place, and no more than one of its four."""
_CUTS = 100
"""How often the length of the text may be cut out around pieces; beyond, errors are counted in all of it."""


def place_of(quote: str, text: str) -> tuple[int, int] | None:
    """Find the first of the places that are most like a quote; None where no place is like it."""
    start = text.find(quote)
    if start >= 0:
        return (start, start + len(quote)) if quote else None
    allowed = min(_ERRORS, len(quote) // 4)
    if not allowed or len(quote) > len(text) + allowed:
        return None
    nearest = (allowed + 1, 0)
    for begin, part in _likely(quote, text, allowed):
        errors, end = min(_distances(quote, part, anchored=False))
        nearest = min(nearest, (errors, begin + end))
    errors, end = nearest
    if errors > allowed:
        return None
    # Backwards from there, the place begins where as few errors are counted; as long as the quote, if it may be.
    before = text[max(0, end - len(quote) - errors) : end][::-1]
    lengths = [length for count, length in _distances(quote[::-1], before, anchored=True) if count == errors]
    return end - min(lengths, key=lambda length: abs(length - len(quote))), end


def _likely(quote: str, text: str, allowed: int) -> Iterator[tuple[int, str]]:
    """Yield the parts of a text in which a place with so many errors may be; of equal parts the first."""
    counts = (allowed + 2, len(quote) // 2)
    finer = [(_pieces(quote, count), count - allowed) for count in counts if count > allowed + 1]
    width, left = len(quote) + 2 * allowed, _CUTS * len(text)
    found: dict[str, int] = {}
    for offset, piece in _pieces(quote, allowed + 1):
        at = text.find(piece)
        while at >= 0:
            begin = max(0, at - offset - allowed)
            part = text[begin : at - offset - allowed + width]
            found[part] = min(begin, found.get(part, begin))
            left -= width
            if left < 0:
                yield 0, text
                return
            at = text.find(piece, at + 1)
    likely = [
        (begin, part)
        for part, begin in found.items()
        if all(sum(piece in part for _, piece in pieces) >= least for pieces, least in finer)
    ]
    if sum(len(part) for _, part in likely) > len(text):
        yield 0, text
    else:
        yield from likely


def _pieces(quote: str, count: int) -> list[tuple[int, str]]:
    """Cut a quote into so many pieces, each with its place: of one more than the errors one has none."""
    indices = [len(quote) * at // count for at in range(count + 1)]
    return [(begin, quote[begin:end]) for begin, end in pairwise(indices)]


def _distances(quote: str, text: str, *, anchored: bool) -> Iterator[tuple[int, int]]:
    """Yield for each index of a text the edits between a quote and what ends there; anchored, all that ends there.

    Myers' algorithm: the differences between neighbouring counts of a column are bits of two numbers (G. Myers, "A fast
    bit-vector algorithm for approximate string matching", 1999), so the work is the text's length.
    """
    bits: dict[str, int] = {}
    for at, character in enumerate(quote):
        bits[character] = bits.get(character, 0) | 1 << at
    every, top, count = (1 << len(quote)) - 1, 1 << len(quote) >> 1, len(quote)
    more, less = every, 0
    for end, character in enumerate(text, 1):
        equal = bits.get(character, 0)
        down = equal | less
        across = (((equal & more) + more) ^ more) | equal
        up, fewer = (less | ~(across | more)) & every, more & across
        count += bool(up & top) - bool(fewer & top)
        up, fewer = (up << 1 | anchored) & every, fewer << 1 & every
        more, less = (fewer | ~(down | up)) & every, up & down
        yield count, end


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL)
_DIGITS = 400
"""An integer of more digits is left as it is: `1e999999999` would fill the memory."""


@dataclass(frozen=True, slots=True)
class _Number:
    """A number with a point or an exponent: its place among all of its kind in a text."""

    index: int


def as_integers(text: str, paths: Iterable[tuple[int | str, ...]]) -> str | None:
    """Return the JSON text with the numbers at these paths written as integers, or None if none of them can be.

    The value stays exactly what it was. A step of a path that leads nowhere, the name of a union's member, is skipped.
    """
    written: list[str] = []

    def noted(number: str) -> _Number:
        written.append(number)
        return _Number(len(written) - 1)

    try:
        value = json.loads(text, parse_float=noted)
    except (ValueError, RecursionError):
        return None
    found = [number for number in (_at(value, path) for path in paths) if isinstance(number, _Number)]
    indices = [number.index for number in found]
    integers = {index: integer for index in indices if (integer := _integer(written[index])) is not None}
    if not integers:
        return None
    count = -1

    def put(token: re.Match[str]) -> str:
        nonlocal count
        number = token[0]
        if number[0] == '"' or number.lstrip("-").isdigit():
            return number
        count += 1
        return integers.get(count, number)

    return _TOKEN.sub(put, text)


_LITERAL = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?', re.DOTALL)


def opened(text: str, inner: Sequence[str]) -> str | None:
    """Return a JSON text in which strings that are the JSON of an object or an array are replaced by that; else None.

    Only values are replaced, and only if it is certain which ones: if no other string of the text has the same content.
    """
    wanted = {each for each in inner if each.strip()[:1] in ("{", "[") and is_json(each)}
    if not wanted:
        return None
    seen: list[str] = []
    shortest = min(map(len, wanted))

    def replaced(found: re.Match[str]) -> str:
        if found[2] or len(found[1]) < shortest:  # a key, or too short
            return found[0]
        try:
            value = json.loads(found[1], strict=False)
        except ValueError:
            return found[0]
        if value not in wanted:
            return found[0]
        seen.append(value)
        return str(value)

    whole = _LITERAL.sub(replaced, text)
    return whole if seen and all(seen.count(each) <= inner.count(each) for each in wanted) else None


def _at(value: Any, path: tuple[int | str, ...]) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step), value)
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
    return value


def _integer(number: str) -> str | None:
    exact = Decimal(number)
    if not exact:
        return "0"
    return str(int(exact)) if exact.adjusted() < _DIGITS and exact == int(exact) else None
