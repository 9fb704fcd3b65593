"""Rows of pandas and polars: `make test-engines`."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from engines import Numbers
from instructor.bulk.inputs import source_of
from instructor.bulk.requests import shown
from instructor.testing import Scripted

pandas = pytest.importorskip("pandas", reason="it is large: make test-engines")
polars = pytest.importorskip("polars", reason="it is large: make test-engines")

DAY = datetime.datetime(2026, 3, 3)
COLUMNS = {"text": ["Row 1", "Row 2"], "age": [3, None], "day": [DAY, DAY], "ok": [True, False]}


class Number(BaseModel):
    value: int


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame], ids=["pandas", "polars"])
def test_rows_of_a_frame(make: Any) -> None:
    source = source_of(make(COLUMNS))
    assert source.total == 2
    first, second = (json.loads(shown(row) or "") for row in source.again("a test"))
    assert first["text"] == "Row 1"
    assert first["age"] == 3
    assert second["age"] is None or second["age"] == "NaN"
    assert first["day"].startswith("2026-03-03T00:00:00")
    assert first["ok"] is True


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame], ids=["pandas", "polars"])
def test_a_run_over_a_frame(make: Any) -> None:
    frame = make({"text": [f"Row {number}" for number in range(20)], "group": [1, 2] * 10})
    with Scripted(Numbers()) as server:
        client = instructor.from_provider("openai/m", base_url=server.base_url, api_key="test")
        run: Any = client.map(frame, response_model=Number, messages="{{ text }}", key="text", ordered=True)
        rows: list[Any] = list(run)
    assert [row.value for row in rows] == [Number(value=number) for number in range(20)]
    assert rows[3].key == "Row 3"
    assert rows[3].input["group"] == 2
