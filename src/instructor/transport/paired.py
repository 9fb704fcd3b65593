"""Calling the SDKs that have two functions, one for whole responses and one for streams, and give their own objects.

Such an SDK often asks for a stream only when its first chunk is wanted. So that one is taken as the stream is opened:
a request that fails then fails as one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from instructor.engine.call import Json, Request
from instructor.engine.ports import Received
from instructor.transport.wirejson import as_wire


def _same(value: Any) -> Any:
    return value


def _no_headers(response: Any) -> Mapping[str, str]:
    del response
    return {}


async def _aclose(stream: Any) -> None:
    await (getattr(stream, "aclose", None) or stream.close)()


@dataclass(frozen=True, slots=True)
class Forms:
    """How an SDK's objects and wire JSON become each other, and how its streams are closed."""

    ask: Callable[[dict[str, Any]], dict[str, Any]] = _same
    """Makes the SDK's arguments of a request's body."""
    read: Callable[[Any], Json] = as_wire
    """Reads a response or a chunk."""
    build: Callable[[Json], Any] = _same
    """Makes the SDK's response of a whole reply's JSON."""
    headers: Callable[[Any], Mapping[str, str]] = _no_headers
    aclose: Callable[[Any], Awaitable[None]] = _aclose


class Paired:
    """Two blocking functions."""

    def __init__(self, whole: Callable[..., Any], streamed: Callable[..., Any], forms: Forms) -> None:
        self._whole, self._streamed, self._forms = whole, streamed, forms

    def create(self, **body: Any) -> Any:
        function = self._streamed if body.pop("stream", False) else self._whole
        return function(**self._forms.ask(body))

    def send(self, request: Request) -> Received:
        response = self.create(**{**request.body, "stream": False})
        return Received(self._forms.read(response), response, self._forms.headers(response))

    def open(self, request: Request) -> ChunkConnection:
        return ChunkConnection(self.create(**{**request.body, "stream": True}), self._forms.read)

    def response(self, wire: Json) -> Any:
        return self._forms.build(wire)


class AsyncPaired:
    """Two awaiting functions; the one for streams may also give its stream at once."""

    def __init__(self, whole: Callable[..., Awaitable[Any]], streamed: Callable[..., Any], forms: Forms) -> None:
        self._whole, self._streamed, self._forms = whole, streamed, forms

    async def create(self, **body: Any) -> Any:
        streaming = body.pop("stream", False)
        made = (self._streamed if streaming else self._whole)(**self._forms.ask(body))
        return await made if isinstance(made, Awaitable) else made

    async def send(self, request: Request) -> Received:
        response = await self.create(**{**request.body, "stream": False})
        return Received(self._forms.read(response), response, self._forms.headers(response))

    async def open(self, request: Request) -> AsyncChunkConnection:
        connection = AsyncChunkConnection(await self.create(**{**request.body, "stream": True}), self._forms)
        await connection.begin()
        return connection

    def response(self, wire: Json) -> Any:
        return self._forms.build(wire)


_END, _NONE = object(), object()


class ChunkConnection:
    """A stream of the SDK's objects, of which one is taken ahead."""

    headers: Mapping[str, str] = {}

    def __init__(self, stream: Any, read: Callable[[Any], Json]) -> None:
        self._stream, self._read = stream, read
        self._chunks: Iterator[Any] = iter(stream)
        self._ahead = next(self._chunks, _END)

    def read(self) -> list[Json] | None:
        chunk, self._ahead = self._ahead, _NONE
        if chunk is _NONE:
            chunk = next(self._chunks, _END)
        return None if chunk is _END else [self._read(chunk)]

    def close(self) -> None:
        self._stream.close()


class AsyncChunkConnection:
    """The same, awaiting."""

    headers: Mapping[str, str] = {}

    def __init__(self, stream: Any, forms: Forms) -> None:
        self._stream, self._forms = stream, forms
        self._chunks: AsyncIterator[Any] = aiter(stream)
        self._ahead: Any = _NONE

    async def begin(self) -> None:
        self._ahead = await anext(self._chunks, _END)

    async def read(self) -> list[Json] | None:
        chunk, self._ahead = self._ahead, _NONE
        if chunk is _NONE:
            chunk = await anext(self._chunks, _END)
        return None if chunk is _END else [self._forms.read(chunk)]

    async def close(self) -> None:
        await self._forms.aclose(self._stream)
