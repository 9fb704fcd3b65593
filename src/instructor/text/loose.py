"""JSON that is nearly right: values with prose and fences around them, and small faults inside them.

A library does the repair; this file decides whether to believe it. It is believed if the brackets that open, the
strings, the numbers and the literals are the same, in the same order, before and after: only punctuation has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import jiter

from instructor.text.scan import CLOSING, MARK, Nest, paired, unescaped

_LANGUAGE = re.compile(r"[\w-]*\s")
_TOKEN = re.compile(
    r"""(?P<skip>[\s,:}\]\ufeff]+|//[^\n]*|\#[^\n]*|/\*.*?\*/)
    |(?P<open>[{\[])
    |"(?P<double>[^"\\]*(?:\\.[^"\\]*)*)"
    |'(?P<single>[^'\\]*(?:\\.[^'\\]*)*)'
    |(?P<number>[-+]?(?:0|[1-9]\d*|(?=\.\d))(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<word>[^\W\d]\w*)(?P<key>\s*:)?""",
    re.DOTALL | re.VERBOSE,
)
_LITERALS = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null"}
_BEGIN = re.compile(
    r"""```
    |\{(?=\s*(?:\}|(?:"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*'|\w+)\s*:))
    |\[(?=\s*[\]{\["'\-\dtfnTFN])""",
    re.VERBOSE,
)
_UNCLOSED = 8


def repair(slice_: str) -> str | None:
    """Give valid JSON for a closed value with small faults, or None where its meaning is not plain."""
    if is_json(slice_):
        return slice_
    value = _bare(slice_)
    if value[:1] in ("{", "["):
        nest = Nest()
        nest.start(value[0])
        if nest.follow(value, 1) != len(value):
            return None
        listed = value
    else:  # the library reads prose around brackets, and would not take a scalar by itself
        listed = f"[{value}]"
    from json_repair import repair_json  # here, because few replies need it and it takes its time to load

    try:
        repaired = paired(repair_json(listed, skip_json_loads=True, strict=True, ensure_ascii=False))
        mended = repaired if listed is value else repaired[1:-1]
        if is_json(mended) and list(_told(repaired)) == list(_told(listed)):
            return mended
    except (ValueError, RecursionError, ArithmeticError):
        pass
    return None


def _bare(text: str) -> str:
    """Take the fence, the byte order mark and the white space from around a value."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and len(text) > 5:
        text = text[3:-3]
        if language := _LANGUAGE.match(text):
            text = text[language.end() :]
    return text.strip().lstrip("\ufeff").lstrip()


def values(text: str, opens: str = "{[") -> list[str]:
    """Give the complete objects and arrays in a text, in order, those in fences last: they are the likelier answers.

    `opens` says which of the two kinds count. A text that is one JSON value, whatever its kind, is given as it is. What
    a reasoning model thinks first is no part of the answer. A bracket that is never closed is prose; only a few of them
    are forgiven, for each costs a look at the whole rest. But if the text or a fence begins with it, the answer is not
    whole, and none is given: a part of it is another value.
    """
    if is_json(text):
        return [text]
    text = spoken(text)
    nest, place, fence, unclosed = Nest(), 0, False, 0
    bare: list[str] = []
    fenced: list[str] = []
    while unclosed < _UNCLOSED and (begin := _BEGIN.search(text, place)):
        place = begin.end()
        if begin[0] == "```":
            fence = not fence
        elif begin[0] in opens:
            nest.start(begin[0])
            end = nest.follow(text, place)
            if end < 0:
                if fence or not text[: begin.start()].strip():
                    return []  # this is the answer, and not whole: a part of it is not to be taken for it
                unclosed += 1
            else:
                (fenced if fence else bare).append(text[begin.start() : end])
                place = end
    return bare + fenced


def spoken(text: str) -> str:
    """Return a text with blanks in the place of what a reasoning model thought; a mark inside JSON is data.

    All before a closing mark that was never opened is a thought: the prompt's template had opened it.
    """
    mark = MARK.search(text)
    if mark is None:
        return text
    nest, place, unclosed, begin = Nest(), 0, 0, _BEGIN.search(text)
    parts: list[str] = []
    known = 0  # the place up to which the parts go
    while mark:
        while begin and begin.start() < place:
            begin = _BEGIN.search(text, place)
        if begin and begin.start() < mark.start():
            place = begin.end()
            if begin[0] != "```" and unclosed < _UNCLOSED:
                nest.start(begin[0])
                end = nest.follow(text, place)
                unclosed += end < 0
                place = max(place, end)
        else:
            closing = CLOSING.get(mark[0].lower())
            closed = closing.search(text, mark.end()) if closing else mark
            place = closed.end() if closed else len(text)
            if closing is None:
                parts = [" " * place]
            else:
                parts += (text[known : mark.start()], " " * (place - mark.start()))
            known = place
        if mark.start() < place:
            mark = MARK.search(text, place)
    return "".join(parts) + text[known:]


def is_json(text: str) -> bool:
    """Tell whether a text is one JSON value and nothing else."""
    try:
        jiter.from_json(text.encode())
    except ValueError:
        return False
    return True


def _told(text: str) -> Iterator[tuple[str, object]]:
    """Say what a text tells, beside punctuation and comments."""
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError("no token of JSON or of what is nearly JSON")
        place = token.end()
        if token["open"]:
            yield "open", token["open"]
        elif token["number"]:
            yield "number", Decimal(token["number"])
        elif token["word"]:
            word = token["word"]
            yield ("string", word) if token["key"] else ("literal", _LITERALS.get(word, word))
        elif not token["skip"]:
            inside = token["single"] if token["double"] is None else token["double"]
            yield "string", unescaped(inside)
