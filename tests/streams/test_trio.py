"""The async client under anyio's two event loops: asyncio and trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import openai
import pytest
from persons import Person, ids, people
from pydantic import BaseModel
from tenacity import AsyncRetrying, Retrying, stop_after_attempt, wait_fixed

import instructor
from harness import asking
from instructor.exceptions import ConfigurationError
from instructor.testing import Gate, Scripted, content, tools

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])
BAD = '{"tasks": [{"id": 1}, {"id": "x"}, {"id": 3}]}'


class User(BaseModel):
    name: str


def run(loop: str, server: Scripted, body: Callable[[Any], Awaitable[None]]) -> None:
    """Run a coroutine that takes a client, in an event loop of its own."""

    async def main() -> None:
        sdk = openai.AsyncOpenAI(base_url=server.base_url, api_key="sk-fake", max_retries=0)
        async with sdk:
            await body(instructor.from_openai(sdk))

    anyio.run(main, backend=loop)


@LOOPS
def test_values_lists_and_snapshots(loop: str) -> None:
    replies = [content("No."), tools('{"name": "Ann"}'), tools(BAD), tools(people(2)), tools('{"name": "Bob"}')]

    async def body(client: Any) -> None:
        assert (await client.create(response_model=User, **asking())).name == "Ann"
        stream = client.create_iterable(response_model=Person, **asking())
        assert ids([each async for each in stream]) == [1, 3, 2]
        found = [each.name async for each in client.create_partial(response_model=User, **asking())]
        assert found[-1] == "Bob"

    with Scripted(replies) as server:
        run(loop, server, body)


@LOOPS
@pytest.mark.parametrize("kind", [Retrying, AsyncRetrying])
def test_a_policy_that_waits(loop: str, kind: Any) -> None:
    policy = kind(stop=stop_after_attempt(2), wait=wait_fixed(0.001))

    async def body(client: Any) -> None:
        assert (await client.create(response_model=User, **asking(max_retries=policy))).name == "Ann"
        stream = client.create_iterable(response_model=Person, **asking(max_retries=policy))
        assert ids([each async for each in stream]) == [1, 3, 2]

    with Scripted([content("No."), tools('{"name": "Ann"}'), tools(BAD), tools(people(2))]) as server:
        run(loop, server, body)


@LOOPS
def test_a_policy_with_a_sleep_of_its_own(loop: str) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        slept.append(seconds)

    async def body(client: Any) -> None:
        policy = AsyncRetrying(stop=stop_after_attempt(2), wait=wait_fixed(60), sleep=sleep)
        assert (await client.create(response_model=User, **asking(max_retries=policy))).name == "Ann"

    with Scripted([content("No."), tools('{"name": "Ann"}')]) as server:
        run(loop, server, body)
    assert slept == [60]


@LOOPS
@pytest.mark.parametrize("kind", [Retrying, AsyncRetrying])
def test_leaving_while_a_policy_waits(loop: str, kind: Any) -> None:
    """Waiting for ten minutes ends at once."""
    waits = anyio.Event()
    policy = kind(wait=wait_fixed(600), before_sleep=lambda _: waits.set())
    found: list[Any] = []

    async def body(client: Any) -> None:
        stream = client.create_iterable(response_model=Person, **asking(max_retries=policy))

        async def read() -> None:
            async for each in stream:
                found.append(each)  # noqa: PERF401 - kept also if it is left

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await waits.wait()
            await stream.aclose()

    with Scripted([tools(BAD)]) as server:
        run(loop, server, body)
    assert ids(found) == [1, 3]


@LOOPS
@pytest.mark.parametrize("at", [0, 2, 25])
def test_leaving_while_another_task_reads(loop: str, at: int) -> None:
    gate = Gate()
    ended: list[Any] = []

    async def body(client: Any) -> None:
        client.on("stream:end", ended.append)
        stream = client.create_iterable(response_model=Person, **asking())

        async def read() -> None:
            async for _ in stream:
                pass

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.to_thread.run_sync(gate.reached)
            await stream.aclose()
        assert ended == [stream.report]
        assert [each async for each in stream] == []

    with Scripted([tools(people(1, 2, 3), chunk=1, wait_after=at, gate=gate)]) as server:
        run(loop, server, body)
        assert server.served[0].wait().client_left


@LOOPS
def test_a_scope_around_the_reader_is_not_taken_for_ours(loop: str) -> None:
    gate = Gate()
    after: list[str] = []

    async def body(client: Any) -> None:
        stream = client.create_iterable(response_model=Person, **asking())
        scope = anyio.CancelScope()

        async def read() -> None:
            with scope:
                async for _ in stream:
                    pass
                await anyio.lowlevel.checkpoint()  # where it ended by itself just then
                after.append("never")

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.to_thread.run_sync(gate.reached)
            scope.cancel()
            await stream.aclose()
        assert scope.cancelled_caught

    with Scripted([tools(people(1, 2, 3), chunk=1, wait_after=25, gate=gate)]) as server:
        run(loop, server, body)
        assert server.served[0].wait().client_left
    assert after == []


def test_bedrock_says_that_it_needs_asyncio() -> None:
    with Scripted() as server:
        client = instructor.from_provider(
            "bedrock/scripted",
            True,
            endpoint_url=server.root,
            region="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )

        async def main() -> None:
            with pytest.raises(ConfigurationError, match="must run in asyncio"):
                await client.create(response_model=User, messages=[{"role": "user", "content": "Who?"}])

        anyio.run(main, backend="trio")
