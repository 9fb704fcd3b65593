"""The linear scanner: what is known about JSON's characters, resumable anywhere.

Each pattern here matches always and never steps back, so a character is looked at once however the text is cut; all
loops over characters run inside the regular expression engine. Strings end at an unescaped quote and may hold anything,
raw line ends included. A bracket that closes a bracket further out closes what lies between as well; one that closes
nothing is passed over. This file knows no wrapper, no list of items and no values.
"""

from __future__ import annotations

import json
import re

SPACE = re.compile(r"[\s\ufeff]*")
"""White space, and the byte order mark that some models write before JSON."""

SCALAR = re.compile(r'[^\s,{}\[\]"]*')
"""A number, a literal, or what stands in the place of one."""

# From anywhere outside strings to the next bracket outside strings, or into a string that is long or holds an escape:
# then the group takes part. Both ways out are needed so that the pattern never steps back, and the engine reads long
# strings forty times slower than `str.find` does. Repetitions are bounded, for the engine remembers each: without a
# bound its memory, and with it the time, grows faster than the text.
_TO_BRACKET = r'[^"{}\[\]]*(?:"[^"\\]{0,40}(?:"[^"{}\[\]]*|(?P<inside>))){0,500}'
_BRACKET = re.compile(_TO_BRACKET, re.DOTALL)
OBJECT = re.compile(rf"[\s,\ufeff]*(?:(?P<brace>\{{){_TO_BRACKET})?", re.DOTALL)
"""The gap before an element of a list and, if it is an object, the object up to its first inner bracket or its end."""
_ESCAPES = re.compile(
    r'[^"\\]{0,60}(?:\\.[^"\\]{0,60}){0,500}', re.DOTALL
)  # where there is one, there are many: faster
_KEY = re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_decode = json.JSONDecoder(strict=False).decode
_OPENER = re.compile(r"[{\[]")
_THOUGHT = "<think"
THOUGHT = re.compile(r"\s*<think.*?</think(?:ing)?>", re.DOTALL)
"""What a reasoning model says to itself before its answer."""
_THOUGHTS_END = re.compile(r"</think(?:ing)?>")
_LONGEST_END = len("</thinking>")
_BLANK = re.compile(r"[\s,\ufeff]*")


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


class Quoted:
    """Follows one string to its closing quote."""

    __slots__ = ("escaped",)

    def __init__(self) -> None:
        self.escaped = False
        """The text so far ends inside an escape."""

    def follow(self, text: str, place: int) -> int:
        """Go on at `place`, inside the string; give the place after the closing quote, or -1 if it has not come."""
        begin = place + self.escaped
        while (end := text.find('"', begin)) > begin and text[end - 1] == "\\":
            if slashes(text, begin, end) % 2 == 0:
                break
            begin = _ESCAPES.match(text, end + 1).end()  # type: ignore[union-attr]  # it matches always
        self.escaped = end < 0 and slashes(text, begin, len(text)) % 2 == 1
        return end + 1 or -1


def slashes(text: str, begin: int, end: int) -> int:
    """Count the backslashes right before `end`."""
    place = end
    while place > begin and text[place - 1] == "\\":
        place -= 1
    return end - place


