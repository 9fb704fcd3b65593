"""All places of one value in the texts of a call, each with the status that says how it was found.

exact               the text is there, character by character
normalised:<rule>   it is the same but for unicode, whitespace, quotes, case, compatibility (width, ligatures),
                    punctuation; or the same value by a rule of `values`
fuzzy               most of it is there, and nothing that matters is missing or between
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from instructor.grounding.tokens import Text, is_single, keys_of, matches
from instructor.grounding.values import Variant, of_date, of_number, of_text, of_time
from instructor.grounding.words import CURRENCIES, MONTHS, NEGATIONS, NUMBER_WORDS, SMALL_WORDS, UNITS

_SHARE = 0.8
"""The share of a value's characters that a fuzzy match must have."""
_MOST_TOKENS = 64
"""Longer values are never compared fuzzily."""
_WINDOWS = 4
"""How many places are compared fuzzily for one value."""
_REGION = 512
"""Very frequent values are looked up for each region of so many characters."""
_PER_WORD = 32
"""How many places of one word vote for them."""


_MINUS = ("-", "−")
_NEGATIVE = re.compile(r"(?<![^\W_])[-−][$€£¥]?\d")
"""A minus sign, which stands before a number and not between two words or numbers."""


class Place(NamedTuple):
    """Where a value is found, from the start of the first text, and how."""

    start: int
    end: int
    status: str


_Key = tuple[str, Any, str]
"""A value: its kind, the value, how the model wrote it."""


