"""Numbers, dates and amounts of money, compared by value: each is written as all token sequences that mean the same.

rule                what is the same
number              1250 · 1,250.00 · 1.250,00 · 1 250
words               30 · thirty
scale               1200000 · 1.2 million
percent             0.15 · 15 %
money               EUR 1,250 · 1.250,00 €
date                2024-03-03 · 3 March 2024 · March 3rd, 2024 · 03/03/2024 · 3. März 2024 · 2024年3月3日
date-without-year   2024-03-03 · 3 March
time                14:30 · 2:30 pm
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import NamedTuple

from instructor.grounding.tokens import canonical, keys_of, matches
from instructor.grounding.words import MONTH_NAMES, MONTHS, ONES, SAME_CURRENCY, SCALES, TENS

Pattern = tuple[tuple[str, ...], ...]


class Variant(NamedTuple):
    """One way to write a value: the keys of its tokens, and what may stand between two of them."""

    rule: str
    pattern: Pattern
    gap: re.Pattern[str]


_NO_GAP = re.compile("")
_ANY = re.compile(r"[ \t\u00a0\u202f.,'’-]{0,3}\n?")
_SPACE = re.compile(r"[ \u00a0\u202f]")
_IN_DATE = re.compile(r"[-/.‐‑–]\s?|\s?/\s?|")
_IN_TIME = re.compile(r"[:.]| ?")


@cache
def spelled(number: int) -> tuple[str, ...]:
    """Return a number in English words, as tokens; none above 999,999."""
    if number < 0 or number > 999_999:
        return ()
    if number < 20:
        return (ONES[number],)
    if number < 100:
        return (TENS[number // 10 - 2], *(spelled(number % 10) if number % 10 else ()))
    size, word = (100, "hundred") if number < 1000 else (1000, "thousand")
    return (*spelled(number // size), word, *(spelled(number % size) if number % size else ()))


def decimal_of(value: object) -> Decimal | None:
    """Return a number without the errors of binary fractions; None for what is no finite number."""
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


def key_of(number: Decimal) -> str:
    """Return the key of a number without its sign."""
    whole, _, fraction = f"{abs(number):f}".partition(".")
    return canonical(whole, fraction)


def of_number(number: Decimal) -> Iterator[Variant]:
    """Yield how a number may be written. Its sign is not part of it."""
    key = key_of(number)
    yield Variant("number", ((key,),), _NO_GAP)
    if len(key) > 3 and key.isdigit():
        groups = [key[max(0, end - 3) : end] for end in range(len(key), 0, -3)][::-1]
        yield Variant("number", tuple((each.lstrip("0") or "0",) for each in groups), _SPACE)
    size = abs(number)
    if key.isdigit() and (words := spelled(int(key))):
        yield Variant("words", tuple((word,) for word in words), _ANY)
        if "hundred" in words[:-1]:
            at = words.index("hundred") + 1
            yield Variant("words", tuple((word,) for word in (*words[:at], "and", *words[at:])), _ANY)
    for scale, names in SCALES:
        if size >= scale and (scaled := size / scale) < 1000 and scaled == round(scaled, 3):
            yield Variant("scale", ((key_of(scaled),), names), _ANY)
    if size <= 10:
        yield Variant("percent", ((key_of(size * 100),), ("%", "percent")), _ANY)


def of_date(year: int | None, month: int, day: int | None) -> Iterator[Variant]:
    """Yield how a date, or a part of one, may be written."""
    names, m = MONTH_NAMES[month], (str(month),)
    y, short = (str(year),), (str(year), str((year or 0) % 100))
    if day is None:
        orders: list[Pattern] = [] if year is None else [(names, y)]
        numeric: list[Pattern] = [] if year is None else [(y, m), (m, y)]
        yield from (Variant("date", order, _ANY) for order in orders)
        yield from (Variant("date", order, _IN_DATE) for order in numeric)
        return
    d = (str(day),)
    if year is not None:
        numeric = [(y, m, d), (d, m, short), (m, d, short), (y, ("年",), m, ("月",), d, ("日",))]
        orders = [(d, names, y), (d, ("of", "de"), names, y), (d, ("de",), names, ("de",), y), (names, d, y)]
        yield from (Variant("date", order, _IN_DATE) for order in numeric)
        yield from (Variant("date", order, _ANY) for order in orders)
    rule = "date" if year is None else "date-without-year"
    orders = [(d, names), (d, ("of", "de"), names), (names, d)]
    yield from (Variant(rule, order, _ANY) for order in orders)


def of_time(time: dt.time) -> Iterator[Variant]:
    """Yield how a time of day may be written."""
    minute = (str(time.minute),)
    yield Variant("time", ((str(time.hour),), minute), _IN_TIME)
    half = ("pm", "p") if time.hour >= 12 else ("am", "a")
    hour = (str(time.hour % 12 or 12),)
    yield Variant("time", (hour, minute, half), _IN_TIME)
    if not time.minute:
        yield Variant("time", (hour, half), _IN_TIME)


def of_text(text: str) -> Iterator[Variant]:
    """Yield how a text that is a date, a number or an amount of money may be written."""
    tokens = [keys_of(text[start:end]) for start, end in matches(text)]
    if not 0 < len(tokens) <= 4 or not any(key[0].isdigit() for keys in tokens for key in keys):
        return
    if date := _date(tokens, text):
        yield from of_date(*date)
        return
    numbers = [keys for keys in tokens if keys[0][0].isdigit()]
    others = [keys[0] for keys in tokens if not keys[0][0].isdigit()]
    if len(numbers) != 1:
        return
    if len(others) == 1 and (names := SAME_CURRENCY.get(others[0])):
        yield Variant("money", (names, numbers[0]), _ANY)
        yield Variant("money", (numbers[0], names), _ANY)
    elif not others and text.strip().lstrip("-−+")[:1].isdigit():
        for key in numbers[0][-1:] if len(numbers[0]) == 1 else numbers[0]:
            if key == numbers[0][0] or not key.isdigit() or len(key) > 3:
                yield from (each for each in of_number(Decimal(key)) if each.rule != "percent")


def _date(tokens: Sequence[tuple[str, ...]], text: str) -> tuple[int | None, int, int | None] | None:
    """Return the year, month and day that a text is; None if it is none, or can be read in two ways."""
    words = [keys[-1] for keys in tokens if keys[-1] not in ("of", "de", "年", "月", "日")]
    months = [MONTHS[word] for word in words if word in MONTHS]
    numbers = [int(word) for word in words if word.isdigit()]
    if len(words) != len(months) + len(numbers) or len(words) < 2:
        return None
    if len(months) == 1:
        years = [number for number in numbers if number > 31]
        days = [number for number in numbers if 0 < number <= 31]
        if len(years) <= 1 and len(days) <= 1 and len(years) + len(days) == len(numbers):
            return years[0] if years else None, months[0], days[0] if days else None
    elif not months and re.fullmatch(r"\s*\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?\s*", text):
        year, month, *rest = numbers
        if 1 <= month <= 12 and all(1 <= day <= 31 for day in rest):
            return year, month, rest[0] if rest else None
    return None
