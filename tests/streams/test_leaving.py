"""Leaving a stream early, in every way there is: its connection closes at once, and nothing is printed."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from persons import Person, ids, people, stream_of, taken
from tenacity import Retrying, wait_fixed

import instructor
from harness import Harness, asking
from instructor.exceptions import InstructorRetryException
from instructor.testing import Gate, Reply, Scripted, silence, tools
from instructor.testing.replies import Asked

pytestmark = pytest.mark.filterwarnings("error")


class Left(Exception):
    """What a test leaves a loop by."""


@contextmanager
def held() -> Iterator[tuple[Scripted, Gate]]:
    """A server that gives two items, and waits at a gate that is never needed."""
    gate = Gate()
    at = 1 + len(people(1, 2))
    with Scripted([tools(people(1, 2, 3, 4), chunk=1, wait_after=at, gate=gate)]) as server:
        yield server, gate


async def by_break(harness: Harness, stream: Any) -> None:
    if harness.is_async:
        async for _ in stream:
            break
    else:
        for _ in stream:
            break


async def by_exception(harness: Harness, stream: Any) -> None:
    try:
        if harness.is_async:
            async for _ in stream:
                raise Left
        else:
            for _ in stream:
                raise Left
    except Left:
        return


async def by_close(harness: Harness, stream: Any) -> None:
    await harness.next(stream)
    await harness.close(stream)
    await harness.close(stream)


async def by_with(harness: Harness, stream: Any) -> None:
    if harness.is_async:
        async with stream as entered:
            assert (await anext(entered)).id == 1
    else:
        with stream as entered:
            assert next(entered).id == 1


async def by_error_in_with(harness: Harness, stream: Any) -> None:
    try:
        if harness.is_async:
            async with stream:
                await anext(stream)
                raise Left
        else:
            with stream:
                next(stream)
                raise Left
    except Left:
        return


WAYS = [by_break, by_exception, by_close, by_with, by_error_in_with]


@pytest.mark.parametrize("leave", WAYS)
async def test_leaving_closes_at_once(
    harness: Harness, leave: Callable[[Harness, Any], Awaitable[None]], capfd: pytest.CaptureFixture[str]
) -> None:
    ended: list[Any] = []
    with held() as (server, gate):
        client = harness.client(server)
        client.on("stream:end", ended.append)
        stream = client.create_iterable([{"role": "user", "content": "Extract."}], Person, model="any")
        await leave(harness, stream)
        await harness.off_loop(server.wait_closed)
        assert server.served[0].wait().client_left
        gate.open()
        assert ended == [stream.report]
        assert await harness.items(stream) == []
    report = stream.report
    assert (report.good, report.attempts, report.complete, report.finish_reason) == (1, 1, False, None)
    assert report.usage.output_tokens > 0
    assert not report.usage.exact
    assert report.duration > 0
    assert stream.completion.choices[0].message.tool_calls[0].function.arguments.startswith('{"tasks": [{"id": 1}')
    assert capfd.readouterr() == ("", "")


async def test_garbage_closes_at_once(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    ended: list[Any] = []
    with held() as (server, gate):
        client = harness.client(server)
        client.on("stream:end", ended.append)
        stream = client.create_iterable([{"role": "user", "content": "Extract."}], Person, model="any")
        await harness.next(stream)
        del stream
        gc.collect()
        await harness.off_loop(server.wait_closed)
        gate.open()
        assert [report.good for report in ended] == [1]
    assert capfd.readouterr() == ("", "")


async def test_a_stream_that_nobody_reads_asks_nothing(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    ended: list[Any] = []
    with Scripted() as server:
        client = harness.client(server)
        client.on("stream:end", ended.append)
        streams = [client.create_iterable([{"role": "user", "content": "Extract."}], Person, model="any") for _ in "12"]
        assert streams[0].response_headers is streams[0].completion is None
        await harness.close(streams.pop())
        del streams
        gc.collect()
        await asyncio.sleep(0)
    assert (server.requests, ended) == ([], [])
    assert capfd.readouterr() == ("", "")


async def test_some_may_be_taken_first_and_the_rest_later(harness: Harness) -> None:
    with Scripted([tools(people(1, 2, 3, 4))]) as server:
        stream = stream_of(harness, server)
        assert (await harness.next(stream)).id == 1
        assert (await harness.next(stream)).id == 2
        assert ids(await harness.items(stream)) == [3, 4]
    assert stream.report.complete


def test_a_slice_of_a_stream_closes_it() -> None:
    with held() as (server, gate):
        stream = stream_of(Harness("sync"), server)
        assert ids(itertools.islice(stream, 1)) == [1]
        gc.collect()
        server.wait_closed()
        gate.open()


@pytest.mark.parametrize("count", [0, 1])
async def test_cancelling_a_task_closes_at_once(count: int, capfd: pytest.CaptureFixture[str]) -> None:
    ended: list[Any] = []
    gate = Gate()
    at = 1 + len(people(1, 2)) if count else 2
    async with Harness("async") as harness:
        with Scripted([tools(people(1, 2, 3), chunk=1, wait_after=at, gate=gate)]) as server:
            client = harness.client(server)

            async def told(report: Any) -> None:
                await asyncio.sleep(0)
                ended.append(report)

            client.on("stream:end", told)
            stream = client.create_iterable([{"role": "user", "content": "Extract."}], Person, model="any")
            found: list[Any] = []
            seen = asyncio.Event()

            async def read() -> None:
                async for person in stream:
                    found.append(person)
                    seen.set()

            task = asyncio.create_task(read())
            await harness.off_loop(gate.reached)
            if count:
                await seen.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await harness.off_loop(server.wait_closed)
            gate.open()
    assert ended == [stream.report]
    assert (stream.report.good, stream.report.attempts, stream.report.complete) == (len(found), 1, False)
    assert capfd.readouterr() == ("", "")


def test_a_loop_that_ends_closes_what_was_left(capfd: pytest.CaptureFixture[str]) -> None:
    async def left(server: Scripted) -> Any:
        async with Harness("async") as harness:
            stream = stream_of(harness, server)
            async for _ in stream:
                break
            return stream

    with held() as (server, gate):
        stream = asyncio.run(left(server), debug=True)
        server.wait_closed()
        gate.open()
    assert stream.report.good == 1
    assert capfd.readouterr() == ("", "")


async def test_an_error_closes_before_it_is_seen(harness: Harness) -> None:
    gate = Gate()
    with Scripted([tools('{"tasks": [{"id": "x"}, ', chunk=1, wait_after=24, gate=gate)]) as server:
        client = harness.client(server)
        left_then: list[bool] = []

        async def look(_: Any) -> None:
            await asyncio.to_thread(server.wait_closed)
            left_then.append(server.served[0].client_left)

        def look_sync(_: Any) -> None:
            server.wait_closed()
            left_then.append(server.served[0].client_left)

        client.on("completion:last_attempt", look if harness.is_async else look_sync)
        stream = client.create_iterable(
            [{"role": "user", "content": "Extract."}], Person, model="any", on_invalid="raise"
        )
        _, error = await taken(harness, stream)
        assert isinstance(error, InstructorRetryException)
        gate.open()
    assert left_then == [True]


async def test_asynchronous_hooks_are_awaited() -> None:
    told: list[str] = []
    names = ["item:good", "item:bad", "stream:continue", "stream:end", "completion:kwargs", "completion:response"]
    async with Harness("async") as harness:
        cut = tools('{"tasks": [{"id": 1}, {"id": "x"}, {"id"', finish="length")
        with Scripted([cut, tools(people(3)), tools(people(2))]) as server:
            client = harness.client(server)
            for name in names:

                async def hook(*_: Any, name: str = name, **__: Any) -> None:
                    await asyncio.sleep(0)
                    told.append(name)

                client.on(name, hook)
            stream = client.create_iterable([{"role": "user", "content": "Extract."}], Person, model="any")
            assert ids(await harness.items(stream)) == [1, 3, 2]
    asked, answered = "completion:kwargs", "completion:response"
    assert told == [
        *(asked, "item:good", "item:bad", answered),
        *("stream:continue", asked, "item:good", answered),
        *(asked, answered, "item:good"),  # which item an answer is for is known at its end
        "stream:end",
    ]


# By somebody else: a button in a window, a watcher of time, a hook.


class Seen(list[Any]):
    """A list that tells when it has so many."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count, self.enough = count, threading.Event()

    def append(self, item: Any) -> None:
        super().append(item)
        if len(self) == self._count:
            self.enough.set()

    def extend(self, items: Iterable[Any]) -> None:
        for item in items:
            self.append(item)


