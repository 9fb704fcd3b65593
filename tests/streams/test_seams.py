"""Where a list broke and went on: budgets, repeats at the seam, and streams that run away."""

from __future__ import annotations

from typing import Any

import pytest
from persons import Person, ids, people, stream_of, taken, tasks

from harness import Harness
from instructor import Watchdog
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Reply, Scripted, tools


def cut(*numbers: int, finish: str = "length") -> Reply:
    """Give these items of a list, and break off inside of the next."""
    text = people(*numbers, 0)
    return tools(text, chunk=1, finish=finish, cut_after=1 + len(text) - 4)


async def test_continuations_have_a_budget_of_their_own(harness: Harness) -> None:
    script = [cut(1), cut(2), tools(tasks('{"id": "x"}', {"id": 4})), tools(people(3))]
    with Scripted(script) as server:
        stream = stream_of(harness, server, max_retries=1, max_continuations=2)
        assert ids(await harness.items(stream)) == [1, 2, 4, 3]
    assert (stream.report.continuations, stream.report.attempts) == (2, 4)


@pytest.mark.parametrize(("retries", "continuations", "requests"), [(5, 0, 1), (0, 2, 3), (2, None, 3), (0, None, 1)])
async def test_when_a_budget_is_spent(harness: Harness, retries: int, continuations: int | None, requests: int) -> None:
    with Scripted(lambda asked: cut(asked.number)) as server:
        stream = stream_of(harness, server, max_retries=retries, max_continuations=continuations)
        found, error = await taken(harness, stream)
    assert isinstance(error, IncompleteOutputException)
    assert "length limit" in str(error)
    assert ids(found) == list(range(1, requests + 1))
    assert stream.report.attempts == error.n_attempts == len(error.failed_attempts) == requests
    assert not stream.report.complete


@pytest.mark.parametrize(
    ("first", "second", "delivered", "dropped"),
    [
        ([1, 2, 3, 4], [4, 5], [1, 2, 3, 4, 5], 1),
        ([1, 2, 3, 4], [3, 4, 5], [1, 2, 3, 4, 5], 2),
        ([1, 2, 3, 4], [2, 3, 4], [1, 2, 3, 4], 3),
        ([1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 4),  # the whole list again
        ([1, 2, 3, 4, 5], [1, 2, 3, 5, 6], [1, 2, 3, 4, 5, 1, 2, 3, 5, 6], 0),  # not to its end
        ([1, 2, 3, 4], [3, 5], [1, 2, 3, 4, 3, 5], 0),
        ([1, 2, 3, 4], [5, 4], [1, 2, 3, 4, 5, 4], 0),  # not at the seam: real
        ([7, 7], [7, 8], [7, 7, 8], 1),
        ([7, 7], [7, 7, 7], [7, 7, 7], 2),  # the longest run, and what follows is real
        ([1], [], [1], 0),
    ],
)
async def test_repeats_are_dropped_at_the_seam_only(
    harness: Harness, first: list[int], second: list[int], delivered: list[int], dropped: int
) -> None:
    with Scripted([cut(*first), tools(people(*second))]) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == delivered
    assert stream.report.dropped_repeats == dropped
    assert (stream.report.good, stream.report.complete) == (len(delivered), True)


async def test_a_list_that_broke_before_its_first_item_begins_again(harness: Harness) -> None:
    with Scripted([tools(people(1, 2), cut_after=3), tools(people(1, 2))]) as server:
        assert ids(await harness.items(stream_of(harness, server))) == [1, 2]
    assert server.requests[0].messages == server.requests[1].messages


async def test_a_closed_list_at_the_length_limit_is_not_proven(harness: Harness) -> None:
    """Another tool call may have been about to come: one request more makes sure."""
    with Scripted([tools(people(1, 2), finish="length"), tools(people())]) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == [1, 2]
    assert (stream.report.continuations, stream.report.complete) == (1, True)


async def test_an_open_list_is_not_proven_by_a_good_ending(harness: Harness) -> None:
    with Scripted([tools(people(1, 2)[:-2], finish="stop"), tools(people())]) as server:
        assert ids(await harness.items(stream_of(harness, server))) == [1, 2]
    assert len(server.requests) == 2


async def test_equal_objects_without_end_are_stopped(harness: Harness) -> None:
    with Scripted([tools(people(1, *[5] * 40))]) as server:
        stream = stream_of(harness, server, max_retries=0)
        found, error = await taken(harness, stream)
    assert ids(found) == [1, *[5] * 20]
    assert isinstance(error, IncompleteOutputException)
    assert "ran away" in str(error)
    assert stream.report.finish_reason is None


async def test_after_a_runaway_the_list_goes_on(harness: Harness) -> None:
    with Scripted([tools(people(*[5] * 40)), tools(people(5, 5, 5, 6))]) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == [*[5] * 20, 6]
    assert stream.report.dropped_repeats == 3


@pytest.mark.parametrize("watchdog", [None, Watchdog(repeats=0), Watchdog(repeats=41)])
async def test_repeats_may_be_allowed(harness: Harness, watchdog: Watchdog | None) -> None:
    with Scripted([tools(people(*[5] * 40))]) as server:
        assert len(await harness.items(stream_of(harness, server, watchdog=watchdog))) == 40


async def test_scalars_may_repeat(harness: Harness) -> None:
    with Scripted([tools(tasks(*[7] * 50))]) as server:
        assert await harness.items(stream_of(harness, server, int)) == [7] * 50


async def test_repeats_may_be_allowed_less(harness: Harness) -> None:
    with Scripted([tools(people(*[5] * 40))]) as server:
        found, error = await taken(harness, stream_of(harness, server, max_retries=0, watchdog=Watchdog(repeats=3)))
    assert (len(found), type(error)) == (3, IncompleteOutputException)


@pytest.mark.parametrize(
    ("blanks", "options", "stopped"),
    [
        (5000, {}, True),
        (4000, {}, False),
        (5000, {"watchdog": None}, False),
        (5000, {"watchdog": Watchdog(blanks=0)}, False),
        (200, {"watchdog": Watchdog(blanks=100)}, True),
    ],
)
async def test_white_space_without_end_is_stopped(
    harness: Harness, blanks: int, options: dict[str, Any], stopped: bool
) -> None:
    text = people(1)[:-2] + " " * blanks + "]}"
    with Scripted([tools(text, chunk=50)]) as server:
        found, error = await taken(harness, stream_of(harness, server, max_retries=0, **options))
    assert ids(found) == [1]
    assert isinstance(error, IncompleteOutputException) if stopped else error is None


async def test_a_request_that_fails_ends_it_after_the_good_items(harness: Harness) -> None:
    import openai

    from instructor.testing import error as http_error

    with Scripted([cut(1, 2), http_error(429, "slow down")]) as server:
        found, error = await taken(harness, stream_of(harness, server, Person))
    assert ids(found) == [1, 2]
    assert isinstance(error, openai.RateLimitError)
    assert isinstance(error, InstructorRetryException)
    assert error.report is not None
    assert (error.report.good, error.report.attempts) == (2, 2)
