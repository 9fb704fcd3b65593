"""Growing answers, fed and read in one call."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from instructor.core.types import TEXT, Call, Delta, Outcome, Valid
from instructor.mode import Mode
from instructor.outputs.partial import PartialValue, PartialValueParser
from instructor.outputs.single import Single


def parser(kind: Any, mode: Mode = Mode.TOOLS, **how: Any) -> PartialValueParser:
    output = PartialValue(Single(kind))
    return output.parser(Call((), output, mode, **how))


def grow(kind: Any, pieces: list[str], mode: Mode = Mode.TOOLS, **how: Any) -> list[Outcome]:
    reader = parser(kind, mode, **how)
    channel = 0 if mode.by_tool else TEXT
    found = [good for piece in pieces for good in reader.feed([Delta(channel, piece)])]
    assert reader.looked <= 2 * sum(map(len, pieces))
    return found + reader.close()


def values(kind: Any, document: Any, **how: Any) -> list[Any]:
    """Give the snapshots after each character of a document, and the final value."""
    outcomes = grow(kind, list(json.dumps(document)), **how)
    assert all(isinstance(outcome, Valid) for outcome in outcomes), outcomes[-1]
    return [outcome.value for outcome in outcomes if isinstance(outcome, Valid)]


class Address(BaseModel):
    model_config = ConfigDict(frozen=True)
    street: str
    since: date


def constructed(**fields: Any) -> Address:
    return Address.model_construct(set(fields), **{"street": None, "since": None, **fields})


NOWHERE = constructed()
ADDRESS = {"street": "A", "since": "2020-01-02"}
DAY = date(2020, 1, 2)
