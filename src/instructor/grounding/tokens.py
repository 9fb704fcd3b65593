"""A text as tokens: each has a key that is compared, and its place in the original text.

A token is a word, a number, one character of a script that is written without spaces, or a symbol that matters, such as
`%`, `€` or an emoji. Spaces and usual punctuation are the gaps between tokens. Keys are compared, so there is no
normalised copy of the text: `text[start:end]` is always the original.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache, lru_cache

SINGLE = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts without spaces, or whose particles follow a word without one: each character is a token."""
_JAMO = "\u1100-\u115f\u1160-\u11a7\u11a8-\u11ff"
_INVISIBLE = "\u00ad\u200c\u200d\u2060\ufeff"
SOFT = re.escape(
    ".,;:!?'\"()[]{}-/\\_*#|~`^…‘’‚‛“”„«»‹›–—―‐‑‒−·•、。，；：！？（）「」『』【】《》〈〉・¿¡،؛؟\u200b\u200e\u200f"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u00ad\u200c\u200d\u2060\ufeff"
)
"""Punctuation that stands in gaps."""
_GROUPED = r"(?<!\d[.,])\d{1,3}(?:([.,'’\u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?(?!\d|[.,]\d)"
_DECIMAL = r"(?<!\d[.,])\d+[.,]\d+(?!\d|[.,]\d)"
_NUMBER = rf"{_GROUPED}|{_DECIMAL}|\d+(?:st|nd|rd|th)\b|\d+"
_ASCII = re.compile(rf"{_NUMBER}|[A-Za-z]+|[^\w\s{SOFT}]")
_NEAR = 96
"""How many places of a frequent token are looked at on each side of where a value is expected."""
_ZEROS = re.compile(r"^0+(?=\d)")
_MARK_BLOCKS = (
    (0x300, 0x1DFF),
    (0x20D0, 0x20FF),
    (0x2CEF, 0x2DFF),
    (0x302A, 0x309A),
    (0xA66F, 0xABED),
    (0xFB1E, 0xFB1E),
)


@cache
def _marks() -> str:
    """Return the combining marks of Unicode's main blocks as ranges for a character class."""
    codes = [
        code
        for first, last in _MARK_BLOCKS
        for code in range(first, last + 1)
        if unicodedata.category(chr(code))[0] == "M"
    ]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges) + "\ufe00-\ufe2f"


@cache
def _pattern() -> re.Pattern[str]:
    """Return what finds tokens in any text. It is made for the first text that is not ASCII."""
    marks = _marks()
    symbol = rf"[^\w\s{SOFT}{marks}]"
    tail = rf"[{marks}\U0001f3fb-\U0001f3ff]"
    return re.compile(
        rf"{_NUMBER}"
        rf"|[\u1100-\u115f][\u1160-\u11a7]?[\u11a8-\u11ff]?"
        rf"|[{SINGLE}][{marks}]*"
        rf"|[^\W\d_{SINGLE}{_JAMO}](?:[^\W\d_{SINGLE}{_JAMO}]|[{marks}{_INVISIBLE}])*"
        rf"|[\U0001f1e6-\U0001f1ff]{{2}}"
        rf"|{symbol}{tail}*(?:\u200d{symbol}{tail}*)*"
    )


_single = re.compile(f"[{SINGLE}]")
_invisible = re.compile(f"[{_INVISIBLE}\u0640]")


def is_single(character: str) -> bool:
    """Return whether a character belongs to a script without spaces."""
    return _single.match(character) is not None


