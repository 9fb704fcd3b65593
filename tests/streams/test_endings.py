"""How a stream may end besides well, and the account that is left of it."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion
from persons import Person, ids, people, said, stream_of, taken, tasks

from harness import Harness, asking
from instructor import Mode, Usage
from instructor.exceptions import IncompleteOutputException, InstructorRetryException, ProviderError, RefusalError
from instructor.testing import Scripted, content, error, refusal, tools

USAGE = Usage(100, 20, 7, 3)


async def test_an_error_inside_a_stream_is_gone_on_after(harness: Harness) -> None:
    with Scripted([tools(people(1, 2), chunk=1, error_after=1 + len(people(1))), tools(people(2))]) as server:
        assert ids(await harness.items(stream_of(harness, server))) == [1, 2]


async def test_an_error_inside_a_stream_is_the_cause_in_the_end(harness: Harness) -> None:
    with Scripted([tools(people(1, 2), chunk=1, error_after=1 + len(people(1)))]) as server:
        found, problem = await taken(harness, stream_of(harness, server, max_retries=0))
    assert ids(found) == [1]
    assert isinstance(problem, IncompleteOutputException)
    assert isinstance(problem.__cause__, ProviderError)
    assert "The server had an error" in str(problem)


async def test_a_content_filter_is_not_asked_again(harness: Harness) -> None:
    script = [tools(people(1, 2), chunk=1, finish="content_filter", cut_after=1 + len(people(1)))]
    with Scripted(script) as server:
        found, problem = await taken(harness, stream := stream_of(harness, server))
    assert ids(found) == [1]
    assert isinstance(problem, IncompleteOutputException)
    assert "content filter" in str(problem)
    assert (stream.report.attempts, stream.report.finish_reason) == (1, "filter")


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
async def test_a_refusal_is_told_in_its_words(harness: Harness, mode: Mode) -> None:
    with Scripted([refusal("I would rather not.")]) as server:
        found, problem = await taken(harness, stream_of(harness, server, mode=mode))
    assert found == []
    assert isinstance(problem, RefusalError)
    assert isinstance(problem, InstructorRetryException)
    assert problem.__cause__ is not None
    assert "I would rather not." in str(problem)


async def test_a_silent_server_is_a_broken_stream(harness: Harness) -> None:
    timeout = httpx2.Timeout(30.0, read=0.2)
    script = [tools(people(1, 2), chunk=1, silence_after=1 + len(people(1))), tools(people(2))]
    with Scripted(script) as server:
        client = harness.client(server, timeout=timeout)
        stream = client.create_iterable(response_model=Person, **asking())
        assert ids(await harness.items(stream)) == [1, 2]
        server.add(script[0])
        stream = client.create_iterable(response_model=Person, max_retries=0, **asking())
        found, problem = await taken(harness, stream)
    assert ids(found) == [1]
    assert isinstance(problem, IncompleteOutputException)
    assert isinstance(problem.__cause__, openai.APITimeoutError)


async def test_tokens_are_exact_where_they_are_told(harness: Harness) -> None:
    script = [
        tools(people(1, 2)[:-8], finish="length", usage=USAGE),
        tools(tasks({"id": 2}, '{"id": "x"}'), usage=USAGE),
        tools(people(3), usage=USAGE),
    ]
    with Scripted(script) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == [1, 2, 3]
    assert server.requests[0].body["stream_options"] == {"include_usage": True}
    assert stream.report.usage == Usage(300, 60, 21, 9, exact=True)
    assert stream.report.usage.by_cause == {"first": USAGE, "continuation": USAGE, "reask": USAGE}


async def test_tokens_are_estimated_where_they_are_not(harness: Harness) -> None:
    script = [
        tools(people(1, 2)[:-8], finish="length", usage=USAGE),
        tools(people(2), usage=False),
    ]
    with Scripted(script) as server:
        stream = stream_of(harness, server)
        await harness.items(stream)
    usage = stream.report.usage
    assert not usage.exact
    assert usage.by_cause["first"] == USAGE
    told = usage.by_cause["continuation"]
    assert told.output_tokens == len(people(2)) // 4
    assert told.input_tokens == pytest.approx(len(server.requests[1].raw) / 4, rel=0.1)


async def test_the_completion_is_the_providers_object(harness: Harness) -> None:
    with Scripted([tools(people(1, 2), usage=USAGE)]) as server:
        stream = stream_of(harness, server)
        await harness.items(stream)
    completion: Any = stream.completion
    assert (completion.id, completion.model) == ("chatcmpl-1", "scripted")
    call = completion.choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("IterablePerson", people(1, 2))
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage.total_tokens == 120
    assert type(completion) is ChatCompletion
    assert stream.response_headers["x-request-id"] == "req_1"


async def test_the_completion_of_an_endless_list_is_not_kept_whole(harness: Harness) -> None:
    item = {"id": 1, "name": "x" * 300_000}
    with Scripted([tools(tasks(*[item] * 6), chunk=100_000)]) as server:
        stream = stream_of(harness, server)
        assert len(await harness.items(stream)) == 6
    kept = stream.completion.choices[0].message.tool_calls[0].function.arguments
    whole = tasks(*[item] * 6)
    assert kept == f"{whole[: 1 << 20]}… ({len(whole) - (1 << 20)} more characters were not kept)"
    assert stream.report.usage.output_tokens > 6 * 300_000 // 4


async def test_the_report_tells_of_time(harness: Harness) -> None:
    with Scripted([tools(people(1, 2))]) as server:
        stream = stream_of(harness, server)
        assert stream.report.time_to_first_item is None
        await harness.next(stream)
        first: Any = stream.report.time_to_first_item
        assert first > 0
        await harness.items(stream)
    assert stream.report.time_to_first_item == first
    assert stream.report.duration >= first


async def test_the_report_after_a_failed_request(harness: Harness) -> None:
    with Scripted([error(500, "overloaded")]) as server:
        found, problem = await taken(harness, stream := stream_of(harness, server))
    assert found == []
    assert isinstance(problem, openai.InternalServerError)
    report = stream.report
    assert (report.attempts, report.good, report.complete, report.usage) == (1, 0, False, Usage())
    assert stream.completion is None


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
async def test_small_faults_are_mended_without_a_request(harness: Harness, mode: Mode) -> None:
    bell, tab = "\x07", "\t"
    text = (
        '\ufeff{"tasks": [{"id": 1, "name": "a' + bell + tab + 'b",}, {"id": 2, "name": "line\nbreak"},'
        " {'id': 3, 'name': 'single'}, {\"id\": 4, \"name\": \"plain\"},]}"
    )
    with Scripted([said(text, mode)]) as server:
        stream = stream_of(harness, server, mode=mode)
        found = await harness.items(stream)
    assert [person.name for person in found] == ["a\x07\tb", "line\nbreak", "single", "plain"]
    assert (stream.report.mended, stream.report.bad, stream.report.attempts) == (3, 0, 1)
    assert stream.report.complete


async def test_text_around_the_tool_calls_is_no_item(harness: Harness) -> None:
    with Scripted([tools(people(1), people(2), text='Here [as asked]: {"tasks": [{"id": 9}]}')]) as server:
        assert ids(await harness.items(stream_of(harness, server))) == [1, 2]


async def test_a_whole_list_tells_the_same(harness: Harness) -> None:
    with Scripted([content(json.dumps({"tasks": [{"id": 1}]}), usage=USAGE)]) as server:
        found = await harness.create(harness.client(server, Mode.JSON), response_model=list[Person])
    assert found.report.usage == USAGE
    assert type(found.get_raw_response()) is ChatCompletion
    assert (found.report.good, found.report.complete, found.report.finish_reason) == (1, True, "stop")
