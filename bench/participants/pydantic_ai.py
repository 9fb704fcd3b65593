"""pydantic-ai: `run_stream`, which yields validated containers, at every event as far as it will."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from models import MODEL, tasks_of
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def _streamed(url: str, model: Any) -> Callable[[], tuple[int, Any]]:
    chat = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=url, api_key="none"))
    agent, loop = Agent(chat, output_type=model), asyncio.new_event_loop()

    async def every() -> tuple[int, Any]:
        count, last = 0, None
        async with agent.run_stream("Extract everything.") as result:
            async for last in result.stream_output(debounce_by=None):  # noqa: B007 - the last is what is wanted
                count += 1
        return count, last

    return lambda: loop.run_until_complete(every())


def items(url: str, model: Any, **_: Any) -> Callable[[], int]:
    run = _streamed(url, tasks_of(model))
    return lambda: len(run()[1].tasks)


def snapshots(url: str, model: Any, **_: Any) -> Callable[[], int]:
    run = _streamed(url, model)
    return lambda: run()[0]
