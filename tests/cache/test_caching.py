"""`cache=`: an equal call is answered without a request, whatever its answer is, streamed or not."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationInfo, field_validator

import instructor
from harness import Harness, asking
from instructor import HookName, Mode, Partial
from instructor.cache import AutoCache
from instructor.exceptions import ConfigurationError, InstructorRetryException
from instructor.testing import Gate, answer, content, error


class User(BaseModel):
    name: str
    age: int


USER, OTHER, WRONG = {"name": "a", "age": 1}, {"name": "b", "age": 2}, {"name": "c"}
USERS = [User(**USER), User(**OTHER)]


@pytest.mark.parametrize(
    ("kind", "reply", "expected"),
    [
        (User, USER, User(**USER)),
        (list[User], {"tasks": [USER, OTHER]}, USERS),
        (Iterable[User], {"tasks": [USER, OTHER]}, USERS),
        (int, {"content": 5}, 5),
        (Literal["yes", "no"], {"content": "yes"}, "yes"),
        (dict[str, int], {"content": {"a": 1}}, {"a": 1}),
    ],
)
async def test_a_second_call_makes_no_request(
    harness: Harness, scripted_server: Any, kind: Any, reply: Any, expected: Any
) -> None:
    server = scripted_server([answer(reply)])
    client, cache = harness.client(server), AutoCache()
    assert await harness.create(client, kind, cache=cache) == expected
    assert await harness.create(client, kind, cache=cache) == expected
    assert len(server.requests) == 1


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.MD_JSON, Mode.JSON_SCHEMA, Mode.PARALLEL_TOOLS])
async def test_streams_come_item_by_item(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    texts = [USER, OTHER] if mode is Mode.PARALLEL_TOOLS else [{"tasks": [USER, OTHER]}]
    server = scripted_server([answer(*texts)])
    client, cache = harness.client(server, mode), AutoCache()
    first = client.create_iterable(**asking(response_model=User, cache=cache))
    assert await harness.items(first) == USERS
    second = client.create_iterable(**asking(response_model=User, cache=cache))
    assert await harness.next(second) == USERS[0]
    assert second.report.good == 1
    assert await harness.items(second) == USERS[1:]
    assert second.completion == first.completion
    assert len(server.requests) == 1


async def test_snapshots_grow_again(harness: Harness, scripted_server: Any) -> None:
    server, cache = scripted_server([answer(USER)]), AutoCache()
    client = harness.client(server)
    seen = []
    for _ in range(2):
        stream = client.create(**asking(response_model=Partial[User], stream=True, cache=cache))
        seen.append([dict(user) for user in await harness.items(stream)])
    assert seen[0] == seen[1]
    assert len(seen[0]) > 2
    assert len(server.requests) == 1


async def test_a_hit_is_told(harness: Harness, scripted_server: Any) -> None:
    server, cache, heard = scripted_server([answer(USER)]), AutoCache(), []
    client = harness.client(server)
    client.on(HookName.CACHE_HIT, lambda key: heard.append("hit"))
    client.on(HookName.COMPLETION_KWARGS, lambda **_: heard.append("request"))
    client.on(HookName.COMPLETION_USAGE, lambda usage: heard.append("usage"))
    client.on(HookName.STREAM_END, lambda report: heard.append("end"))
    first = await harness.create(client, User, cache=cache)
    second, raw = await harness.result(client.create_with_completion(**asking(response_model=User, cache=cache)))
    assert heard == ["request", "usage", "end", "hit", "end"]
    assert (first.report.cached, second.report.cached) == (False, True)
    assert (second.report.attempts, second.report.usage.total_tokens, second.report.complete) == (0, 0, True)
    assert second._raw_response.choices[0].message.tool_calls[0].function.name == "User"
    assert raw == first._raw_response
    assert type(raw) is type(first._raw_response)


async def test_only_a_complete_answer_is_kept(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG), error(500), answer({"tasks": [USER, WRONG]}), answer(USER)])
    client, cache = harness.client(server), AutoCache()
    for _ in range(2):
        with pytest.raises(InstructorRetryException):
            await harness.create(client, User, cache=cache, max_retries=0)
    await harness.create(client, list[User], cache=cache, on_invalid="skip")
    assert len(cache) == 0
    await harness.create(client, User, cache=cache)
    assert len(cache) == 1


async def test_a_stream_that_is_left_is_not_kept(harness: Harness, scripted_server: Any) -> None:
    server, cache = scripted_server([answer({"tasks": [USER, OTHER]})]), AutoCache()
    stream = harness.client(server).create_iterable(**asking(response_model=User, cache=cache))
    await harness.next(stream)
    await harness.close(stream)
    assert len(cache) == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_of_several_requests(harness: Harness, scripted_server: Any, stream: bool) -> None:
    server = scripted_server([answer({"tasks": [USER, {"name": "b"}]}), answer({"tasks": [OTHER]})])
    client, cache = harness.client(server), AutoCache()
    for _ in range(2):
        got = await harness.result(client.create(**asking(response_model=Iterable[User], stream=stream, cache=cache)))
        assert (await harness.items(got) if stream else got) == USERS
    assert len(server.requests) == 2


async def test_a_value_is_kept_without_its_wrong_attempts(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG), answer(USER)])
    client, cache = harness.client(server), AutoCache()
    await harness.create(client, User, cache=cache)
    got = await harness.create(client, User, cache=cache)
    assert got == User(**USER)
    assert got.report.bad == 0


async def test_what_does_not_fit_any_more_is_asked_for_again(harness: Harness, scripted_server: Any) -> None:
    refused: set[str] = set()

    class Picky(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def check(cls, name: str, info: ValidationInfo) -> str:
            if name in refused:
                raise ValueError("not this one")
            return name

    server, heard = scripted_server([answer({"name": "a"}), answer({"name": "b"})]), []
    client, cache = harness.client(server), AutoCache()
    client.on("completion:kwargs", lambda **body: heard.append(len(body["messages"])))
    assert (await harness.create(client, Picky, cache=cache)).name == "a"
    refused.add("a")
    got = await harness.create(client, Picky, cache=cache)
    assert (got.name, got.report.cached, got.report.attempts) == ("b", False, 1)
    assert heard == [1, 3]
    assert set(got.report.usage.by_cause) == {"reask"}  # the tokens of the kept answer were used before
    assert (await harness.create(client, Picky, cache=cache)).report.cached


async def test_of_a_client_and_of_a_call(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)] * 3)
    cache = AutoCache()
    clients = [instructor.from_openai(harness.sdk(server), cache=cache) for _ in range(2)]
    for client in clients:  # a cache is shared by the clients that have it
        await harness.create(client, User)
    assert len(server.requests) == 1
    await harness.create(clients[0], User, cache=None)
    await harness.create(clients[0], User, cache_namespace="tenant")
    assert len(server.requests) == 3
    assert (await harness.create(clients[1], User, cache_namespace="tenant")).report.cached


async def test_the_time_to_live_reaches_the_cache(harness: Harness, scripted_server: Any) -> None:
    class Noting:
        def __init__(self) -> None:
            self.kept: dict[str, str] = {}
            self.ttls: list[Any] = []

        def get(self, key: str) -> Any:
            return self.kept.get(key)

        def set(self, key: str, value: str, ttl: int | None = None) -> None:
            self.kept[key] = value
            self.ttls.append(ttl)

    cache = Noting()
    client = harness.client(scripted_server([answer(USER), answer({"content": 1})]))
    await harness.create(client, User, cache=cache, cache_ttl=60)
    await harness.create(client, int, cache=cache)
    assert cache.ttls == [60, None]
    for value in cache.kept.values():
        assert json.loads(value)["version"] == 1
        assert "sk-fake" not in value


async def test_an_async_cache_is_awaited(scripted_server: Any) -> None:
    class Awaited(AutoCache):
        waits = True

        async def get(self, key: str) -> Any:
            await asyncio.sleep(0)
            return super().get(key)

        async def set(self, key: str, value: Any, ttl: int | None = None) -> None:  # type: ignore[override]  # pyright: ignore
            await asyncio.sleep(0)
            super().set(key, value, ttl)

    async with Harness("async") as harness:
        server = scripted_server([answer(USER)])
        client, cache = harness.client(server), Awaited()
        for _ in range(2):
            assert await harness.create(client, User, cache=cache) == User(**USER)
        assert len(server.requests) == 1
    async with Harness("sync") as harness:
        with pytest.raises(ConfigurationError, match="cache must be sync for a sync client"):
            harness.client(server).create(**asking(response_model=User, cache=Awaited()))


async def test_a_cache_that_may_wait_does_not_hold_up_the_loop(scripted_server: Any) -> None:
    threads = []

    class Slow(AutoCache):
        waits = True

        def get(self, key: str) -> Any:
            threads.append(threading.get_ident())
            return super().get(key)

    async with Harness("async") as harness:
        await harness.create(harness.client(scripted_server([answer(USER)])), User, cache=Slow())
    assert threads
    assert threading.get_ident() not in threads


async def test_a_cache_that_fails_ends_no_call(
    harness: Harness, scripted_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(AutoCache):
        def get(self, key: str) -> Any:
            raise OSError("away")

        def set(self, key: str, value: Any, ttl: int | None = None) -> None:
            raise OSError("away")

    class Odd(AutoCache):
        def get(self, key: str) -> Any:
            return "no JSON"

    client = harness.client(scripted_server([answer(USER), answer(USER)]))
    for cache in (Broken(), Odd()):
        assert await harness.create(client, User, cache=cache) == User(**USER)
    said = caplog.text
    assert "A cache failed to read: OSError" in said
    assert "A cache failed to write: OSError" in said
    assert "An entry of the cache cannot be read" in said


def test_misses_at_the_same_time_make_one_request(scripted_server: Any) -> None:
    gate = Gate()
    server = scripted_server([answer(USER, wait_after=0, gate=gate)])
    cache = AutoCache()
    harness = Harness("sync")
    client = harness.client(server)
    with ThreadPoolExecutor(50) as pool:
        calls = [pool.submit(client.create, **asking(response_model=User, cache=cache)) for _ in range(50)]
        gate.open()
        assert [call.result() for call in calls] == [User(**USER)] * 50
    client.close()
    assert len(server.requests) == 1


async def test_a_thousand_misses_at_the_same_time_make_one_request(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        server = scripted_server([answer(USER)])
        client, cache = harness.client(server), AutoCache()
        calls = [client.create(**asking(response_model=User, cache=cache)) for _ in range(1000)]
        assert await asyncio.gather(*calls) == [User(**USER)] * 1000
        assert len(server.requests) == 1


async def test_if_the_first_fails_the_next_one_asks(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        server = scripted_server([error(500), answer(USER)])
        client, cache = harness.client(server), AutoCache()
        calls = [client.create(**asking(response_model=User, cache=cache)) for _ in range(20)]
        got = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(each, InstructorRetryException) for each in got) == 1
        assert got.count(User(**USER)) == 19
        assert len(server.requests) == 2


async def test_a_hook_may_make_the_same_call(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)] * 2)
    client, cache = harness.client(server), AutoCache()
    made: list[Any] = []

    async def again(**_: Any) -> None:
        if not made:
            made.append(1)
            made.append(await harness.create(client, User, cache=cache))

    def again_sync(**_: Any) -> None:
        if not made:
            made.append(1)
            made.append(client.create(**asking(response_model=User, cache=cache)))

    client.on("completion:kwargs", again if harness.is_async else again_sync)
    assert await harness.create(client, User, cache=cache) == User(**USER) == made[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cache": {}}, r"cache must be an object with get\(key\) and set"),
        ({"cache": AutoCache}, "cache must be an object"),
        ({"cache": AutoCache(), "cache_ttl": 0}, "cache_ttl must be a number of seconds above 0, got 0"),
        ({"cache": AutoCache(), "cache_ttl": True}, "cache_ttl must be"),
        ({"cache": AutoCache(), "cache_namespace": ""}, "cache_namespace must be a str that is not empty"),
        ({"cache": AutoCache(), "context": {"db": object()}}, "cannot tell context.db apart"),
    ],
)
async def test_wrong_arguments(harness: Harness, scripted_server: Any, arguments: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        await harness.create(harness.client(scripted_server([])), User, **arguments)


async def test_without_a_response_model_nothing_is_cached(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("Hi")] * 2)
    client = instructor.from_openai(harness.sdk(server), cache=AutoCache())
    for _ in range(2):
        await harness.create(client, None)
    assert len(server.requests) == 2
    with pytest.raises(ConfigurationError, match="cache needs a response_model"):
        await harness.create(client, None, cache=AutoCache())
