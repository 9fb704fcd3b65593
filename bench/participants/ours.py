"""This library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import instructor
import openai
from models import MESSAGES, MODEL
from participants.bare import OPTIONS, client_of


def blocking(url: str) -> Any:
    return instructor.from_openai(openai.OpenAI(base_url=url, **OPTIONS), model=MODEL)


def items(url: str, model: Any, **_: Any) -> Callable[[], int]:
    client = blocking(url)
    return lambda: sum(1 for _ in client.create_iterable(MESSAGES, model))


def snapshots(url: str, model: Any, **_: Any) -> Callable[[], int]:
    client = blocking(url)
    return lambda: sum(1 for _ in client.create_partial(model, MESSAGES))


def create(url: str, model: Any, count: int, **_: Any) -> Callable[[], int]:
    client = blocking(url)

    def run() -> int:
        for _ in range(count):
            client.create(model, MESSAGES)
        return count

    return run


def streams(url: str, model: Any, count: int, http: str = "", **_: Any) -> Callable[[], int]:
    client, loop = instructor.from_openai(client_of(url, http), model=MODEL), asyncio.new_event_loop()

    async def one() -> int:
        return len([item async for item in client.create_iterable(MESSAGES, model)])

    async def every() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(count))))

    return lambda: loop.run_until_complete(every())


def calls(url: str, model: Any, count: int, http: str = "", **_: Any) -> Callable[[], int]:
    client, loop = instructor.from_openai(client_of(url, http), model=MODEL), asyncio.new_event_loop()

    async def every() -> int:
        await asyncio.gather(*(client.create(model, MESSAGES) for _ in range(count)))
        return count

    return lambda: loop.run_until_complete(every())
