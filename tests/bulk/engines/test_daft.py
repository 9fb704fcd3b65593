"""Answers as a column of a Daft frame: `make test-engines`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from engines import Numbers
from instructor.bulk import Limits
from instructor.testing import Asked, Reply, Scripted, answer, error

daft = pytest.importorskip("daft", reason="it is large: make test-engines")

from instructor.bulk.daft import extract  # noqa: E402 - it needs Daft

ROWS = 1000


class Number(BaseModel):
    value: int


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def client_of(url: str, is_async: bool) -> Any:
    return instructor.from_provider("openai/m", async_client=is_async, base_url=url, api_key="test")


def test_invalid_answers_are_errors_of_their_rows_alone(tmp_path: Path, is_async: bool) -> None:
    numbers = Numbers(bad=7)
    with Scripted(numbers) as server:
        frame = daft.from_pydict({"id": list(range(ROWS)), "text": [f"Row {i}" for i in range(ROWS)]})
        column = extract(
            frame["text"], client=partial(client_of, server.base_url, is_async), response_model=Number,
            store=tmp_path / "s", limits=Limits(concurrency=16), max_retries=0,
        )  # fmt: skip
        table = frame.with_column("n", column).to_pydict()
        frame.with_column("n", column).collect()
    right = [i for i, each in zip(table["id"], table["n"], strict=True) if each["answer"] == {"value": i}]
    wrong = [i for i, each in zip(table["id"], table["n"], strict=True) if each["error"] and not each["answer"]]
    assert len(right) == ROWS - ROWS // 100
    assert wrong == list(range(7, ROWS, 100))
    assert sum(numbers.answers.values()) == ROWS + len(wrong)  # the second time only the failed ones


def test_fields_of_a_struct_and_lists(is_async: bool) -> None:
    def two(asked: Asked) -> Reply:
        assert asked.body["messages"][-1]["content"] == "Numbers of Ann: 1 and 2"
        return answer([{"value": 1}, {"value": 2}])

    with Scripted(two) as server:
        frame = daft.from_pydict({"name": ["Ann"], "text": ["1 and 2"]})
        column = extract(
            daft.functions.to_struct(frame["name"], frame["text"]), response_model=Iterable[Number],
            client=partial(client_of, server.base_url, is_async), messages="Numbers of {{ name }}: {{ text }}",
        )  # fmt: skip
        told = frame.select(column.alias("n")).to_pydict()["n"][0]
    assert told["answer"] == [{"value": 1}, {"value": 2}]
    assert told["attempts"] == 1


def test_an_account_that_is_refused_ends_the_frame(is_async: bool) -> None:
    def refuse(_: Asked) -> Reply:
        return error(401, "no such key")

    with Scripted(refuse) as server:
        frame = daft.from_pydict({"text": ["Row 1"]})
        column = extract(frame["text"], client=partial(client_of, server.base_url, is_async), response_model=Number)
        with pytest.raises(Exception, match=r"No other row can succeed.*no such key"):
            frame.select(column.alias("n")).collect()