@lru_cache(maxsize=8192)
def fold(token: str) -> str:
    """Return what is compared of a token: without case, ligatures, width and composition."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", token).casefold())
    return _invisible.sub("", folded).replace("i\u0307", "i") or token


def matches(text: str) -> list[tuple[int, int]]:
    """Return where the tokens of a text are."""
    pattern = _ASCII if text.isascii() else _pattern()
    return [match.span() for match in pattern.finditer(text)]


def keys_of(token: str) -> tuple[str, ...]:
    """Return what a token is compared by: a number has a key for each of its readings."""
    if not token[0].isdecimal():
        return (token.lower() if token.isascii() else fold(token),)
    return _readings(token)


@lru_cache(maxsize=4096)
def _readings(token: str) -> tuple[str, ...]:
    digits = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in token)
    digits = digits.rstrip("sthndr")
    separators = [each for each in digits if not each.isdigit()]
    if not separators:
        plain = _ZEROS.sub("", digits)
        return (digits,) if plain == digits else (digits, plain)
    last = separators[-1]
    whole, _, fraction = digits.rpartition(last)
    found = []
    if last in ".," and separators.count(last) == 1:
        found.append(canonical(_without(whole, separators), fraction))
    if len(fraction) == 3 and len(set(separators)) == 1 and len(whole.lstrip("0")) > 0:
        found.append(canonical(_without(digits, separators), ""))
    return tuple(dict.fromkeys(found)) or (digits,)


def _without(digits: str, separators: Sequence[str]) -> str:
    for each in set(separators):
        digits = digits.replace(each, "")
    return digits


def canonical(whole: str, fraction: str) -> str:
    """Return the one way in which a number is written in keys."""
    whole, fraction = _ZEROS.sub("", whole), fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


class Text:
    """The texts of a call, one after the other, with an index of their tokens. It is made when it is first needed."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.text = "\0".join(texts)
        self.bases: list[int] = []
        base = 0
        for each in texts:
            self.bases.append(base)
            base += len(each) + 1
        self.looked = 0
        """How many tokens were looked at: the work that was done."""
        self.cut = False
        """Whether the last search left out places of a frequent token that are far away."""
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.keys: list[str] = []
        self._also: dict[int, tuple[str, ...]] = {}
        self._index: dict[str, list[int]] | None = None
        self._by_prefix: dict[str, list[str]] | None = None

    @property
    def index(self) -> dict[str, list[int]]:
        """The numbers of the tokens that have a key."""
        if self._index is None:
            self._index = self._built()
        return self._index

    def _built(self) -> dict[str, list[int]]:
        text, index = self.text, dict[str, list[int]]()
        spans = matches(text)
        self.starts, self.ends = [start for start, _ in spans], [end for _, end in spans]
        lowered = text.lower() if text.isascii() else ""
        self.looked += len(spans)
        append = self.keys.append
        for number, (start, end) in enumerate(spans):
            token = lowered[start:end] if lowered else text[start:end]
            if token[0].isdecimal():
                keys = _readings(token)
                key = keys[0]
                if len(keys) > 1:
                    self._also[number] = keys
                    for each in keys[1:]:
                        index.setdefault(each, []).append(number)
            else:
                key = token if lowered else fold(token)
            append(key)
            if key in index:
                index[key].append(number)
            else:
                index[key] = [number]
        return index

    def has(self, number: int, keys: Sequence[str]) -> bool:
        """Return whether a token has one of these keys."""
        return self.keys[number] in keys or any(each in keys for each in self._also.get(number, ()))

    def find(self, pattern: Sequence[Sequence[str]], near: int = 0) -> list[int]:
        """Return the numbers of the tokens at which a sequence of tokens begins.

        Args:
            pattern: The keys that each token may have.
            near: Where in the text a frequent token is looked for.
        """
        index, self.cut = self.index, False
        counts = [sum(len(index.get(key, ())) for key in keys) for keys in pattern]
        least = min(counts, default=0)
        if not least:
            return []
        place, size, found = counts.index(least), len(pattern), set[int]()
        for key in pattern[place]:
            for number in self._some(index.get(key, []), near):
                first = number - place
                self.looked += 1
                if (
                    first >= 0
                    and first + size <= len(self.keys)
                    and all(self.has(first + step, keys) for step, keys in enumerate(pattern) if step != place)
                ):
                    found.add(first)
        return sorted(found)

    def _some(self, numbers: list[int], near: int) -> list[int]:
        if len(numbers) <= 2 * _NEAR:
            return numbers
        self.cut = True
        middle = bisect_left(numbers, bisect_left(self.starts, near))
        return numbers[max(0, middle - _NEAR) : middle + _NEAR]

    def similar(self, key: str) -> str | None:
        """Return a word of the text that differs from this one by one letter after the third; None if there is none."""
        if self._by_prefix is None:
            self._by_prefix = {}
            for each in self.index:
                if len(each) > 4 and each.isalpha():
                    self._by_prefix.setdefault(each[:3], []).append(each)
        self.looked += len(candidates := self._by_prefix.get(key[:3], [])[:_NEAR])
        return next((each for each in candidates if _is_one_apart(each, key)), None)


def _is_one_apart(one: str, two: str) -> bool:
    if abs(len(one) - len(two)) > 1 or max(len(one), len(two)) < 6:
        return False
    same = next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    if len(one) == len(two):
        return one[same + 1 :] == two[same + 1 :]
    shorter, longer = sorted((one, two), key=len)
    return shorter[same:] == longer[same + 1 :]
