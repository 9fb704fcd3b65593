"""The linear scanner: what is known about JSON's characters, resumable anywhere.

Each pattern here matches always and never steps back, so a character is looked at once however the text is cut; all
loops over characters run inside the regular expression engine. Strings end at an unescaped quote and may hold anything,
raw line ends included. A bracket that closes a bracket further out closes what lies between as well; one that closes
nothing is passed over. This file knows no wrapper, no list of items and no values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

SPACE = re.compile(r"[\s\ufeff]*")
"""White space, and the byte order mark that some models write before JSON."""

SCALAR = re.compile(r'[^\s,{}\[\]"]*')
"""A number, a literal, or what stands in the place of one."""

# From anywhere outside strings to the next bracket outside strings, or into a string that is long or holds an escape:
# then the group takes part. Both ways out are needed so that the pattern never steps back, and the engine reads long
# strings forty times slower than `str.find` does. Repetitions are bounded, for the engine remembers each: without a
# bound its memory, and with it the time, grows faster than the text.
# Outside strings JSON has none of `'`, `#` and `/`: to stop at them, too, costs nothing.
_TO_BRACKET = r"""[^"'#/{}\[\]]*(?:"[^"\\]{0,40}(?:"[^"'#/{}\[\]]*|(?P<inside>))){0,500}"""
_BRACKET = re.compile(_TO_BRACKET, re.DOTALL)
OBJECT = re.compile(rf"[\s,\ufeff]*(?:(?P<brace>\{{){_TO_BRACKET})?", re.DOTALL)
"""The gap before an element of a list and, if it is an object, the object up to its first inner bracket or its end."""
_ESCAPES = re.compile(
    r'[^"\\]{0,60}(?:\\.[^"\\]{0,60}){0,500}', re.DOTALL
)  # where there is one, there are many: faster
_KEY = re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*', re.DOTALL)
_SINGLE_KEY = re.compile(r"[^'\\\n{}\[\]]*(?:\\.[^'\\\n{}\[\]]*)*", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_decode = json.JSONDecoder(strict=False).decode
_SINGLE = re.compile(r"[^'\\\n]*(?:\\.[^'\\\n]*){0,500}")
_ESCAPED_RUN = re.compile(r'[^"\\\n]*(?:\\(?:u[0-9a-fA-F]{4}|[^u\n])[^"\\\n]*){0,500}')
_HALF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_BLANK = re.compile(r"[\s,\ufeff]*")


class Thought(NamedTuple):
    """The marks of one way to write what a reasoning model says to itself before its answer.

    `alone`: the closing marks that tell, without an opening one, that all before them was a thought; templates of
    prompts end with the opening mark, and then the reply begins inside the thought.
    """

    opens: tuple[str, ...]
    closes: tuple[str, ...]
    alone: tuple[str, ...]


def _tagged(*names: str) -> Thought:
    closes = tuple(f"</{name}>" for name in names)
    return Thought(tuple(f"<{name}>" for name in names), closes, closes)


THOUGHTS = (
    _tagged("think", "thinking"),
    _tagged("thought", "thoughts", "thought_process", "inner_thoughts", "chain_of_thought"),
    _tagged("antthinking"),
    _tagged("inner_monologue", "internal_monologue"),
    _tagged("reasoning", "reason"),
    _tagged("reflection"),
    _tagged("scratchpad"),
    _tagged("seed:think", "longcat_think"),
    Thought(("[THINK]",), ("[/THINK]",), ("[/THINK]",)),
    Thought(("◁think▷",), ("◁/think▷",), ("◁/think▷",)),
    Thought(("<|begin_of_thought|>",), ("<|end_of_thought|>",), ("<|end_of_thought|>",)),
    Thought(("<|START_THINKING|>",), ("<|END_THINKING|>",), ("<|END_THINKING|>",)),
    Thought(("<unused94>",), ("<unused95>",), ("<unused95>",)),
    Thought(("<|inner_prefix|>",), ("<|inner_suffix|>",), ("<|inner_suffix|>",)),
    Thought(  # harmony's channels: what follows a mark up to `<|message|>` is prose without brackets
        ("<|channel|>analysis",),
        ("<|end|>", "<|channel|>final", "<|channel|>commentary"),
        (),
    ),
)
"""Without regard to case."""


def _any_of(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, marks)), re.IGNORECASE | re.ASCII)


CLOSING = {mark.lower(): _any_of(thought.closes) for thought in THOUGHTS for mark in thought.opens}
"""What closes the thought that a mark, in small letters, opens."""
_ALONE = [mark for thought in THOUGHTS for mark in thought.alone]
MARK = _any_of([*CLOSING, *_ALONE])
"""A mark that opens a thought, or that closes one by itself."""
_HALVES = frozenset(mark.lower()[:n] for mark in (*CLOSING, *_ALONE) for n in range(1, len(mark)))
_LONGEST = max(len(mark) for thought in THOUGHTS for marks in thought for mark in marks)
_STOP = re.compile(r"[{\[<◁]")  # a bracket, or the first character of a mark

_LEAD = re.compile(
    r"""(?:
        (?!\*\*[^*\s])[^\w()\[\]{}<"'`\\\x00]  # white space, and signs that begin or part lines
        | \(?\d{1,4}(?!\w)\)?
        | and\b
        | \(?[A-Za-z][.)](?=\s)
        | \[(?:[ xX]?|\d{1,4})\]
        | \*\*[^*\s][^*\n]{0,59}\*\* | __[^_\n]{1,60}__
        | data:
        | <\|\w{1,30}\|>(?:[^<>|\n]{1,60}(?=<\|))?  # tokens of a template, with the names between them
    )*["`\\]*\s*""",
    re.VERBOSE,
)  # no two of these begin with the same: else a line that is none would cost more with each of them
_LONGEST_LEAD = 120
_NO_ANSWER = re.compile(r"\b(?:examples?|schema|format|template|input|draft|like|e\.g)\b", re.IGNORECASE)
"""Words before an object that is not part of the answer."""
_SPOILT = "\0"


def unescaped(inside: str) -> str:
    """Decode the inside of a string; an escape that JSON has not stands for its characters, but for `\\'`."""
    if "\\" not in inside:
        return inside
    try:
        return str(_decode(f'"{inside}"'))
    except ValueError:
        return paired(_ESCAPE.sub(_meant, inside))


def paired(text: str) -> str:
    """Join surrogates that stand side by side to the character they mean."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _meant(escape: re.Match[str]) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    return _ESCAPED.get(escape[2], escape[0])


class String:
    """Follows one string to its closing quote."""

    __slots__ = ("escaped",)

    def __init__(self) -> None:
        self.escaped = False
        """The text so far ends inside an escape."""

    def follow(self, text: str, index: int) -> int:
        """Go on at `index`, inside the string; return the index after the closing quote, or -1 if it has not come."""
        begin = index + self.escaped
        while (end := text.find('"', begin)) > begin and text[end - 1] == "\\":
            if slashes(text, begin, end) % 2 == 0:
                break
            begin = _ESCAPES.match(text, end + 1).end()  # type: ignore[union-attr]  # it matches always
        self.escaped = end < 0 and slashes(text, begin, len(text)) % 2 == 1
        return end + 1 or -1


def slashes(text: str, begin: int, end: int) -> int:
    """Count the backslashes right before `end`."""
    index = end
    while index > begin and text[index - 1] == "\\":
        index -= 1
    return end - index


class Key:
    """Reads one key of an object, in double quotes or in Python's single ones."""

    __slots__ = ("_escaped", "_pattern", "_pieces")

    def __init__(self, quote: str = '"') -> None:
        self._pattern = _KEY if quote == '"' else _SINGLE_KEY
        self._pieces: list[str] = []
        self._escaped = False

    def follow(self, text: str, index: int) -> int:
        """Go on at `index`, inside the key; return the index of its closing quote, or -1 if it has not come.

        No key holds a line end, and none in single quotes a bracket: its place is given where it comes first.
        """
        end = self._pattern.match(text, index + self._escaped).end()  # type: ignore[union-attr]  # it matches always
        self._escaped = end < len(text) and text[end] == "\\"
        if self._escaped:
            end += 1
        self._pieces.append(text[index:end])
        return -1 if end == len(text) else end

    @property
    def name(self) -> str:
        """What was read."""
        return unescaped("".join(self._pieces))


class SingleQuoted:
    """Follows one string in single quotes, as Python writes them, to its closing quote; none goes over lines."""

    __slots__ = ("_escaped",)

    def __init__(self) -> None:
        self._escaped = False

    def follow(self, text: str, index: int) -> int:
        """Go on at `index`, inside the string; return the index after its end, or -1 if it has not come."""
        index += self._escaped
        size = len(text)
        while True:
            index = _SINGLE.match(text, index).end()  # type: ignore[union-attr]  # it matches always
            self._escaped = index == size - 1 and text[index] == "\\"
            if index >= size or self._escaped:
                return -1
            if text[index] != "\\":  # else the pattern had enough
                return index + (text[index] == "'")
            if text[index + 1] == "\n":
                return index + 1


class Escaped:
    """Reads JSON that stands inside a JSON string, up to the quote or to a line's end, which no such string holds."""

    __slots__ = ("_half", "ended")

    def __init__(self) -> None:
        self._half = ""  # an escape, as far as it came
        self.ended = False
        """Whether the quote or line end came."""

    def follow(self, text: str, index: int) -> tuple[str, int]:
        """Go on at `index`; return what the characters up to the end mean, and the index after it."""
        before = len(self._half)
        inside = self._half + text[index:]
        end, size = 0, len(inside)
        while True:
            begin, end = end, _ESCAPED_RUN.match(inside, end).end()  # type: ignore[union-attr]  # it matches always
            if end == size or inside[end] != "\\" or _HALF_ESCAPE.match(inside, end):
                break
            end += end == begin  # an escape that JSON has not; else the pattern had enough
        self.ended = end < size and inside[end] != "\\"
        half = _HALF_PAIR.search(inside, max(end - 6, 0), end)
        whole = half.start() if half and not self.ended and slashes(inside, 0, half.start()) % 2 == 0 else end
        self._half = "" if self.ended else inside[whole:]
        if not self.ended:
            return unescaped(inside[:whole]), len(text)
        return unescaped(inside[:end]), index - before + end + (inside[end] == '"')


class Nest:
    """Follows one object or array to its closing bracket. Knows the strings and comments of other languages, too."""

    __slots__ = ("_before", "_braces", "_inside", "_open", "_quoted", "ends")

    def __init__(self) -> None:
        self._open: list[str] = []
        self._braces = 0  # how many of the open ones are braces: a search for one that is not there would not be linear
        self._quoted = String()
        self._inside: String | SingleQuoted | Comment | None = None  # the string or comment that is open
        self._before = ""  # the last character of the text before that is not white space
        self.ends = ""
        """The bracket that can close the value; before it comes nothing is decided."""

    def start(self, opener: str) -> None:
        """Begin with this bracket, just read."""
        self.ends = "}" if opener == "{" else "]"
        self._open, self._braces, self._inside, self._before = [opener], int(opener == "{"), None, opener

    def follow(self, text: str, index: int) -> int:
        """Go on at `index`, inside the brackets; return the index after the closing one, or -1 if it has not come."""
        match, size = _BRACKET.match, len(text)
        while True:
            if self._inside is not None:
                index = self._inside.follow(text, index)
                if index < 0:
                    return -1
            run: re.Match[str] = match(text, index)  # type: ignore[assignment]  # it matches always
            index = run.end()
            if run.lastindex is not None:
                self._inside = self._quoted
                continue
            self._inside = None
            if index == size:
                self._before = _last(text, size) or self._before
                return -1
            mark = text[index]
            if mark == '"':  # the pattern had enough
                continue
            index += 1
            if mark == "{" or mark == "[":
                self._open.append(mark)
                self._braces += mark == "{"
            elif mark == "}" or mark == "]":
                if self._close(mark):
                    return index
            else:
                self._inside = self._foreign(mark, text, index - 1)

    def start_with(self, run: re.Match[str]) -> None:
        """Begin with a brace and what `OBJECT` found after it; go on at its end."""
        self.ends, self._open, self._braces, self._before = "}", ["{"], 1, "{"
        self._inside = None if run["inside"] is None else self._quoted

    def _foreign(self, mark: str, text: str, index: int) -> SingleQuoted | Comment | None:
        """Return what a character foreign to JSON begins: a string where one may stand, or a comment."""
        before = _last(text, index) or self._before
        if mark == "'":
            return SingleQuoted() if before in "{[,:" else None
        return None if before == ":" else Comment(mark, doubted=True)

    def _close(self, bracket: str) -> bool:
        """Close what this bracket closes; tell whether that was the outermost."""
        still, opener = self._open, "{" if bracket == "}" else "["
        if still[-1] != opener:
            if not (self._braces if opener == "{" else len(still) - self._braces):
                return False
            while still[-1] != opener:
                self._braces -= still.pop() == "{"
        still.pop()
        self._braces -= opener == "{"
        return not still


def _last(text: str, end: int) -> str:
    """Return the last character before `end` that is not white space."""
    while end > 0 and text[end - 1].isspace():
        end -= 1
    return text[end - 1 : end]


class Comment:
    """Follows a comment to its end. `doubted`: a `#` before a letter or digit begins none."""

    __slots__ = ("_doubted", "_mark", "_seen")

    def __init__(self, mark: str = "/", *, doubted: bool = False) -> None:
        self._mark, self._doubted = mark, doubted
        self._seen = ""  # as far as it decides where the comment ends

    def follow(self, text: str, index: int) -> int:
        """Go on at `index`, after the first character; return the index after the end, or -1 if it has not come.

        What proves to be no comment ends at once.
        """
        if not self._seen:
            if index == len(text):
                return -1
            second = text[index]
            if self._mark == "#":
                if self._doubted and second.isalnum():
                    return index
                self._seen = "/"
            elif second != "/" and second != "*":
                return index
            else:
                self._seen = second
                index += 1
        line = self._seen[0] == "/"
        while (end := text.find("\n" if line else "/", index)) >= 0:
            if line or (text[end - 1] if end > index else self._seen[1:]) == "*":
                return end + 1
            self._seen, index = self._seen[0], end + 1
        if index < len(text):
            self._seen = self._seen[0] + text[-1]
        return -1


class Prose:
    """Finds the brackets in prose with which JSON may begin.

    Quotes mean nothing in prose, and what a model thinks is passed over.
    """

    __slots__ = ("_closing", "_line", "_seen", "afresh")

    def __init__(self) -> None:
        self.afresh = 0
        """How many marks were met, since this was last set to 0, that tell that all before was a thought."""
        self._line = ""  # what stands between the start of the line and here, without values and leading white space
        self._closing: re.Pattern[str] | None = None  # what ends the thought that is open
        self._seen = ""  # the end of the text so far, where a mark may have begun

    @property
    def fresh(self) -> bool:
        """Return whether only white space, commas and values stand between the start of the line and here."""
        return not self._line

    @property
    def leads(self) -> bool:
        """Return whether only the beginning of a list line stands there: a bullet, a number, a name in bold."""
        line = self._line
        return not line or (len(line) < _LONGEST_LEAD and _LEAD.fullmatch(line) is not None)

    @property
    def names(self) -> str:
        """The mark with which a name ends that stands right before here, `:` or a tag's `>`; empty if none does."""
        line = self._line.rstrip()
        named = line.endswith((":", ">")) and len(line) < _LONGEST_LEAD and not _NO_ANSWER.search(line)
        return line[-1:] if named else ""

    def spoil(self) -> None:
        """Note that words stand on this line."""
        self._line = _SPOILT

    def passed(self, bracket: str) -> None:
        """Take back a bracket, the last character found, that begins no JSON: it may begin a mark."""
        if bracket == "[":
            self._seen = bracket
        else:
            self._line = _SPOILT

    def find(self, text: str, index: int) -> int:
        """Return the index of the next opening bracket, or the length of the text."""
        if self._seen or self._closing:
            index = self._resumed(text, index)
        while True:
            found = _STOP.search(text, index)
            end = found.start() if found else len(text)
            if end > index:
                self._read(text, index, end)
            if found is None or text[end] == "{":
                return end
            met = MARK.match(text, end)
            if met is not None:
                index = self._marked(met[0], text, met.end())
            elif text[end] == "[":
                return end
            elif len(text) - end < _LONGEST and text[end:].lower() in _HALVES:
                self._seen = text[end:]
                return len(text)
            else:
                self._read(text, end, end + 1)
                index = end + 1

    def _read(self, text: str, index: int, end: int) -> None:
        """Take prose."""
        start = text.rfind("\n", index, end) + 1
        if start:
            self._line = ""
        else:
            start = index
        if not self._line:
            start = _BLANK.match(text, start, end).end()  # type: ignore[union-attr]  # it matches always
        if start < end:
            self._line = (self._line + text[start : min(end, start + _LONGEST_LEAD)])[:_LONGEST_LEAD]

    def _marked(self, mark: str, text: str, index: int) -> int:
        """Take a mark that ends at `index`; go on after the thought that it opens."""
        self._seen = ""
        self._closing = CLOSING.get(mark.lower())
        if self._closing is None:
            self._line = ""
            self.afresh += 1
            return index
        return self._resumed(text, index)

    def _resumed(self, text: str, index: int) -> int:
        """Go on inside a thought, or where a mark may have begun; return the index where prose goes on."""
        if self._closing is None:
            seen = self._seen + text[index : index + _LONGEST]
            met = MARK.match(seen)
            if met is not None:
                return self._marked(met[0], text, index + met.end() - len(self._seen))
            if seen.lower() in _HALVES:
                self._seen = seen
                return len(text)
            self._line = (self._line + self._seen)[:_LONGEST_LEAD]
            self._seen = ""
            return index
        seen = self._seen + text[index:]
        end = self._closing.search(seen)
        if end is None:
            self._seen = seen[-_LONGEST:]
            return len(text)
        index += end.end() - len(self._seen)
        self._seen, self._closing, self._line = "", None, ""
        return index