class Matcher:
    """Finds values in texts. It remembers what it has found: a value that comes again is looked up once."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self._found: dict[_Key, list[Place]] = {}
        self._near: dict[tuple[_Key, int], list[Place]] = {}
        self.frequent: set[_Key] = set()
        """Values of which only the places in a region are looked up."""
        self._cut = False

    def places(self, kind: str, value: object, written: str, near: int) -> list[Place]:
        """Return the places of a value, in order.

        Args:
            kind: "text", "number", "date" or "time".
            value: The value; of a text, the text.
            written: How the model wrote it.
            near: Where the places of a very frequent value are looked for.
        """
        key = kind, value, written
        if (found := self._found.get(key)) is None:
            region = near // _REGION
            found = self._near.get((key, region))
            if found is None:
                found = self._search(key, region * _REGION + _REGION // 2)
                if self._cut:  # what is near differs from item to item
                    self.frequent.add(key)
                    self._near[key, region] = found
                else:
                    self._found[key] = found
        return found

    def _search(self, key: _Key, near: int) -> list[Place]:
        kind, value, written = key
        searches: dict[str, Callable[[Any, str, int], Iterator[Place]]] = {
            "text": self._text, "number": self._number, "date": self._date, "time": self._time,
        }  # fmt: skip
        self._cut = False
        unique: dict[tuple[int, int], Place] = {}
        for place in searches[kind](value, written, near):
            unique.setdefault(place[:2], place)
        return sorted(unique.values())

    def _at(self, pattern: Sequence[Sequence[str]], near: int) -> list[int]:
        found = self.text.find(pattern, near)
        self._cut = self._cut or self.text.cut
        return found

    def _text(self, value: str, written: str, near: int) -> Iterator[Place]:
        del written
        spans = matches(value)
        if not spans or "\0" in value:
            return
        negative = len(_NEGATIVE.findall(value))
        for place in self._text_of_any_sign(value, spans, near):
            if len(_NEGATIVE.findall(self.text.text, max(0, place.start - 1), place.end)) == negative:
                yield place  # 5 is not -5

    def _text_of_any_sign(self, value: str, spans: Sequence[tuple[int, int]], near: int) -> Iterator[Place]:
        keys = [keys_of(value[start:end]) for start, end in spans]
        found = False
        for first in self._at(keys, near):
            place = self._compared(value, spans, first)
            if place is not None:
                found = True
                yield place
        if found:
            return
        for variant in of_text(value):
            for place in self._variant(variant, near, value):
                if (
                    variant.rule == "number"
                    and self.text.text[place.start : place.end].isdecimal()
                    and (self.text.text[place.start] == "0" and place.end > place.start + 1)
                ):
                    continue  # 007 is not 7: a text may be a code
                found = True
                yield place
        if not found and (fuzzy := self._fuzzy(value, spans, keys)) is not None:
            yield fuzzy

    def _compared(self, value: str, spans: Sequence[tuple[int, int]], first: int) -> Place | None:
        """Return the place of a token sequence if it means the same as the value, gaps and bounds included."""
        text, whole = self.text, self.text.text
        last = first + len(spans) - 1
        start, end = text.starts[first], text.ends[last]
        if not (self._is_bound_left(first) and self._is_bound_right(last)):
            return None
        lead, tail = spans[0][0], len(value) - spans[-1][1]
        if whole[start - lead if lead <= start else 0 : end + tail] == value:
            return Place(start - lead, end + tail, "exact")
        core = value[lead : spans[-1][1]]
        found = whole[start:end]
        if core == found:
            bare = not value[:lead].strip() and not value[len(value) - tail :].strip()
            return Place(start, end, "exact" if bare else "normalised:punctuation")
        rule = same_but_for(found, core)
        if rule is None:
            rule = self._same_gaps(value, spans, first)
        return None if rule is None else Place(start, end, f"normalised:{rule}")

    def _same_gaps(self, value: str, spans: Sequence[tuple[int, int]], first: int) -> str | None:
        """Return the rule by which two token sequences are the same though they are written differently."""
        text, rule = self.text, "punctuation"
        for step, (start, end) in enumerate(spans):
            number = first + step
            token, found = value[start:end], text.text[text.starts[number] : text.ends[number]]
            if token[0].isdecimal() and token != found:
                if token.isdecimal() and found.isdecimal() and len(token) != len(found):
                    return None  # 007 is not 7
                rule = "number"
            if not step:
                continue
            gap, there = value[spans[step - 1][1] : start], text.text[text.ends[number - 1] : text.starts[number]]
            if gap == there or (not gap.strip() and not there.strip() and gap and there and there.count("\n") < 2):
                continue
            beside_number = token[0].isdecimal() or value[spans[step - 1][0]].isdecimal()
            if there.count("\n") > 1 or (beside_number and (gap.strip() or there.strip())):
                return None
            if token[0].isdecimal() and value[spans[step - 1][0]].isdecimal():
                return None  # 3 4 is not 34
        return rule

    def _is_negative(self, start: int) -> bool:
        """Return whether the number that starts there has a minus sign."""
        whole = self.text.text
        return (
            whole.startswith(_MINUS, start - 1, start) and start > 0 and (start == 1 or not whole[start - 2].isalnum())
        )

    def _is_bound_left(self, number: int) -> bool:
        """Return whether a token is not the rest of a longer word or number."""
        text, whole = self.text, self.text.text
        start = text.starts[number]
        if not start:
            return True
        before, first = whole[start - 1], whole[start]
        if first.isdecimal():
            if before in ".," and start > 1 and whole[start - 2].isdecimal():
                return False
            glued = before.isalpha() and not is_single(before)
            in_timestamp = before == "T" and whole[max(0, start - 2)].isdecimal()
            return not glued or in_timestamp or text.keys[number - 1] in CURRENCIES
        if before.isdecimal() and first.isalpha() and not is_single(first):
            return text.keys[number] in UNITS
        return before != "_"

    def _is_bound_right(self, number: int) -> bool:
        text, whole = self.text, self.text.text
        end = text.ends[number]
        if end >= len(whole):
            return True
        after, last = whole[end], whole[end - 1]
        if last.isdecimal():
            if after in ".," and whole[end + 1 : end + 2].isdecimal():
                return False
            glued = after.isalpha() and not is_single(after)
            return not glued or text.keys[number + 1] in UNITS
        if last.isalpha() and after.isdecimal():
            return is_single(last)
        return not (after in "+#_" and last.isalpha())

    def _variant(self, variant: Variant, near: int, written: str) -> Iterator[Place]:
        """Yield the places of one way to write a value."""
        text, size = self.text, len(variant.pattern)
        for first in self._at(variant.pattern, near):
            last = first + size - 1
            gaps = (text.text[text.ends[at] : text.starts[at + 1]] for at in range(first, last))
            if not all(variant.gap.fullmatch(gap) for gap in gaps):
                continue
            if not (self._is_bound_left(first) and self._is_bound_right(last)):
                continue
            start, end = text.starts[first], text.ends[last]
            if variant.rule == "date-without-year" and self._has_year(first, last):
                continue
            if variant.rule == "words" and self._goes_on(first, last):
                continue
            exact = text.text[start:end] == written
            yield Place(start, end, "exact" if exact else f"normalised:{variant.rule}")

    def _has_year(self, first: int, last: int) -> bool:
        """Return whether a year follows, or comes before."""
        text, count = self.text, len(self.text.keys)
        after, before = last + 1, first - 1
        if after < count and text.keys[after] in ("of", "de"):
            after += 1
        return (after < count and self._is_year(after, text.ends[after - 1], text.starts[after])) or (
            before >= 0 and self._is_year(before, text.ends[before], text.starts[first])
        )

    def _is_year(self, number: int, begin: int, end: int) -> bool:
        key = self.text.keys[number]
        return end - begin <= 2 and "\0" not in self.text.text[begin:end] and key.isdigit() and len(key) == 4

    def _goes_on(self, first: int, last: int) -> bool:
        """Return whether the words of a number are a part of a longer one: "thirty" in "thirty-five"."""
        text = self.text
        return any(
            0 <= at < len(text.keys)
            and text.keys[at] in NUMBER_WORDS
            and len(text.text[text.ends[min(at, other)] : text.starts[max(at, other)]]) == 1
            for at, other in ((first - 1, first), (last + 1, last))
        )

    def _number(self, value: Decimal, written: str, near: int) -> Iterator[Place]:
        whole = self.text.text
        for variant in of_number(value):
            for place in self._variant(variant, near, written.lstrip("-")):
                start = place.start
                if self._is_negative(start):
                    if value < 0:
                        yield place._replace(start=start - 1)
                elif value >= 0 or (whole[start - 1 : start] == "(" and whole[place.end : place.end + 1] == ")"):
                    yield place

    def _date(self, value: dt.date, written: str, near: int) -> Iterator[Place]:
        dates = [
            place
            for variant in of_date(value.year, value.month, value.day)
            for place in self._variant(variant, near, written)
        ]
        if not isinstance(value, dt.datetime) or not (value.hour or value.minute):
            yield from dates
            return
        times = sorted(place.start for place in self._time(value.time(), "", near))
        for date in dates:
            after = bisect_left(times, date.end)
            if after < len(times) and times[after] - date.end <= 20:
                yield date._replace(status="exact" if self.text.text.startswith(written, date.start) else date.status)

    def _time(self, value: dt.time, written: str, near: int) -> Iterator[Place]:
        for variant in of_time(value):
            yield from self._variant(variant, near, written)

    def _fuzzy(self, value: str, spans: Sequence[tuple[int, int]], keys: Sequence[tuple[str, ...]]) -> Place | None:
        """Return where most of a text is, if what is different there does not matter."""
        if len(spans) > _MOST_TOKENS or sum(len(each[0]) for each in keys) < 6:
            return None
        index = self.text.index
        words = [self._similar(each[0]) if each[0] not in index else each[0] for each in keys]
        votes: Counter[int] = Counter()
        for at, word in enumerate(words):
            if word not in SMALL_WORDS and len(numbers := index.get(word, ())) <= _PER_WORD:
                votes.update({max(0, number - at) // 4 for number in numbers})
        best: Place | None = None
        most = _SHARE * sum(map(len, words))
        for bucket, _ in votes.most_common(_WINDOWS):
            begin = max(0, bucket * 4 - 4)
            matched, place = self._aligned(value, spans, words, begin, begin + len(words) + len(words) // 3 + 12)
            if place is not None and matched >= most and (best is None or matched > most):
                best, most = place, matched
        return best

    def _similar(self, word: str) -> str:
        """Return the word of the text that this one is meant to be, if only one letter differs; else the word."""
        if len(word) < 5 or not word.isalpha() or is_hard(word):
            return word
        return self.text.similar(word) or word

    def _aligned(
        self, value: str, spans: Sequence[tuple[int, int]], words: Sequence[str], begin: int, end: int
    ) -> tuple[int, Place | None]:
        """Return how many characters of a value are in a part of the text, and where."""
        text = self.text
        end = min(end, len(text.keys))
        there = text.keys[begin:end]
        text.looked += len(there) * len(words)
        blocks = [b for b in SequenceMatcher(None, words, there, autojunk=False).get_matching_blocks() if b.size]
        if not blocks:
            return 0, None
        matched = {at for b in blocks for at in range(b.a, b.a + b.size)}
        seen = {at for b in blocks for at in range(b.b, b.b + b.size)}
        first, last = min(seen), max(seen)
        missing = [at for at in range(len(words)) if at not in matched]
        if any(is_hard(words[at]) or _is_name(value, spans[at], words[at]) for at in missing):
            return 0, None
        before, after = min(matched), len(words) - 1 - max(matched)  # what stands where the missing words should be
        wide = range(max(0, first - before - bool(before)), min(len(there), last + 1 + after + bool(after)))
        skipped = [there[at] for at in wide if at not in seen]
        if any(map(is_hard, skipped)) or len(skipped) > max(1, len(words) // 3) + before + after:
            return 0, None
        place = Place(text.starts[begin + first], text.ends[begin + last], "fuzzy")
        if (
            "\0" in there[first : last + 1]
            or "\n\n" in text.text[place.start : place.end]
            or not self._is_bound_left(begin + first)
            or not self._is_bound_right(begin + last)
        ):
            return 0, None
        return sum(len(words[at]) for at in matched), place


def is_hard(key: str) -> bool:
    """Return whether a token may not differ: digits, currencies, units, dates, numbers in words, negations."""
    return (
        any(each.isdigit() for each in key) or key in NEGATIONS or key in UNITS or key in CURRENCIES or key in MONTHS
        or key in NUMBER_WORDS or not key[0].isalnum()
    )  # fmt: skip


def _is_name(value: str, span: tuple[int, int], word: str) -> bool:
    return value[span[0]].isupper() and word not in SMALL_WORDS


_WHITESPACE = re.compile(r"\s+")
_QUOTES = str.maketrans(
    {**dict.fromkeys("‘’‚‛′", "'"), **dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‐‑‒–—―−", "-")}
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u0640]")


def same_but_for(found: str, value: str) -> str | None:
    """Return the rule by which two texts are the same; None if there is none. Each rule includes those before it."""
    if "\n\n" in found and "\n\n" not in value:
        return None
    for rule in ("unicode", "whitespace", "quotes", "case", "compatibility"):
        found, value = _normalised(rule, found), _normalised(rule, value)
        if found == value:
            return rule
    return None


def _normalised(rule: str, text: str) -> str:
    if rule == "unicode":
        return unicodedata.normalize("NFC", text)
    if rule == "whitespace":
        return _WHITESPACE.sub(" ", text)
    if rule == "quotes":
        return text.translate(_QUOTES)
    if rule == "case":
        return text.casefold().replace("i\u0307", "i")
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).casefold())
