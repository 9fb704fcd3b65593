"""Numbers as JSON writes them: `3.0` is an integer, as JSON Schema has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL)
_DIGITS = 400
"""An integer of more digits is left as it is: `1e999999999` would fill the memory."""


class _Number(NamedTuple):
    """A number with a point or an exponent: its place among all of its kind in a text."""

    place: int


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
    places = [number.place for number in found]
    integers = {place: integer for place in places if (integer := _integer(written[place])) is not None}
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
