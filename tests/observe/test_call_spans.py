"""Traces: which spans there are, below which, with what in them, and that each of them ends."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
import trio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import BaseModel, field_validator

from harness import Harness, asking
from instructor import observe
from instructor.cache import AutoCache
from instructor.exceptions import ConfigurationError, InstructorRetryException
from instructor.observe.conventions import LATEST, OPT_IN
from instructor.testing import Gate, Scripted, answer, content, error, tools
from instructor.usage import Usage
from observed import Seen, identity, named, parent


class User(BaseModel):
    name: str
    age: int


ANN, BOB, WRONG = {"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}, {"name": "Eve"}


def people(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Person {at}", "age": at} for at in range(count)]


def current() -> int:
    return trace.get_current_span().get_span_context().span_id


async def test_a_call_is_a_span_and_its_request_one_below(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    server = scripted_server([answer(ANN, usage=Usage(30, 7, cached_tokens=10))])
    await harness.create(harness.client(server), User, temperature=0.5, max_tokens=100, stop="END")
    call, request = seen.call, seen.request
    assert (call.name, call.kind, call.status.status_code) == ("extract User", SpanKind.INTERNAL, StatusCode.UNSET)
    assert parent(call) is None
    assert parent(request) == identity(call)
    assert request.name == "chat scripted"
    assert named(request) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.output.type": "json",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "scripted",
        "gen_ai.response.finish_reasons": ("tool_call",),
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 7,
        "server.address": "127.0.0.1",
        "server.port": int(server.base_url.split(":")[2].split("/")[0]),
        "instructor.cause": "first",
        "instructor.request": 1,
    }
    told = named(call)
    assert told.pop("instructor.time_to_first_item") > 0
    assert told == {
        "instructor.type": "User",
        "instructor.mode": "tool_call",
        "instructor.stream": False,
        "instructor.complete": True,
        "instructor.requests": 1,
        "instructor.items.good": 1,
        "instructor.usage.input_tokens": 30,
        "instructor.usage.output_tokens": 7,
    }
    assert seen.events == []
    for span in seen.spans:
        assert span.instrumentation_scope is not None
        assert span.instrumentation_scope.name == "instructor"
        assert dict(span.instrumentation_scope.attributes or {}) == {"instructor.format": 1}


async def test_the_newest_names_come_with_the_standard_variable(
    harness: Harness, scripted_server: Any, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPT_IN, f"http/dup, {LATEST}")
    seen.enable()
    usage = Usage(30, 7, cached_tokens=10, reasoning_tokens=3)
    client = harness.client(scripted_server([answer([ANN, BOB], usage=usage)]))
    await harness.items(client.create_iterable(**asking(response_model=User)))
    told = named(seen.request)
    assert "gen_ai.system" not in told
    assert told["gen_ai.provider.name"] == "openai"
    assert told["gen_ai.request.stream"] is True
    assert 0 < told["gen_ai.response.time_to_first_chunk"] < 60
    assert told["gen_ai.usage.cache_read.input_tokens"] == 10
    assert told["gen_ai.usage.reasoning.output_tokens"] == 3


async def test_nothing_on_the_call_is_counted_by_viewers(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer([ANN, WRONG]), answer([BOB])]))
    await harness.items(client.create_iterable(**asking(response_model=User)))
    assert {name.partition(".")[0] for name in named(seen.call)} == {"instructor"}
    sums = [sum(named(span)[f"gen_ai.usage.{side}_tokens"] for span in seen.requests) for side in ("input", "output")]
    assert sums == [named(seen.call)[f"instructor.usage.{side}_tokens"] for side in ("input", "output")]


async def test_a_reask_says_so(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer([ANN, WRONG]), answer([BOB])]))
    await harness.items(client.create_iterable(**asking(response_model=User)))
    assert [named(span)["instructor.cause"] for span in seen.requests] == ["first", "reask"]
    assert [named(span)["instructor.request"] for span in seen.requests] == [1, 2]
    assert {parent(span) for span in seen.requests} == {identity(seen.call)}
    told = named(seen.call)
    assert [told[f"instructor.items.{what}"] for what in ("good", "bad", "repaired")] == [2, 1, 1]
    wrong, right = seen.events
    assert (wrong.event_name, right.event_name) == ("instructor.item.bad", "instructor.item.repaired")
    assert {event.span_id for event in seen.events} == {identity(seen.call)}
    assert dict(wrong.attributes) == {
        "instructor.item.index": 1,
        "instructor.item.errors": ("missing @ $.age",),
        "instructor.request": 1,
    }
    assert dict(right.attributes) == {"instructor.item.index": 1, "instructor.request": 2}


async def test_a_cut_list_goes_on_and_the_cut_is_an_error(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    cut = tools({"tasks": people(4)}, chunk=8, drop_after=14)
    client = harness.client(scripted_server([cut, answer(people(4))]))
    assert len(await harness.items(client.create_iterable(**asking(response_model=User)))) == 4
    first, second = seen.requests
    assert named(first)["gen_ai.response.finish_reasons"] == ("error",)
    assert "gen_ai.usage.input_tokens" not in named(first)  # it was not reported: an estimate is no usage
    assert first.status.status_code is StatusCode.ERROR
    assert named(first)["error.type"] == "APIConnectionError"
    assert (named(second)["instructor.cause"], second.status.status_code) == ("continuation", StatusCode.UNSET)
    repeats = named(seen.call)["instructor.items.dropped"]
    assert repeats > 0
    (event,) = seen.events
    assert (event.event_name, event.attributes["instructor.item.count"]) == ("instructor.item.dropped", repeats)
    assert seen.call.status.status_code is StatusCode.UNSET


async def test_a_failed_request_and_a_failed_call(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([error(400, "no such sk-live-0123456789abcdefgh")]))
    with pytest.raises(InstructorRetryException):
        await harness.create(client, User)
    assert seen.request.status.status_code is StatusCode.ERROR
    assert named(seen.request)["error.type"] == "BadRequestError"
    assert named(seen.request)["gen_ai.response.finish_reasons"] == ("error",)
    assert seen.call.status.status_code is StatusCode.ERROR
    assert "0123456789" not in seen.everything()


async def test_an_answer_that_stays_wrong_fails_the_call(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer(WRONG), content("It rains.")]))
    with pytest.raises(InstructorRetryException):
        await harness.create(client, User, max_retries=1)
    assert named(seen.call)["error.type"] == "InstructorRetryException"
    assert [span.status.status_code for span in seen.requests] == [StatusCode.UNSET] * 2
    assert [named(span)["instructor.cause"] for span in seen.requests] == ["first", "reask"]


async def test_requests_run_in_their_span_and_the_loop_in_the_callers(
    harness: Harness, scripted_server: Any, seen: Seen
) -> None:
    during: list[int] = []
    asked_in: list[int] = []

    class Checked(User):
        @field_validator("age")
        @classmethod
        def older(cls, age: int) -> int:
            during.append(current())
            return age

    client = harness.client(scripted_server([answer([ANN, BOB])]))
    send = client.client._client.send

    def sending(*arguments: Any, **options: Any) -> Any:
        asked_in.append(current())
        return send(*arguments, **options)

    client.client._client.send = sending  # the HTTP client's, below all of the SDK's code
    hooked: list[int] = []
    client.on("completion:response", lambda _: hooked.append(current()))
    with seen.tracer.start_as_current_span("mine") as mine:
        here, inside = mine.get_span_context().span_id, []
        stream = await harness.result(client.create_iterable(**asking(response_model=Checked)))
        if harness.is_async:
            async for _ in stream:
                inside.append(current())  # noqa: PERF401 - it is about the loop's body
        else:
            inside += [current() for _ in stream]
        assert current() == here
    assert inside == [here, here]
    assert asked_in == [identity(seen.request)]
    assert {*during, *hooked} == {identity(seen.call)}
    assert parent(seen.call) == here


async def leave(harness: Harness, stream: Any, how: str) -> None:
    await harness.next(stream)
    if how == "close":
        await harness.close(stream)
    elif how == "elsewhere" and not harness.is_async:
        reader = threading.Thread(target=next, args=(stream, None))
        reader.start()
        await harness.off_loop(stream.close)
        await harness.off_loop(reader.join)
    elif how != "forget":

        async def read() -> None:
            async for _ in stream:
                """It waits for the second item."""

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        if how == "elsewhere":
            await stream.aclose()
            await reading
        else:
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading


@pytest.mark.parametrize("how", ["close", "elsewhere", "cancel", "forget"])
async def test_a_stream_that_is_left_ends_its_spans(
    harness: Harness, seen: Seen, how: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    if how == "cancel" and not harness.is_async:
        pytest.skip("a thread cannot be cancelled")
    gate, at = Gate(), len('{"tasks": [{"name": "Person 0", "age": 0},')
    with Scripted([tools({"tasks": people(3)}, chunk=1, wait_after=at, gate=gate)]) as server:
        client = harness.client(server)
        before = current()
        stream = await harness.result(client.create_iterable(**asking(response_model=User)))
        reached = asyncio.create_task(harness.off_loop(gate.reached))
        await leave(harness, stream, how)
        await reached
        del stream
        gc.collect()
        await harness.off_loop(server.wait_closed)
        gate.open()
    assert current() == before
    assert named(seen.request)["gen_ai.response.finish_reasons"] == ("error",)
    assert named(seen.request)["gen_ai.response.model"] == "scripted"
    assert named(seen.call)["instructor.complete"] is False
    assert named(seen.call)["instructor.items.good"] == 1
    assert parent(seen.request) == identity(seen.call)
    assert capfd.readouterr() == ("", "")
    assert "detach" not in caplog.text


async def test_calls_at_once_keep_their_own_spans(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server(lambda _: answer(ANN)))
    roots: dict[str, int] = {}

    async def one(name: str) -> None:
        with seen.tracer.start_as_current_span(name) as span:
            roots[name] = span.get_span_context().span_id
            if harness.is_async:
                await client.create(User, **asking())
            else:
                await asyncio.to_thread(client.create, User, **asking())

    await asyncio.gather(*(one(f"caller {at}") for at in range(8)))
    assert sorted(filter(None, map(parent, seen.calls))) == sorted(roots.values())
    assert sorted(filter(None, map(parent, seen.requests))) == sorted(map(identity, seen.calls))


async def test_an_answer_from_a_cache_has_no_request(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer(ANN)]))
    cache = AutoCache()
    for _ in range(2):
        await harness.create(client, User, cache=cache)
    asked, cached = seen.calls
    assert parent(seen.request) == identity(asked)
    assert [named(span).get("instructor.cached") for span in (asked, cached)] == [None, True]
    assert named(cached)["instructor.usage.input_tokens"] == 0


async def test_spans_that_are_not_sampled_cost_no_attributes(
    harness: Harness, scripted_server: Any, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe.enable(tracer_provider=TracerProvider(sampler=ALWAYS_OFF), logger_provider=seen.logger)
    monkeypatch.setattr("instructor.observe.conventions.of_reply", lambda *_: pytest.fail("nobody reads it"))
    client = harness.client(scripted_server([answer(ANN)]))
    assert await harness.create(client, User) == User(**ANN)
    assert seen.spans == []


async def test_off_again(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer(ANN), answer(ANN)]))
    assert observe.is_enabled()
    observe.disable()
    await harness.create(client, User)
    assert seen.spans == []
    assert not observe.is_enabled()
    seen.enable()
    await harness.create(client, User)
    assert len(seen.spans) == 2


@pytest.mark.parametrize("version", [0, 2, "1", True, None])
def test_a_version_that_is_not_known(version: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"version must be one of 1, got {version!r}"):
        observe.enable(version)


def test_content_is_a_bool() -> None:
    with pytest.raises(ConfigurationError, match="content must be True or False, got 'yes'"):
        observe.enable(content="yes")  # type: ignore[arg-type]


def test_spans_on_trio(scripted_server: Any, seen: Seen) -> None:
    inside: list[int] = []

    async def main() -> int:
        async with Harness("async") as harness:
            client = harness.client(scripted_server([answer([ANN, BOB])]))
            with seen.tracer.start_as_current_span("mine") as mine:
                async for _ in client.create_iterable(**asking(response_model=User)):
                    inside.append(current())  # noqa: PERF401 - it is about the loop's body
                return mine.get_span_context().span_id

    here = trio.run(main)
    assert inside == [here, here]
    assert parent(seen.call) == here
    assert parent(seen.request) == identity(seen.call)


def test_ending_a_loop_ends_what_was_left(scripted_server: Any, seen: Seen, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> Any:
        async with Harness("async") as harness:
            stream = harness.client(scripted_server([answer(people(50))])).create_iterable(
                **asking(response_model=User)
            )
            assert await anext(stream) == User(name="Person 0", age=0)
            return stream

    asyncio.run(main())
    assert named(seen.call)["instructor.items.good"] == 1
    assert parent(seen.request) == identity(seen.call)
    assert "detach" not in caplog.text
