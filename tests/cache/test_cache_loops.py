"""Caches and asynchronous validators under anyio's two event loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import openai
import pytest
from pydantic import BaseModel

import instructor
from harness import asking
from instructor.cache import AutoCache, DiskCache
from instructor.testing import answer
from instructor.validators import async_field_validator


class User(BaseModel):
    name: str

    @async_field_validator("name")
    async def check(self, name: str) -> str:
        await anyio.lowlevel.checkpoint()
        if name == "x":
            raise ValueError("not this one")
        return name.upper()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_caches_and_validators(loop: str, scripted_server: Any, tmp_path: Path) -> None:
    server = scripted_server([answer({"name": "x"}), answer({"name": "a"})] * 2)

    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="sk-fake", max_retries=0) as sdk:
            client, got = instructor.from_openai(sdk), []

            async def call(cache: Any) -> None:
                got.append((await client.create(response_model=User, cache=cache, **asking())).name)

            for cache in (AutoCache(), DiskCache(tmp_path)):
                async with anyio.create_task_group() as group:
                    for _ in range(20):
                        group.start_soon(call, cache)
                if isinstance(cache, DiskCache):
                    cache.close()
        assert got == ["A"] * 40

    anyio.run(main, backend=loop)
    assert len(server.requests) == 4
