"""The caches themselves: bounded, shared by threads, and on disk and in Redis beyond the end of a process."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from harness import Harness
from instructor.cache import AutoCache, DiskCache, RedisCache, load_cached_response, store_cached_response
from instructor.exceptions import ConfigurationError
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}


def test_memory_keeps_what_was_used_last() -> None:
    cache = AutoCache(maxsize=2)
    cache.set("a", "1")
    cache.set("b", "2")
    assert cache.get("a") == "1"
    cache.set("c", "3")
    assert [cache.get(key) for key in "abc"] == ["1", None, "3"]
    assert len(cache) == 2
    for wrong in (0, -1, True, "3"):
        with pytest.raises(ValueError, match="maxsize must be"):
            AutoCache(maxsize=wrong)  # type: ignore[arg-type]  # pyright: ignore


@pytest.mark.parametrize("made", ["memory", "disk"])
def test_what_is_too_old_is_not_returned(made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("time.time", lambda: now)
    cache: Any = AutoCache() if made == "memory" else DiskCache(tmp_path)
    cache.set("a", "1", ttl=10)
    cache.set("b", "2")
    now = 1009.0
    assert cache.get("a") == "1"
    now = 1010.0
    assert (cache.get("a"), cache.get("b")) == (None, "2")


def test_disk_is_shared_by_threads_and_bounded(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "answers", size_limit=1000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: cache.set(str(number), "x" * 100), range(50)))
    assert cache.get("49") or cache.get("48")
    assert sum(cache.get(str(number)) is not None for number in range(50)) <= 10
    cache.clear()
    assert cache.get("49") is None
    cache.close()
    assert cache.get("49") is None
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "answers").stat().st_mode) == 0o700


FORKING = """
import os, sys
from instructor.cache import DiskCache
cache = DiskCache(sys.argv[1])
cache.set("a", "1")
if (child := os.fork()) == 0:
    right = cache.get("a") == "1"
    cache.set("b", "2")
    os._exit(0 if right else 1)
assert os.waitpid(child, 0)[1] == 0
print(cache.get("a"), cache.get("b"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_disk_is_used_on_both_sides_of_a_fork(tmp_path: Path) -> None:
    ran = [sys.executable, "-W", "error", "-c", FORKING, str(tmp_path)]
    assert subprocess.run(ran, check=True, capture_output=True, text=True).stdout == "1 2\n"


def test_disk_never_unpickles(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return print, ("it ran",)

    cache = DiskCache(tmp_path)
    cache.set("a", "1")
    with closing(sqlite3.connect(tmp_path / "answers.sqlite3")) as strangers:
        strangers.execute("UPDATE answers SET value = ?", (pickle.dumps(Trap()),))
        strangers.commit()
    assert isinstance(cache.get("a"), str)


PROGRAM = """
import sys, openai, instructor
from instructor.cache import DiskCache
from pydantic import BaseModel
class User(BaseModel):
    name: str
    age: int
client = instructor.from_openai(openai.OpenAI(base_url=sys.argv[1], api_key="sk-fake"), cache=DiskCache(sys.argv[2]))
user = client.create(User, [{"role": "user", "content": "x"}], model="m")
users = list(client.create_iterable([{"role": "user", "content": "x"}], User, model="m"))
print(user, users, user.report.cached, user._raw_response.id)
"""


def test_disk_survives_restarts(tmp_path: Path, scripted_server: Any) -> None:
    server = scripted_server([answer(USER), answer({"tasks": [USER]})])
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, server.base_url, str(tmp_path)], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert len(server.requests) == 2
    assert said[1] == said[0].replace("False", "True")


async def test_disk_of_sync_and_async_clients(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server = scripted_server([answer(USER)])
    client, cache = harness.client(server), DiskCache(tmp_path)
    for _ in range(2):
        assert await harness.create(client, User, cache=cache) == User(**USER)
    cache.close()
    assert len(server.requests) == 1


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a Redis of this test's own on a free port of loopback."""
    redis = pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed, and `make test` installs it only as root on Debian")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(
        [program, *options, "--dir", str(tmp_path_factory.mktemp("redis"))], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert any("Ready to accept connections" in line for line in server.stdout)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.communicate()
    assert redis


async def test_redis(harness: Harness, scripted_server: Any, redis_url: str) -> None:
    server = scripted_server([answer(USER), answer({"tasks": [USER]})])
    client, namespace = harness.client(server), harness.name
    ages: list[int] = []
    for _ in range(2):
        cache = RedisCache(redis_url)
        kept = {"cache": cache, "cache_namespace": namespace}
        with closing(cache.client):
            assert await harness.create(client, User, cache_ttl=60, **kept) == User(**USER)
            got = await harness.create(client, list[User], **kept)
            assert got == [User(**USER)]
            ages = [cache.client.pttl(key) for key in cache.client.keys("instructor:*")]
    assert len(server.requests) == 2
    assert any(0 < age <= 60_000 for age in ages)


async def test_an_async_redis_is_awaited(scripted_server: Any, redis_url: str) -> None:
    import redis.asyncio

    async with Harness("async") as harness:
        server = scripted_server([answer(USER)])
        async with redis.asyncio.Redis.from_url(redis_url) as awaited:
            cache = RedisCache(client=awaited, prefix="other:")
            for _ in range(2):
                assert await harness.create(harness.client(server), User, cache=cache) == User(**USER)
        assert len(server.requests) == 1
    async with Harness("sync") as harness:
        with pytest.raises(ConfigurationError, match="must be sync for a sync client"):
            await harness.create(harness.client(server), User, cache=cache)


def test_redis_needs_an_address() -> None:
    with pytest.raises(ConfigurationError, match="RedisCache needs a url"):
        RedisCache()


def test_a_model_kept_by_hand() -> None:
    cache = AutoCache()
    assert load_cached_response(cache, "key", User) is None
    store_cached_response(cache, "key", User(**USER), ttl=5)
    assert load_cached_response(cache, "key", User) == User(**USER)
