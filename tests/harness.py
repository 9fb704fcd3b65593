"""One test body, run sync and async.

A test is a coroutine that takes the fixture `harness`, makes clients by it and awaits everything through it. With
the sync harness `await` does nothing: the call is done, on this thread, before `await` sees it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Literal, TypeVar, cast

import openai
from typing_extensions import Self

import instructor
from instructor import Mode
from instructor.testing import Scripted

T = TypeVar("T")
Name = Literal["sync", "async"]
KINDS: tuple[Name, ...] = ("sync", "async")


def asking(**options: Any) -> dict[str, Any]:
    """Return the arguments of a call: a model's name and a message, unless the test gives its own, and `options`."""
    return {"model": "scripted", "messages": [{"role": "user", "content": "Extract."}], **options}


class Harness:
    """Makes sync or async clients, and closes them when it ends."""

    def __init__(self, name: Name) -> None:
        self.name = name
        self.is_async = name == "async"
        self._made = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._made.aclose()

    def sdk(self, server: Scripted | str, **options: Any) -> Any:
        """Make a real `openai.OpenAI` or `AsyncOpenAI` that speaks with the server (or a base URL), without retries."""
        url = server if isinstance(server, str) else server.base_url
        options = {"base_url": url, "api_key": "sk-fake", "max_retries": 0, **options}
        if self.is_async:
            return self.kept(openai.AsyncOpenAI(**options))
        return self.kept(openai.OpenAI(**options))

    def client(self, server: Scripted | str, mode: Mode = Mode.TOOLS, **options: Any) -> Any:
        """Make an instructor client over `sdk(server, **options)`."""
        return instructor.from_openai(self.sdk(server, **options), mode=mode)

    async def create(self, client: Any, *arguments: Any, **options: Any) -> Any:
        """Call `client.create`, with a model's name and a message where the test gives none."""
        return await self.result(client.create(*arguments, **asking(**options)))

    async def result(self, value: Any) -> Any:
        """Await what is awaitable."""
        return await value if inspect.isawaitable(value) else value

    async def items(self, stream: Any) -> list[Any]:
        """Return what a stream yields, as a list."""
        found: list[Any] = []
        await self.collect(stream, found)
        return found

    async def collect(self, stream: Any, into: list[Any]) -> None:
        """Append what a stream yields to a list, which keeps what came before an error."""
        stream = await self.result(stream)
        if self.is_async:
            async for each in cast("AsyncIterable[Any]", stream):
                into.append(each)  # noqa: PERF401 - a comprehension would lose what came before an error
        else:
            into.extend(cast("Iterable[Any]", stream))

    async def next(self, iterator: Any) -> Any:
        """Return the next value of a sync or async iterator."""
        return await anext(iterator) if self.is_async else next(iterator)

    async def close(self, thing: Any) -> None:
        """Close a stream or a client, sync or async."""
        close = getattr(thing, "aclose", None) or thing.close
        await self.result(close())

    async def off_loop(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call what blocks (`server.wait_closed`, `gate.reached`) while the event loop runs on: closing needs it to."""
        return await asyncio.to_thread(function, *arguments)

    def kept(self, client: Any) -> Any:
        """Close a client when the test ends."""
        self._made.push_async_callback(self.close, client)
        return client
