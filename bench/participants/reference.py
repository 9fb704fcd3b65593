"""The published package, version 1.17.0, used as its documentation says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import openai
from lag import lags
from models import MESSAGES, MODEL

import instructor

_OPTIONS = {"api_key": "none", "max_retries": 0, "timeout": 120}


def _client(url: str) -> Any:
    return instructor.from_openai(openai.OpenAI(base_url=url, **_OPTIONS), mode=instructor.Mode.TOOLS)


def items(url: str, model: Any, **_: Any) -> Callable[[], int]:
    client = _client(url)
    return lambda: sum(1 for _ in client.create_iterable(messages=MESSAGES, response_model=model, model=MODEL))


def snapshots(url: str, model: Any, **_: Any) -> Callable[[], int]:
    """Read its awaiting stream: the blocking one gives nothing before the end, and keeps every snapshot."""
    client = instructor.from_openai(openai.AsyncOpenAI(base_url=url, **_OPTIONS), mode=instructor.Mode.TOOLS)
    loop = asyncio.new_event_loop()

    async def every() -> int:
        count = 0
        async for _ in client.create_partial(response_model=model, messages=MESSAGES, model=MODEL):
            count += 1
        return count

    return lambda: loop.run_until_complete(every())


def create(url: str, model: Any, count: int, **_: Any) -> Callable[[], int]:
    client = _client(url)

    def run() -> int:
        for _ in range(count):
            client.create(response_model=model, messages=MESSAGES, model=MODEL)
        return count

    return run


def lag(url: str, model: Any, **_: Any) -> Callable[[], dict[str, int]]:
    def stream(http: Any) -> Iterable[Any]:
        sdk = openai.OpenAI(base_url=url, http_client=http, **_OPTIONS)
        client = instructor.from_openai(sdk, mode=instructor.Mode.TOOLS)
        return client.create_iterable(messages=MESSAGES, response_model=model, model=MODEL)

    return lags(url, stream)


def calls(url: str, model: Any, count: int, **_: Any) -> Callable[[], int]:
    client = instructor.from_openai(openai.AsyncOpenAI(base_url=url, **_OPTIONS), mode=instructor.Mode.TOOLS)
    loop = asyncio.new_event_loop()

    async def every() -> int:
        one = client.create
        await asyncio.gather(*(one(response_model=model, messages=MESSAGES, model=MODEL) for _ in range(count)))
        return count

    return lambda: loop.run_until_complete(every())
