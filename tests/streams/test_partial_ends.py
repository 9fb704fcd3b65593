"""One value that grows: what is cut or wrong at its end never passes for whole."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from persons import said, taken
from pydantic import BaseModel, ValidationError

from harness import Harness, asking
from instructor import Mode, Partial
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Scripted, answer, refusal

GOOD = '{"title": "Notes", "author": {"name": "Ann", "age": 30}, "pages": 12}'
WRONG = '{"title": "Notes", "author": {"name": "Ann", "age": "thirty"}, "pages": 12}'


class Author(BaseModel):
    name: str
    age: int


class Book(BaseModel):
    title: str
    author: Author
    pages: int


class Node(BaseModel):
    name: str = ""
    inside: Node | None = None


BOOK = Book(title="Notes", author=Author(name="Ann", age=30), pages=12)
MODES = (Mode.TOOLS, Mode.JSON, Mode.MD_JSON)


def growing(harness: Harness, server: Scripted, mode: Mode = Mode.TOOLS, kind: Any = Book, **options: Any) -> Any:
    return harness.client(server, mode).create_partial(response_model=kind, **asking(**options))


@pytest.mark.parametrize("mode", MODES)
async def test_a_wrong_final_value_is_asked_again_and_grows_again(harness: Harness, mode: Mode) -> None:
    with Scripted([said(WRONG, mode), said(GOOD, mode)]) as server:
        stream = growing(harness, server, mode)
        told: list[tuple[Any, int]] = []
        if harness.is_async:
            async for book in stream:
                told.append((book, stream.report.attempts))  # noqa: PERF401 - sync and async look alike
        else:
            told += [(book, stream.report.attempts) for book in stream]
    last, attempts = told[-1][0], [attempt for _, attempt in told]
    assert last == BOOK
    assert type(last) is Book
    assert set(attempts) == {1, 2}
    assert attempts == sorted(attempts)
    assert "valid integer" in server.requests[1].messages[-1]["content"]
    assert "@ $.author.age" in server.requests[1].messages[-1]["content"]
    report = stream.report
    assert (report.good, report.bad, report.repaired, report.attempts) == (1, 1, 1, 2)
    assert (report.complete, report.failed_items) == (True, [])


async def test_a_wrong_final_value_without_budget_is_an_error(harness: Harness) -> None:
    with Scripted([said(WRONG)]) as server:
        found, error = await taken(harness, growing(harness, server, max_retries=0))
    assert found
    assert isinstance(error, InstructorRetryException)
    assert isinstance(error.__cause__, ValidationError)
    assert [failed.index for failed in error.failed_items] == [0]


@pytest.mark.parametrize("mode", MODES)
async def test_cut_anywhere_it_is_never_a_clean_end(harness: Harness, mode: Mode) -> None:
    events = len(GOOD) // 4 + 1
    with Scripted() as server:
        for place in range(1, events, 2):
            for fault in ("cut_after", "drop_after", "length"):
                faults: Any = {"finish": "length", "cut_after": place} if fault == "length" else {fault: place}
                server.add(said(GOOD, mode, **faults))
                stream = growing(harness, server, mode, max_retries=0)
                found, error = await taken(harness, stream)
                assert isinstance(error, IncompleteOutputException), (place, fault)
                assert BOOK not in found
                assert not stream.report.complete
                assert stream.report.good == 0


async def test_a_lost_connection_is_asked_again_and_a_length_limit_is_not(harness: Harness) -> None:
    with Scripted([said(GOOD, drop_after=9), said(GOOD), said(GOOD, finish="length", cut_after=9)]) as server:
        assert (await harness.items(growing(harness, server)))[-1] == BOOK
        _, error = await taken(harness, growing(harness, server))
    assert isinstance(error, IncompleteOutputException)
    assert len(server.requests) == 3


async def test_a_whole_value_needs_no_terminal_event(harness: Harness) -> None:
    place = 1 + -(-len(GOOD) // 4)
    with Scripted([said(GOOD, drop_after=place)]) as server:
        stream = growing(harness, server, max_retries=0)
        assert (await harness.items(stream))[-1] == BOOK
    assert (stream.report.good, stream.report.complete, stream.report.finish_reason) == (1, True, None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_a_whole_value_that_is_said_to_be_cut_is_cut(harness: Harness, mode: Mode, finish: str) -> None:
    with Scripted([said(GOOD, mode, finish=finish)] * 3) as server:
        stream = growing(harness, server, mode)
        found, error = await taken(harness, stream)
        assert BOOK in found  # as a snapshot, which may be anything
        assert isinstance(error, IncompleteOutputException)
        assert (stream.report.good, stream.report.complete, stream.report.attempts) == (0, False, 1)
        for kind in (Book, Partial[Book]):
            with pytest.raises(IncompleteOutputException):
                await harness.create(harness.client(server, mode), response_model=kind)
    assert len(server.requests) == 3


async def test_a_part_of_a_cut_value_is_not_taken_for_it(harness: Harness) -> None:
    text = '{"name": "outer", "inside": {"name": "inner"}, "x": [1'
    for mode in MODES:
        with Scripted([said(text, mode, finish="length"), said(text, mode)]) as server:
            for options in ({}, {"max_retries": 0}):
                found, error = await taken(harness, growing(harness, server, mode, Node, **options))
                assert error is not None, mode
                assert Node(name="inner") not in found
                assert isinstance(error, IncompleteOutputException if not options else InstructorRetryException), mode


async def test_riders_and_the_stream_tell_the_same(harness: Harness) -> None:
    with Scripted([said(GOOD)]) as server:
        client = harness.client(server)
        stream = await harness.result(client.create(response_model=Partial[Book], stream=True, **asking()))
        assert (await harness.items(stream))[-1] == BOOK
    assert stream.completion.choices[0].message.tool_calls[0].function.arguments == GOOD
    assert stream.report.usage.exact
    assert stream.report.time_to_first_item is not None


async def test_a_refused_value(harness: Harness) -> None:
    with Scripted([refusal("No.")]) as server:
        found, error = await taken(harness, growing(harness, server))
    assert found == []
    assert isinstance(error, InstructorRetryException)
    assert "No." in str(error)


async def test_a_whole_value_tells_its_report(harness: Harness) -> None:
    with Scripted([answer(WRONG), answer(GOOD)]) as server:
        book = await harness.create(harness.client(server), response_model=Book)
    assert book == BOOK
    assert (book.report.attempts, book.report.repaired, book.report.good) == (2, 1, 1)


async def test_the_sdks_error_is_its_own(harness: Harness) -> None:
    from instructor.testing import error as http_error

    with Scripted([http_error(401, "no")]) as server:
        found, error = await taken(harness, growing(harness, server))
    assert found == []
    assert isinstance(error, openai.AuthenticationError)
