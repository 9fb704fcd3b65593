"""`token_budget`: no further request once so many tokens are spent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from harness import Harness, asking
from instructor import HookName, Usage
from instructor.exceptions import (
    ConfigurationError,
    InstructorRetryException,
    TokenBudgetExceeded,
    TokenUsageUnavailableError,
)
from instructor.testing import answer, tools


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}
WRONG = {"name": "a"}
FIFTEEN = Usage(10, 5)


async def test_it_ends_a_call_that_stays_wrong(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG, usage=FIFTEEN)] * 2)
    with pytest.raises(TokenBudgetExceeded, match="token_budget=20 is spent: 30 tokens") as failed:
        await harness.create(harness.client(server), User, max_retries=5, token_budget=20)
    error = failed.value
    assert isinstance(error, InstructorRetryException)
    assert isinstance(error.__cause__, ValidationError)
    assert (error.budget, error.n_attempts, len(error.failed_attempts)) == (20, 2, 2)
    assert error.total_usage is not None
    assert error.total_usage.total_tokens == 30


async def test_a_valid_answer_is_returned_above_it(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER, usage=FIFTEEN)])
    assert await harness.create(harness.client(server), User, token_budget=1) == User(**USER)


async def test_tokens_that_are_not_reported(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG, usage=False)])
    with pytest.raises(TokenUsageUnavailableError, match="does not report") as failed:
        await harness.create(harness.client(server), User, token_budget=100)
    assert failed.value.budget == 100


async def test_the_items_of_a_list_are_in_the_error(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": [USER, WRONG]}, usage=FIFTEEN)])
    with pytest.raises(TokenBudgetExceeded) as failed:
        await harness.create(harness.client(server), Iterable[User], token_budget=15)
    assert failed.value.items == [User(**USER)]


async def test_a_stream_ends_with_what_is_there(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": [USER, WRONG]})])
    client = harness.client(server)
    said: list[Any] = []
    client.on(HookName.COMPLETION_LAST_ATTEMPT, said.append)
    stream = client.create_iterable(**asking(response_model=User, token_budget=1))
    assert await harness.items(stream) == [User(**USER)]
    assert not stream.report.complete
    assert [item.index for item in stream.report.failed_items] == [1]
    assert [type(error) for error in said] == [TokenBudgetExceeded]


async def test_a_stream_is_not_continued_above_it(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools('{"tasks": [{"name": "a", "age": 1}, {"na', finish="length")])
    stream = harness.client(server).create_iterable(**asking(response_model=User, token_budget=1, max_continuations=3))
    assert await harness.items(stream) == [User(**USER)]
    assert (stream.report.attempts, stream.report.complete) == (1, False)


async def test_snapshots_never_end_as_if_they_were_valid(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG)])
    stream = harness.client(server).create_partial(**asking(response_model=User, token_budget=1))
    with pytest.raises(TokenBudgetExceeded):
        await harness.items(stream)


@pytest.mark.parametrize(("budget", "kind"), [(True, TypeError), ("9", TypeError), (0, ValueError), (-1, ValueError)])
async def test_what_is_no_budget(harness: Harness, scripted_server: Any, budget: Any, kind: type[Exception]) -> None:
    client = harness.client(scripted_server([]))
    with pytest.raises(kind, match="token_budget must be"):
        await harness.create(client, User, token_budget=budget)
    with pytest.raises(ConfigurationError, match="token_budget"):
        await harness.create(client, None, token_budget=5)
