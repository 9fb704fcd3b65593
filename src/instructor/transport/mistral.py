"""Calling mistralai: one client has both colours, its events hold the chunk under `data`."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import jiter
from pydantic import ValidationError

from instructor.engine.call import Json, Request
from instructor.engine.ports import AsyncConnection, Connection, Received
from instructor.transport.function import AsyncChunkConnection, AsyncFunction, ChunkConnection, Forms, Function
from instructor.transport.wirejson import as_wire


class Mistral(Function):
    """A blocking client."""

    def send(self, request: Request) -> Received:
        try:
            return super().send(request)
        except Exception as error:
            return _received(error)

    def open(self, request: Request) -> Connection:
        return ChunkConnection(_Events(self.create(**{**request.body, "stream": True})), self._forms)


class AsyncMistral(AsyncFunction):
    """An awaiting client."""

    async def send(self, request: Request) -> Received:
        try:
            return await super().send(request)
        except Exception as error:
            return _received(error)

    async def open(self, request: Request) -> AsyncConnection:
        stream = await self.create(**{**request.body, "stream": True})
        connection = AsyncChunkConnection(_Events(stream), self._forms)
        await connection.begin()
        return connection


class _Events:
    """A stream of the SDK's, of either colour, which gives also the event that the SDK refuses; then its error."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._failure: Exception | None = None

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        self._fail()
        try:
            return next(self._stream)
        except Exception as error:
            return self._refused(error)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        self._fail()
        try:
            return await anext(self._stream)
        except Exception as error:
            return self._refused(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _fail(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _refused(self, error: Exception) -> Json:
        event = _body(error)
        if event is None:
            raise error
        self._failure = error
        data = event.get("data")
        return data if isinstance(data, dict) else {"error": data}


def _body(error: Exception) -> Json | None:
    """Return the JSON that came, where the SDK refuses it because it fits no model of its own."""
    if not isinstance(error.__cause__, ValidationError):
        return None
    try:
        body = jiter.from_json(str(getattr(error, "body", "")).encode())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _received(error: Exception) -> Received:
    """Return a whole response that the SDK refuses, as it came: the wire's own reading says what is wrong with it."""
    body = _body(error)
    if body is None:
        raise error
    return Received(body, body, dict(getattr(error, "headers", {})))


def blocking(client: Any) -> Function:
    return Mistral(client.chat.complete, client.chat.stream, _FORMS, client)


def awaiting(client: Any) -> AsyncFunction:
    open_stream = client.chat.stream_async

    async def stream(**body: Any) -> Any:
        try:
            return await open_stream(**body)
        except asyncio.CancelledError as error:
            await _release(error)
            raise

    return AsyncMistral(client.chat.complete_async, stream, _FORMS, client)


async def _release(error: BaseException) -> None:
    """Close the response of a cancelled call: cancelled after it came, while hooks run, the SDK forgets it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        response = frame.f_locals.get("http_res")
        if response is not None:
            await response.aclose()


def _read(response: Any) -> Json:
    return as_wire(getattr(response, "data", response))


def _built(wire: Json) -> Any:
    from mistralai.client.models import ChatCompletionResponse

    try:
        return ChatCompletionResponse.model_validate(wire)
    except ValidationError:
        return wire


_FORMS = Forms(read=_read, build=_built)
