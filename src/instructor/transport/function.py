"""Calling a function that gives an SDK's objects: a mock, a wrapped `create`, litellm's `completion`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

from instructor.engine.call import Json, Request
from instructor.engine.ports import Received
from instructor.transport.wirejson import as_wire


class Function:
    """A blocking function."""

    def __init__(self, create: Callable[..., Any]) -> None:
        self.create = create

    def send(self, request: Request) -> Received:
        response = self.create(**request.body)
        return Received(as_wire(response), response, {})

    def open(self, request: Request) -> ObjectConnection:
        return ObjectConnection(self.create(**request.body))

    def response(self, wire: Json) -> Any:
        return wire


class AsyncFunction:
    """An awaiting function."""

    def __init__(self, create: Callable[..., Awaitable[Any]]) -> None:
        self.create = create

    async def send(self, request: Request) -> Received:
        response = await self.create(**request.body)
        return Received(as_wire(response), response, {})

    async def open(self, request: Request) -> AsyncObjectConnection:
        return AsyncObjectConnection(await self.create(**request.body))

    def response(self, wire: Json) -> Any:
        return wire


class ObjectConnection:
    """A stream of the SDK's chunk objects, or of whatever a mock yields."""

    headers: Mapping[str, str] = {}

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._chunks: Iterator[Any] = iter(stream)

    def read(self) -> list[Json] | None:
        for chunk in self._chunks:
            return [as_wire(chunk)]
        return None

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class AsyncObjectConnection:
    """The same, awaiting."""

    headers: Mapping[str, str] = {}

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._chunks: AsyncIterator[Any] = aiter(stream)

    async def read(self) -> list[Json] | None:
        async for chunk in self._chunks:
            return [as_wire(chunk)]
        return None

    async def close(self) -> None:
        close = getattr(self._stream, "close", None) or getattr(self._stream, "aclose", None)
        closing = close() if close is not None else None
        if inspect.isawaitable(closing):
            await closing
