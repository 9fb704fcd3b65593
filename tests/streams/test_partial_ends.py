"""One value that grows: what is cut or wrong at its end never passes for whole."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from persons import said, taken
from pydantic import BaseModel, ValidationError

from colours import Colour, asking
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


def growing(colour: Colour, server: Scripted, mode: Mode = Mode.TOOLS, kind: Any = Book, **options: Any) -> Any:
    return colour.client(server, mode).create_partial(response_model=kind, **asking(**options))


@pytest.mark.parametrize("mode", MODES)
async def test_a_wrong_final_value_is_asked_again_and_grows_again(colour: Colour, mode: Mode) -> None:
    with Scripted([said(WRONG, mode), said(GOOD, mode)]) as server:
        stream = growing(colour, server, mode)
        told: list[tuple[Any, int]] = []
        if colour.awaiting:
            async for book in stream:
                told.append((book, stream.report.attempts))  # noqa: PERF401 - the two colours look alike
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


async def test_a_wrong_final_value_without_budget_is_an_error(colour: Colour) -> None:
    with Scripted([said(WRONG)]) as server:
        found, error = await taken(colour, growing(colour, server, max_retries=0))
    assert found
    assert isinstance(error, InstructorRetryException)
    assert isinstance(error.__cause__, ValidationError)
    assert [failed.index for failed in error.failed_items] == [0]


@pytest.mark.parametrize("mode", MODES)
async def test_cut_anywhere_it_is_never_a_clean_end(colour: Colour, mode: Mode) -> None:
    events = len(GOOD) // 4 + 1
    with Scripted() as server:
        for place in range(1, events, 2):
            for fault in ("cut_after", "drop_after", "length"):
                faults: Any = {"finish": "length", "cut_after": place} if fault == "length" else {fault: place}
                server.add(said(GOOD, mode, **faults))
                stream = growing(colour, server, mode, max_retries=0)
                found, error = await taken(colour, stream)
                assert isinstance(error, IncompleteOutputException), (place, fault)
                assert BOOK not in found
                assert not stream.report.complete
                assert stream.report.good == 0


async def test_a_lost_connection_is_asked_again_and_a_length_limit_is_not(colour: Colour) -> None:
    with Scripted([said(GOOD, drop_after=9), said(GOOD), said(GOOD, finish="length", cut_after=9)]) as server:
        assert (await colour.items(growing(colour, server)))[-1] == BOOK
        _, error = await taken(colour, growing(colour, server))
    assert isinstance(error, IncompleteOutputException)
    assert len(server.requests) == 3


async def test_a_whole_value_needs_no_terminal_event(colour: Colour) -> None:
    place = 1 + -(-len(GOOD) // 4)
    with Scripted([said(GOOD, drop_after=place)]) as server:
        stream = growing(colour, server, max_retries=0)
        assert (await colour.items(stream))[-1] == BOOK
    assert (stream.report.good, stream.report.complete, stream.report.finish_reason) == (1, True, None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_a_whole_value_that_is_said_to_be_cut_is_cut(colour: Colour, mode: Mode, finish: str) -> None:
    with Scripted([said(GOOD, mode, finish=finish)] * 3) as server:
        stream = growing(colour, server, mode)
        found, error = await taken(colour, stream)
        assert BOOK in found  # as a snapshot, which may be anything
        assert isinstance(error, IncompleteOutputException)
        assert (stream.report.good, stream.report.complete, stream.report.attempts) == (0, False, 1)
        for kind in (Book, Partial[Book]):
            with pytest.raises(IncompleteOutputException):
                await colour.create(colour.client(server, mode), response_model=kind)
    assert len(server.requests) == 3


async def test_a_part_of_a_cut_value_is_not_taken_for_it(colour: Colour) -> None:
    text = '{"name": "outer", "inside": {"name": "inner"}, "x": [1'
    for mode in MODES:
        with Scripted([said(text, mode, finish="length"), said(text, mode)]) as server:
            for options in ({}, {"max_retries": 0}):
                found, error = await taken(colour, growing(colour, server, mode, Node, **options))
                assert error is not None, mode
                assert Node(name="inner") not in found
                assert isinstance(error, IncompleteOutputException if not options else InstructorRetryException), mode


async def test_riders_and_the_stream_tell_the_same(colour: Colour) -> None:
    with Scripted([said(GOOD)]) as server:
        client = colour.client(server)
        stream = await colour.result(client.create(response_model=Partial[Book], stream=True, **asking()))
        assert (await colour.items(stream))[-1] == BOOK
    assert stream.completion.choices[0].message.tool_calls[0].function.arguments == GOOD
    assert stream.report.usage.exact
    assert stream.report.time_to_first_item is not None


async def test_a_refused_value(colour: Colour) -> None:
    with Scripted([refusal("No.")]) as server:
        found, error = await taken(colour, growing(colour, server))
    assert found == []
    assert isinstance(error, InstructorRetryException)
    assert "No." in str(error)


async def test_a_whole_value_tells_its_report(colour: Colour) -> None:
    with Scripted([answer(WRONG), answer(GOOD)]) as server:
        book = await colour.create(colour.client(server), response_model=Book)
    assert book == BOOK
    assert (book.report.attempts, book.report.repaired, book.report.good) == (2, 1, 1)


async def test_the_sdks_error_is_its_own(colour: Colour) -> None:
    from instructor.testing import error as http_error

    with Scripted([http_error(401, "no")]) as server:
        found, error = await taken(colour, growing(colour, server))
    assert found == []
    assert isinstance(error, openai.AuthenticationError)
