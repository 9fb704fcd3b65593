r"""Repair of small faults of JSON that leave one reading.

Put right: missing, surplus and trailing commas, quotes that are single, raw control characters in strings, names and
literals as Python and JavaScript write them, comments, and a bracket that was forgotten before one further out.

An escape that JSON has not, `\d`, shows that backslashes were not written twice. Then `\n` in the same text may be a
line end or two characters, and nobody can tell: such a text is not mended. Strings are copied, never decoded and
written again. What comes out is read once more, by other functions, and must say the same as what went in.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from instructor.parsing.scanner import paired

LIMIT = 64 * 1024
"""The length in characters of the longest text whose syntax is repaired; a longer one is asked for again.

Mending takes about a second for each megabyte, and an event loop waits for it. To change the limit, set
`instructor.parsing.repair.LIMIT`.
"""

_STRING = r"""[^{0}\\]*(?:\\.[^{0}\\]*)*"""
_TOKEN = re.compile(
    rf"""(?P<skip>[\s\ufeff]+|//[^\n]*|\#[^\n]*|/\*.*?\*/)
    |(?P<mark>[{{}}\[\],:])
    |"(?P<double>{_STRING.format('"')})"
    |'(?P<single>{_STRING.format("'")})'
    |(?P<number>[-+]?(?:(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<word>[^\W\d][\w$]*)""",
    re.DOTALL | re.VERBOSE,
)
_LITERALS = {"True": "true", "False": "false", "None": "null"} | {
    name: name for name in ("true", "false", "null", "NaN", "Infinity")
}
_CLOSERS = {"{": "}", "[": "]"}
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ODD = re.compile(r'\\u[0-9a-fA-F]{4}|\\.|["\x00-\x1f]', re.DOTALL)
_FOREIGN = re.compile(r"""\\(?:["\\/bfnrt']|u[0-9a-fA-F]{4})|(?P<foreign>\\u[0-9a-fA-F]{0,3}|\\.)""", re.DOTALL)
# What other languages read as one character, and hence no backslash that was not written twice.
_OTHERS_OWN = re.compile(r"\\(?:x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|N\{|0|\n|\r|u)")
_DEEPEST = 200
"""No reader of JSON that is used here follows brackets any deeper."""
_MEANT = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WRITTEN = re.compile(r'[{\[]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}\[\],:"]+')
_Value = tuple[str, object]


class Unclear(ValueError):
    r"""A text that has no plain meaning; `escape` is what of it JSON does not know, `\d` say, if that is the reason."""

    def __init__(self, escape: str = "", *, long: bool = False) -> None:
        self.escape, self.long = escape, long
        super().__init__(escape)


class Mender:
    """Reads one value that is nearly JSON, and writes it as JSON. Each character is looked at once."""

    def __init__(self, text: str, index: int = 0) -> None:
        self._text, self._begin = text, index
        self.end = index
        """The index after the value, once it was read."""
        self._open: list[str] = []
        self._keys: list[set[str]] = []  # those of each open object: one that comes twice has two readings
        self._out: list[str] = []
        self._values: list[_Value] = []
        self._state = _VALUE
        self._apart = True  # white space or a bracket stands before the next token
        self._stray = False  # a bracket came that closes nothing: only others may follow it
        self._foreign = self._doubtful = False

    def read(self) -> str:
        """Return the value as JSON; raise `Unclear` where its meaning is not plain."""
        text, match = self._text, _TOKEN.match
        size = min(len(text), self._begin + LIMIT)
        while True:
            token = match(text, self.end, size)
            if token is None:
                raise Unclear
            self.end, kind = token.end(), token.lastgroup
            if kind == "skip":
                self._apart = True
                continue
            if self._stray and token[0] not in ("}", "]"):
                raise Unclear
            if kind == "mark":
                self._mark(token[0])
            else:
                self._scalar(str(kind), token[str(kind)])
            if not self._open and self._state == _AFTER:
                return self._proven()

    @property
    def looked(self) -> int:
        """How many characters were looked at."""
        return self.end - self._begin

    def _mark(self, mark: str) -> None:
        if mark in ("{", "["):
            if len(self._open) == _DEEPEST or (self._state != _VALUE and self._open[-1] == "{"):
                raise Unclear
            self._apart = True
            self._begins()
            self._open.append(mark)
            self._keys.append(set())
            self._out.append(mark)
            self._values.append(("open", mark))
            self._state = _FIRST
            self._apart = True
        elif mark == ":":
            if self._state != _COLON:
                raise Unclear
            self._state = _VALUE
            self._out.append(":")
            self._apart = True
        elif mark == ",":
            if self._state in (_COLON, _VALUE):
                raise Unclear
            self._state = _FIRST if self._state == _FIRST else _NEXT
            self._apart = True
        else:
            self._close("{" if mark == "}" else "[")

    def _close(self, opener: str) -> None:
        if self._state in (_COLON, _VALUE):
            raise Unclear
        self._apart = True
        if opener not in self._open:
            self._stray = True
            return
        self._stray = False
        while True:
            closed = self._open.pop()
            self._keys.pop()
            self._out.append(_CLOSERS[closed])
            if closed == opener:
                break
        self._state = _AFTER

    def _begins(self) -> None:
        """Write the comma before a key or a value that begins, if there is one."""
        if self._state == _COLON or (self._state == _AFTER and not self._apart):
            raise Unclear  # `"say "hi" now"`: perhaps one string
        if self._state in (_NEXT, _AFTER):
            self._out.append(",")

    def _scalar(self, kind: str, token: str) -> None:
        is_key = bool(self._open) and self._open[-1] == "{" and self._state != _VALUE
        self._begins()
        if kind in ("double", "single"):
            content, written = meaning(token), self._string(token)
        elif is_key:
            if kind == "number" and not token.isdigit():
                raise Unclear
            content, written = token, json.dumps(token)
        elif kind == "number":
            self._number(token)
            self._state, self._apart = _AFTER, False
            return
        elif token in _LITERALS:
            self._out.append(_LITERALS[token])
            self._values.append(("literal", _LITERALS[token]))
            self._state, self._apart = _AFTER, False
            return
        else:
            raise Unclear
        if is_key:
            if content in self._keys[-1]:
                raise Unclear
            self._keys[-1].add(content)
        self._out.append(written)
        self._values.append(("string", content))
        self._state, self._apart = (_COLON if is_key else _AFTER), False

    def _number(self, token: str) -> None:
        exact = Decimal(token)
        if not token.lstrip("+-").isdigit() and Decimal(repr(float(token))) != exact:
            raise Unclear  # a float would say another number
        token = token.removeprefix("+")
        sign, digits = ("-", token[1:]) if token[0] == "-" else ("", token)
        self._out.append(f"{sign}0{digits}" if digits[0] == "." else token)
        self._values.append(("number", exact))

    def _string(self, inside: str) -> str:
        if _PLAIN.match(inside).end() < len(inside):  # type: ignore[union-attr]  # it matches always
            inside = _ODD.sub(self._rewritten, inside)
        return f'"{inside}"'

    def _rewritten(self, found: re.Match[str]) -> str:
        odd = found[0]
        if odd == '"':
            return '\\"'
        if odd[0] != "\\":
            return json.dumps(odd)[1:-1]
        if odd == "\\'":
            return "'"
        if odd == '\\"' or len(odd) > 2:
            return odd
        if odd[1] in "\\/bfnrt":
            self._doubtful = True
            return odd
        if _OTHERS_OWN.match(found.string, found.start()):
            self._doubtful = True
        self._foreign = True
        return f"\\{odd}" if odd[1] >= " " else f"\\\\{json.dumps(odd[1])[1:-1]}"

    def _proven(self) -> str:
        if self._foreign and self._doubtful:
            raise Unclear
        written = "".join(self._out)
        try:
            proven = [_read(token) for token in _WRITTEN.findall(written)] == self._values
        except (ValueError, ArithmeticError):
            proven = False
        if not proven:
            raise Unclear
        return written


_VALUE, _FIRST, _NEXT, _COLON, _AFTER = range(5)
"""What may come: a value; the first part of a container; another part, after a comma; a colon; a comma or a bracket."""


def mended(text: str) -> str:
    """Return a text that is one value, and nearly JSON, as JSON; raise `Unclear` where its meaning is not plain."""
    if len(text) > LIMIT:
        raise Unclear(long=True)
    mender = Mender(text)
    try:
        written = mender.read()
        index = mender.end
        while index < len(text):
            rest = _TOKEN.match(text, index)
            if rest is None or rest["skip"] is None:
                raise Unclear
            index = rest.end()
    except Unclear:
        raise Unclear(foreign_escape(text)) from None
    return written


def foreign_escape(text: str) -> str:
    """Return the first escape of a text that JSON has not; empty where there is none."""
    return next((found["foreign"] for found in _FOREIGN.finditer(text) if found["foreign"]), "")


def meaning(inside: str) -> str:
    r"""Decode the inside of a string; an escape that JSON has not stands for its own two characters, but for `\'`."""
    if "\\" not in inside:
        return inside
    return paired(_ODD.sub(_meant, inside))


def _meant(odd: re.Match[str]) -> str:
    escape = odd[0]
    if len(escape) == 6:
        return chr(int(escape[2:], 16))
    return _MEANT.get(escape[1], escape) if escape[0] == "\\" else escape


def _read(token: str) -> _Value:
    """Return the value of a JSON token."""
    if token in ("{", "["):
        return "open", token
    if token[0] == '"':
        return "string", json.loads(token)
    if token in _LITERALS:
        return "literal", token
    return "number", Decimal(token)