class Key:
    """Reads one key of an object."""

    __slots__ = ("_escaped", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._escaped = False

    def follow(self, text: str, place: int) -> int:
        """Go on at `place`, inside the key; give the place of its closing quote, or -1 if it has not come.

        No key holds a line end: its place is given where it comes first.
        """
        end = _KEY.match(text, place + self._escaped).end()  # type: ignore[union-attr]  # it matches always
        self._escaped = end < len(text) and text[end] == "\\"
        if self._escaped:
            end += 1
        self._pieces.append(text[place:end])
        return -1 if end == len(text) else end

    @property
    def name(self) -> str:
        """What was read."""
        return unescaped("".join(self._pieces))


class Nest:
    """Follows one object or array to its closing bracket."""

    __slots__ = ("_braces", "_open", "_quoted", "_string", "ends")

    def __init__(self) -> None:
        self._open: list[str] = []
        self._braces = 0  # how many of the open ones are braces: a search for one that is not there would not be linear
        self._string = False
        self._quoted = Quoted()
        self.ends = ""
        """The bracket that can close the value; before it comes nothing is decided."""

    def start(self, opener: str) -> None:
        """Begin with this bracket, just read."""
        self.ends = "}" if opener == "{" else "]"
        self._open, self._braces, self._string = [opener], int(opener == "{"), False

    def follow(self, text: str, place: int) -> int:
        """Go on at `place`, inside the brackets; give the place after the closing one, or -1 if it has not come."""
        match, size = _BRACKET.match, len(text)
        while True:
            if self._string:
                place = self._quoted.follow(text, place)
                if place < 0:
                    return -1
            run: re.Match[str] = match(text, place)  # type: ignore[assignment]  # it matches always
            place = run.end()
            self._string = run.lastindex is not None
            if self._string:
                continue
            if place == size:
                return -1
            bracket = text[place]
            if bracket == '"':  # the pattern had enough
                continue
            place += 1
            if bracket == "{" or bracket == "[":
                self._open.append(bracket)
                self._braces += bracket == "{"
            elif self._close(bracket):
                return place

    def start_with(self, run: re.Match[str]) -> None:
        """Begin with a brace and what `OBJECT` found after it; go on at its end."""
        self.ends, self._open, self._braces = "}", ["{"], 1
        self._string = run["inside"] is not None

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


class Remark:
    """Follows a comment to its end."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = ""  # as far as it decides where the comment ends

    def follow(self, text: str, place: int) -> int:
        """Go on at `place`, after the first slash; give the place after the end, or -1 if it has not come."""
        if not self._seen:
            if place == len(text):
                return -1
            self._seen = text[place]
            place += 1
        line = self._seen[0] == "/"
        while (end := text.find("\n" if line else "/", place)) >= 0:
            if line or (text[end - 1] if end > place else self._seen[1:]) == "*":
                return end + 1
            self._seen, place = self._seen[0], end + 1
        if place < len(text):
            self._seen = self._seen[0] + text[-1]
        return -1


class Prose:
    """Finds the brackets in prose with which JSON may begin. Quotes mean nothing in prose.

    What a model thinks at its beginning, between `<think>` and `</think>`, is passed over.
    """

    __slots__ = ("_begun", "_seen", "_thinks", "fresh")

    def __init__(self) -> None:
        self.fresh = True
        """Whether only white space, commas and values stand between the start of the line and here."""
        self._begun = self._thinks = False  # what comes is no thought any more; it is one
        self._seen = ""  # the end of the text so far, where a thought may begin or end

    def find(self, text: str, place: int) -> int:
        """Give the place of the next opening bracket, or the length of the text."""
        if not self._begun:
            place = self._after_thought(text, place)
        found = _OPENER.search(text, place)
        end = found.start() if found else len(text)
        line = text.rfind("\n", place, end) + 1
        if line:
            self.fresh = True
        if self.fresh and _BLANK.match(text, line or place, end).end() < end:  # type: ignore[union-attr]
            self.fresh = False
        return end

    def _after_thought(self, text: str, place: int) -> int:
        if not self._thinks:
            begin = place if self._seen else SPACE.match(text, place).end()  # type: ignore[union-attr]  # as above
            self._seen += text[begin : begin + len(_THOUGHT)]
            self._thinks = self._seen.startswith(_THOUGHT)
            if not self._thinks:
                self._begun = not _THOUGHT.startswith(self._seen)
                return place if self._begun else len(text)
            self._seen = ""
        seen = self._seen + text[place:]
        end = _THOUGHTS_END.search(seen)
        if end is None:
            self._seen = seen[-_LONGEST_END:]
            return len(text)
        self._begun = self.fresh = True
        return place + end.end() - len(self._seen)