def read_elsewhere(harness: Harness, stream: Any, into: list[Any]) -> asyncio.Task[None]:
    """Collect a stream in another task, or in another thread."""
    reading = harness.collect(stream, into)
    return asyncio.ensure_future(reading if harness.is_async else asyncio.to_thread(asyncio.run, reading))


@pytest.mark.parametrize("count", [0, 2])
async def test_leaving_while_another_reads(harness: Harness, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    ended: list[Any] = []
    found = Seen(count)
    gate = Gate()
    at = 1 + len(people(1, 2)) if count else 2
    with Scripted([tools(people(1, 2, 3), chunk=1, wait_after=at, gate=gate)]) as server:
        client = harness.client(server)
        client.on("stream:end", ended.append)
        stream = client.create_iterable([{"role": "user", "content": "Extract."}], Person, model="any")
        reading = read_elsewhere(harness, stream, found)
        await harness.off_loop(gate.reached)
        if count:
            await harness.off_loop(found.enough.wait)
        await harness.close(stream)
        await harness.off_loop(server.wait_closed)
        await reading
        await harness.close(stream)
        assert await harness.items(stream) == []
        gate.open()
    assert ended == [stream.report]
    assert ids(found) == [1, 2][:count]
    assert (stream.report.good, stream.report.attempts, stream.report.complete) == (count, 1, False)
    assert capfd.readouterr() == ("", "")


async def test_a_stream_of_the_sdks_objects_is_left_too(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    found: list[Any] = []
    gate = Gate()
    with Scripted([tools(people(1, 2, 3), chunk=1, wait_after=30, gate=gate)]) as server:
        sdk = harness.sdk(server)
        sdk.chat.completions.create = functools.partial(sdk.chat.completions.create)  # as a tracing tool would
        stream = instructor.from_openai(sdk).create_iterable(response_model=Person, **asking())
        reading = read_elsewhere(harness, stream, found)
        await harness.off_loop(gate.reached)
        await harness.close(stream)
        gate.open()  # what the SDK reads in another thread ends with the next event
        await reading
        await harness.off_loop(server.wait_closed)
    assert len(server.requests) == 1
    assert len(found) <= 2
    assert capfd.readouterr() == ("", "")


async def test_who_left_while_it_was_opened_asks_no_more(harness: Harness) -> None:
    gate = Gate()
    with Scripted([tools(people(1), wait_after=0, gate=gate), tools(people(2))]) as server:
        stream = stream_of(harness, server)
        found: list[Any] = []
        reading = read_elsewhere(harness, stream, found)
        await harness.off_loop(gate.reached)
        await harness.close(stream)
        gate.open()
        await reading
        await harness.off_loop(server.wait_closed)
    assert (found, len(server.requests)) == ([], 1)


async def test_an_sdk_that_waits_for_headers_is_not_let_try_again(harness: Harness) -> None:
    """For its client repeats what a lost connection ends."""
    asked, found = threading.Event(), Seen(9)

    def silent(_: Asked) -> Reply:
        asked.set()
        return silence()

    with Scripted(silent) as server:
        stream = harness.client(server, max_retries=2).create_iterable(response_model=Person, **asking())
        reading = read_elsewhere(harness, stream, found)
        await harness.off_loop(asked.wait)
        await harness.close(stream)
        await reading
        await harness.off_loop(server.wait_closed)
        assert server.served[0].wait().client_left
        assert len(server.requests) == 1
    assert (stream.report.attempts, stream.report.complete, found) == (1, False, [])


async def test_a_hooks_own_connection_is_let_be(harness: Harness) -> None:
    """Who leaves while a hook waits for something of its own breaks nothing off there."""
    ours, theirs = socket.socketpair()
    waits, heard = threading.Event(), list[bytes]()

    def ask(_: Any) -> None:
        waits.set()
        heard.append(ours.recv(9))

    async def aask(report: Any) -> None:
        await asyncio.to_thread(ask, report)

    with Scripted([tools(people(1, 2))]) as server, ours, theirs:
        sdk = harness.sdk(server)
        sdk.chat.completions.create = functools.partial(sdk.chat.completions.create)
        client = instructor.from_openai(sdk)
        client.on("item:good", lambda *each: aask(each) if harness.is_async else ask(each))
        stream = client.create_iterable(response_model=Person, **asking())
        reading = read_elsewhere(harness, stream, [])
        await harness.off_loop(waits.wait)
        await harness.close(stream)
        theirs.sendall(b"yes")
        await reading
    assert heard == [b"yes"]


async def test_leaving_between_two_requests(harness: Harness) -> None:
    with Scripted([tools(people(1, 2), finish="length"), tools(people(3))]) as server:
        client = harness.client(server)
        stream = client.create_iterable(response_model=Person, **asking())

        async def leave(_: Any) -> None:
            await stream.aclose()

        client.on("stream:continue", leave if harness.is_async else lambda _: stream.close())
        assert ids(await harness.items(stream)) == [1, 2]
    assert len(server.requests) == 1
    assert not stream.report.complete


async def test_leaving_while_a_policy_waits(harness: Harness) -> None:
    """Waiting for ten minutes ends at once."""
    waits = threading.Event()
    policy = Retrying(wait=wait_fixed(600), before_sleep=lambda _: waits.set())
    with Scripted([tools('{"tasks": [{"id": 1}, {"id": "x"}]}'), tools(people(3))]) as server:
        stream = harness.client(server).create_iterable(response_model=Person, **asking(max_retries=policy))
        found: list[Any] = []
        reading = read_elsewhere(harness, stream, found)
        await harness.off_loop(waits.wait)
        await harness.close(stream)
        await reading
    assert (ids(found), len(server.requests)) == ([1], 1)


async def test_a_hook_may_leave(harness: Harness) -> None:
    with held() as (server, gate):
        client = harness.client(server)
        stream = client.create_iterable(response_model=Person, **asking())

        async def leave(*_: Any) -> None:
            await stream.aclose()

        client.on("item:good", leave if harness.is_async else lambda *_: stream.close())
        assert await harness.items(stream) == []  # before the item was handed out
        await harness.off_loop(server.wait_closed)
        gate.open()
