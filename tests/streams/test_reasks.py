"""What becomes of wrong items: asked for again, matched to their places, left out, or raised."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tenacity
from persons import Person, ids, people, said, stream_of, taken, tasks
from pydantic import BaseModel, ValidationError, field_validator

from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Scripted, answer, content, tools

BAD = '{"id": "x"}'


def shown(server: Scripted, request: int) -> Any:
    """Read the items that a request shows to the model."""
    return json.loads(server.requests[request].messages[1]["tool_calls"][0]["function"]["arguments"])["tasks"]


async def test_one_request_asks_for_all_wrong_items_and_no_good_one(harness: Harness) -> None:
    with Scripted(
        [tools(tasks({"id": 1}, BAD, {"id": 3}, '{"name": "four"}', {"id": 5})), tools(people(2, 4))]
    ) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == [1, 3, 5, 2, 4]
    assert shown(server, 1) == [{"id": "x"}, {"name": "four"}]
    assert server.requests[0].messages == server.requests[1].messages[:1]
    notes = server.requests[1].messages[2]["content"]
    assert "item 1: Input should be a valid integer" in notes
    assert "@ $.id, not 'x'" in notes
    assert "item 2: Field required @ $.id" in notes
    assert "http" not in notes
    report = stream.report
    assert (report.good, report.bad, report.repaired, report.failed_items) == (5, 2, 2, [])
    assert (report.attempts, report.continuations, report.complete) == (2, 0, True)


async def test_corrected_items_keep_their_index(harness: Harness) -> None:
    good: list[tuple[int, int]] = []
    bad: list[tuple[int, str]] = []
    with Scripted([tools(tasks({"id": 10}, BAD, {"id": 12}, BAD)), tools(tasks({"id": 11}, BAD))]) as server:
        client = harness.client(server)
        client.on("item:good", lambda index, person: good.append((index, person.id)))
        client.on("item:bad", lambda index, text, _: bad.append((index, text)))
        stream = client.create_iterable(response_model=Person, max_retries=1, **asking())
        found, error = await taken(harness, stream)
    assert ids(found) == [10, 12, 11]
    assert good == [(0, 10), (2, 12), (1, 11)]
    assert bad == [(1, BAD), (3, BAD), (3, BAD)]
    assert isinstance(error, InstructorRetryException)
    assert [(failed.index, failed.text) for failed in error.failed_items] == [(3, BAD)]
    assert "valid integer" in error.failed_items[0].errors[0]
    assert (stream.report.bad, stream.report.repaired, stream.report.good) == (2, 1, 3)


@pytest.mark.parametrize(
    ("second", "delivered"),
    [
        ([21, 23], [20, 22, 24, 21, 23]),  # as many as were asked for
        ([21], [20, 22, 24, 31, 33]),  # fewer: which one it is cannot be told
        ([21, 22, 23], [20, 22, 24, 31, 33]),  # more
        ([20, 21, 22, 23, 24], [20, 22, 24, 21, 23]),  # the whole list
        ([1, 2, 3, 4, 5], [20, 22, 24, 31, 33]),  # as many as the whole list has, but another
        ([], [20, 22, 24, 31, 33]),
    ],
)
async def test_answers_are_matched_with_certainty_or_not_at_all(
    harness: Harness, second: list[int], delivered: list[int]
) -> None:
    first = tasks({"id": 20}, BAD, {"id": 22}, BAD, {"id": 24})
    with Scripted([tools(first), tools(people(*second)), tools(people(31, 33))], strict=False) as server:
        stream = stream_of(harness, server, max_retries=2)
        assert ids(await harness.items(stream)) == delivered
    assert stream.report.failed_items == []
    assert stream.report.good == 5


async def test_a_cut_answer_is_matched_as_far_as_it_goes(harness: Harness) -> None:
    with Scripted([
        tools(tasks(BAD, BAD, BAD)),
        tools(people(1, 2, 3), chunk=1, cut_after=1 + len(people(1))),
        tools(people(2, 3)),
    ]) as server:  # fmt: skip
        assert ids(await harness.items(stream_of(harness, server, max_retries=2))) == [1, 2, 3]
    assert len(shown(server, 2)) == 2


async def test_continuations_come_first_and_then_one_reask_for_all(harness: Harness) -> None:
    first = tools(tasks(BAD, {"id": 1}, {"id": 2}), chunk=1, finish="length", cut_after=len(tasks(BAD, {"id": 1})))
    with Scripted([first, tools(tasks({"id": 2}, BAD)), tools(people(0, 3))]) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == [1, 2, 0, 3]
    assert shown(server, 1) == [{"id": "x"}, {"id": 1}]
    assert shown(server, 2) == [{"id": "x"}, {"id": "x"}]
    assert (stream.report.continuations, stream.report.attempts) == (1, 3)


async def test_skip_leaves_out_and_reports(harness: Harness) -> None:
    with Scripted([tools(tasks({"id": 1}, BAD, {"id": 3}))]) as server:
        stream = stream_of(harness, server, on_invalid="skip")
        assert ids(await harness.items(stream)) == [1, 3]
    report = stream.report
    assert [(failed.index, failed.text) for failed in report.failed_items] == [(1, BAD)]
    assert (report.good, report.bad, report.repaired, report.complete) == (2, 1, 0, False)


async def test_raise_stops_at_the_first_after_the_good_ones_of_the_same_read(harness: Harness) -> None:
    with Scripted([tools(tasks({"id": 1}, {"id": 2}, BAD, {"id": 4}), events_per_write="all")]) as server:
        found, error = await taken(harness, stream := stream_of(harness, server, on_invalid="raise"))
    assert ids(found) == [1, 2]
    assert isinstance(error, InstructorRetryException)
    assert isinstance(error.__cause__, ValidationError)
    assert [failed.index for failed in error.failed_items] == [2]
    assert (stream.report.good, stream.report.attempts) == (2, 1)


@pytest.mark.parametrize("max_retries", [2, tenacity.Retrying(stop=tenacity.stop_after_attempt(3), reraise=True)])
async def test_a_validator_that_fails_in_its_own_way(harness: Harness, max_retries: Any) -> None:
    class Picky(BaseModel):
        id: int

        @field_validator("id")
        @classmethod
        def looked_up(cls, value: int) -> int:
            return {1: 1, 2: 2, 4: 4, 5: 5}[value]

    script = [tools(people(1, 2, 3, 4), events_per_write="all"), tools(people(4)), tools(people(5))]
    with Scripted(script) as server:
        found, error = await taken(harness, stream_of(harness, server, Picky, max_retries=max_retries))
        if max_retries == 2:  # a fault of the program, not of the model: nothing is asked again
            assert ids(found) == [1, 2]
            assert isinstance(error, InstructorRetryException)
            assert isinstance(error.__cause__, KeyError)
            assert [failed.index for failed in error.failed_items] == [2]
            assert len(server.requests) == 1
            return
        # A policy that tries again after everything goes on where it stopped, and repeats nothing.
        assert error is None
        assert ids(found) == [1, 2, 4, 5]
        assert shown(server, 1)[-1] == {"id": 3}


async def test_a_reply_without_a_list_is_asked_again(harness: Harness) -> None:
    with Scripted([content("I would rather [not]."), tools(people(1, 2))]) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == [1, 2]
    assert "The answer did not call a tool" in server.requests[1].messages[-1]["content"]
    assert set(stream.report.usage.by_cause) == {"first", "reask"}
    assert stream.report.bad == 0


async def test_after_nothing_in_a_continuation_the_seam_is_the_same(harness: Harness) -> None:
    script = [
        tools(people(1, 2), cut_after=8),
        content("That was all."),
        tools(people(1, 2)),
    ]
    with Scripted(script) as server:
        stream = stream_of(harness, server)
        found = ids(await harness.items(stream))
    assert found == [1, 2]
    assert (stream.report.continuations, stream.report.dropped_repeats) == (1, 1)
    assert set(stream.report.usage.by_cause) == {"first", "continuation", "reask"}


async def test_nothing_in_a_reask_leaves_the_items_asked_for(harness: Harness) -> None:
    with Scripted([tools(tasks(BAD, {"id": 2})), content("No."), tools(people(1))]) as server:
        assert ids(await harness.items(stream_of(harness, server))) == [2, 1]


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
async def test_whole_lists_are_asked_for_by_their_items_too(harness: Harness, mode: Mode) -> None:
    with Scripted([answer(tasks({"id": 1}, BAD, {"id": 3})), answer(people(2))]) as server:
        found = await harness.create(harness.client(server, mode), response_model=list[Person])
    assert ids(found) == [1, 3, 2]
    assert (found.report.repaired, found.report.attempts) == (1, 2)
    assert "3" not in json.dumps(server.requests[1].messages[1])


async def test_whole_lists_go_on_at_the_length_limit(harness: Harness) -> None:
    half = people(1, 2, 3)[: len(people(1, 2)) + 3]
    with Scripted([answer(half, finish="length"), answer(people(2, 3))]) as server:
        found = await harness.create(harness.client(server), response_model=list[Person])
    assert ids(found) == [1, 2, 3]
    assert (found.report.continuations, found.report.dropped_repeats) == (1, 1)


async def test_a_whole_list_without_budget_says_what_is_missing(harness: Harness) -> None:
    script = [answer(people(1, 2)[:-8], finish="length")]
    with Scripted(script) as server, pytest.raises(IncompleteOutputException) as caught:
        await harness.create(harness.client(server), response_model=list[Person], max_retries=0)
    error = caught.value
    assert error.report is not None
    assert (error.report.good, error.report.finish_reason, error.n_attempts) == (1, "length", 1)
    assert error.last_completion.choices[0].finish_reason == "length"


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.MD_JSON])
async def test_the_error_says_everything(harness: Harness, mode: Mode) -> None:
    with Scripted([said(tasks({"id": 1}, BAD), mode), said(tasks(BAD), mode)]) as server:
        found, error = await taken(harness, stream_of(harness, server, mode=mode, max_retries=1))
    assert ids(found) == [1]
    assert isinstance(error, InstructorRetryException)
    assert error.n_attempts == 2
    assert [attempt.attempt_number for attempt in error.failed_attempts] == [1, 2]
    assert all(isinstance(attempt.exception, ValidationError) for attempt in error.failed_attempts)
    assert error.failed_attempts[0].completion.object == "chat.completion"
    assert error.last_completion.object == "chat.completion"
    assert error.messages == list(server.requests[1].messages)
    assert error.total_usage == error.report.usage if error.report else False
    assert error.create_kwargs["model"] == "scripted"
