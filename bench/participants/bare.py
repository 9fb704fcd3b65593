"""The bare SDK: iterate over its chunks, and make nothing of them."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import openai
from models import MESSAGES, MODEL
from pydantic import BaseModel

OPTIONS = {"api_key": "none", "max_retries": 0, "timeout": 120}


def tool(model: type[BaseModel]) -> dict[str, Any]:
    """Make the arguments that ask for a model by a tool."""
    function = {"name": model.__name__, "description": model.__doc__ or "", "parameters": model.model_json_schema()}
    choice = {"type": "function", "function": {"name": model.__name__}}
    return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}


def items(url: str, model: type[BaseModel], **_: Any) -> Callable[[], int]:
    client = openai.OpenAI(base_url=url, **OPTIONS)
    asked: Any = {"model": MODEL, "messages": MESSAGES, "stream": True, **tool(model)}

    def run() -> int:
        return sum(1 for _ in client.chat.completions.create(**asked))

    return run


snapshots = items


def create(url: str, model: type[BaseModel], count: int, **_: Any) -> Callable[[], int]:
    client = openai.OpenAI(base_url=url, **OPTIONS)
    asked: Any = {"model": MODEL, "messages": MESSAGES, **tool(model)}

    def run() -> int:
        for _ in range(count):
            reply = client.chat.completions.create(**asked)
            model.model_validate_json(reply.choices[0].message.tool_calls[0].function.arguments)
        return count

    return run


def client_of(url: str, http: str) -> openai.AsyncOpenAI:
    """Make an awaiting client over one of the two HTTP clients that the SDK has."""
    if http == "aiohttp":
        return openai.AsyncOpenAI(base_url=url, http_client=openai.DefaultAioHttpClient(), **OPTIONS)
    return openai.AsyncOpenAI(base_url=url, **OPTIONS)


def streams(url: str, model: type[BaseModel], count: int, http: str = "", **_: Any) -> Callable[[], int]:
    client, loop = client_of(url, http), asyncio.new_event_loop()
    asked: Any = {"model": MODEL, "messages": MESSAGES, "stream": True, **tool(model)}

    async def one() -> int:
        return len([chunk async for chunk in await client.chat.completions.create(**asked)])

    async def every() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(count))))

    return lambda: loop.run_until_complete(every())


def calls(url: str, model: type[BaseModel], count: int, http: str = "", **_: Any) -> Callable[[], int]:
    client, loop = client_of(url, http), asyncio.new_event_loop()
    asked: Any = {"model": MODEL, "messages": MESSAGES, **tool(model)}

    async def one() -> None:
        reply = await client.chat.completions.create(**asked)
        model.model_validate_json(reply.choices[0].message.tool_calls[0].function.arguments)

    async def every() -> int:
        await asyncio.gather(*(one() for _ in range(count)))
        return count

    return lambda: loop.run_until_complete(every())


def start(
    _url: str, _model: Any, code: str = 'from openai import OpenAI; OpenAI(api_key="none")', **_: Any
) -> Callable[[], dict[str, float]]:
    """Run a whole process that does nothing but make a client; the CPU is that of the process."""

    def run() -> dict[str, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"count": 1, "cpu": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime}

    return run
