"""Items that are tool calls of their own: without arguments, of tools that nobody gave, and when there is no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import pytest
from persons import stream_of, taken
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Scripted, ToolCall, answer, content, tools


class Ping(BaseModel):
    note: str | None = None


class Say(BaseModel):
    text: str


ASKED = Iterable[Ping | Say]
SAY = ToolCall('{"text": "hi"}', "Say")


async def found_in(harness: Harness, server: Scripted, *, streamed: bool, **options: Any) -> tuple[list[Any], Any]:
    """Ask for all calls, streamed or not; give them, and the report."""
    if streamed:
        stream = stream_of(harness, server, ASKED, Mode.PARALLEL_TOOLS, **options)
        return await harness.items(stream), stream.report
    whole = await harness.create(harness.client(server, Mode.PARALLEL_TOOLS), ASKED, **options)
    return whole, whole.report


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("nothing", ["", " \n"])
async def test_a_call_without_arguments(harness: Harness, streamed: bool, nothing: str) -> None:
    with Scripted([tools(ToolCall(nothing, "Ping"), SAY, ToolCall("", "Ping"))]) as server:
        found, report = await found_in(harness, server, streamed=streamed, max_retries=0)
    order = [Say(text="hi"), Ping(), Ping()] if streamed else [Ping(), Say(text="hi"), Ping()]
    assert found == order  # a stream knows at its end only that no arguments come
    assert (report.good, report.complete) == (3, True)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_without_arguments_is_wrong_where_they_are_needed(harness: Harness, streamed: bool) -> None:
    with Scripted([tools(ToolCall("", "Say")), tools(SAY)]) as server:
        found, report = await found_in(harness, server, streamed=streamed)
    assert found == [Say(text="hi")]
    assert (report.repaired, report.attempts) == (1, 2)
    assert "text" in server.requests[1].messages[-1]["content"]
    assert server.requests[1].messages[1]["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize("streamed", [False, True])
async def test_without_proof_it_may_have_been_cut(harness: Harness, streamed: bool) -> None:
    with Scripted([tools(SAY, ToolCall("", "Ping"), finish="length"), answer(ToolCall("", "Ping"))]) as server:
        found, report = await found_in(harness, server, streamed=streamed)
    assert found == [Say(text="hi"), Ping()]
    assert report.continuations == 1
    with Scripted([tools(SAY, ToolCall("", "Ping"), chunk=99, cut_after=3)]) as server:
        got, error = await taken(harness, stream_of(harness, server, ASKED, Mode.PARALLEL_TOOLS, max_retries=0))
    assert got == [Say(text="hi")]
    assert isinstance(error, IncompleteOutputException)


@contextmanager
def blocks(harness: Harness, server: Scripted) -> Iterator[Any]:
    kind = anthropic.AsyncAnthropic if harness.is_async else anthropic.Anthropic
    sdk: Any = harness.kept(kind(base_url=server.base_url.removesuffix("/v1"), api_key="none", max_retries=0))
    yield instructor.from_anthropic(sdk, mode=Mode.PARALLEL_TOOLS, model="claude", max_tokens=99)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_block_whose_input_comes_as_nothing(harness: Harness, streamed: bool) -> None:
    with Scripted([tools(ToolCall("", "Ping"), SAY)]) as server, blocks(harness, server) as client:
        if streamed:
            found = await harness.items(client.create_iterable(response_model=ASKED, **asking(max_retries=0)))
        else:
            found = await harness.create(client, ASKED, max_retries=0)
    assert sorted(found, key=repr) == [Ping(), Say(text="hi")]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_continuation_without_a_call_ends_the_list(harness: Harness, streamed: bool) -> None:
    with Scripted([tools(SAY, finish="length"), content("That was all.")]) as server:
        found, report = await found_in(harness, server, streamed=streamed)
    assert found == [Say(text="hi")]
    assert (report.attempts, report.continuations, report.complete) == (2, 1, True)
    asked = server.requests[1].messages[-1]["content"]
    assert "do not call a tool" in asked
    assert "empty list" not in asked


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_wrong_is_asked_for_still(harness: Harness, streamed: bool) -> None:
    wrong = ToolCall('{"text": 5}', "Say")
    with Scripted([tools(wrong, finish="length"), content("That was all."), tools(SAY)]) as server:
        found, report = await found_in(harness, server, streamed=streamed)
    assert found == [Say(text="hi")]
    assert (report.repaired, report.attempts, report.complete) == (1, 3, True)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("first", [content("No."), tools('{"note": "a', name="Ping", finish="length")])
async def test_before_the_first_item_no_call_ends_nothing(harness: Harness, streamed: bool, first: Any) -> None:
    with Scripted([first, content("No."), tools(SAY)]) as server:
        found, report = await found_in(harness, server, streamed=streamed)
    assert found == [Say(text="hi")]
    assert report.attempts == 3
    assert "Call `Ping`, `Say`, once for each item" in server.requests[2].messages[-1]["content"]


STRANGE = ToolCall('{"q": "weather"}', "Search")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_of_an_unknown_tool_is_passed_over_and_told_of(harness: Harness, streamed: bool) -> None:
    with Scripted([tools(STRANGE, SAY, STRANGE, ToolCall('{"q": ', "Search"))]) as server:
        client = harness.client(server, Mode.PARALLEL_TOOLS)
        told: list[Any] = []
        client.on("parse:error", told.append)
        asked = await harness.result(client.create(response_model=ASKED, stream=streamed, **asking(max_retries=0)))
        found = await harness.items(asked) if streamed else asked
    assert found == [Say(text="hi")]
    assert [str(each) for each in told] == ["No tool is called 'Search'; there are Ping, Say."] * 3
    assert told[0].text == STRANGE.arguments
    report = asked.report
    assert (report.good, report.bad, report.unknown_calls, report.attempts) == (1, 0, 3, 1)
    assert report.complete


@pytest.mark.parametrize("streamed", [False, True])
async def test_nothing_but_unknown_tools_is_asked_again(harness: Harness, streamed: bool) -> None:
    with Scripted([tools(STRANGE), tools(SAY)] * 2) as server:
        found, report = await found_in(harness, server, streamed=streamed, max_retries=1)
        assert found == [Say(text="hi")]
        assert (report.unknown_calls, report.repaired, report.attempts) == (1, 0, 2)
        _, said, result = server.requests[1].messages
        assert said["tool_calls"][0]["id"] == result["tool_call_id"]
        assert "Call `Ping`, `Say`" in result["content"]
        with pytest.raises(InstructorRetryException, match="calls Search, and no tool of the answer"):
            await found_in(harness, server, streamed=streamed, max_retries=0)
