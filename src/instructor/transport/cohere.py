"""Calling cohere's second version of chat; a client of the first has it under `v2`.

The SDK passes over each event of a stream that it cannot read, and says so to nobody but a log: a piece of the answer
may be gone. So the events are read here, through the door that it keeps for raw responses. A function that a tracing
tool has put in the place of the SDK's own must see the call, and is called in the ordinary way.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from instructor.engine.call import Json, Request
from instructor.engine.ports import AsyncConnection, Connection
from instructor.transport.function import AsyncFunction, Forms, Function, refused_body
from instructor.transport.stainless import AsyncByteConnection, Bounded, ByteConnection, Source


def blocking(client: Any) -> Function:
    chat = _second(client)
    return Cohere(chat) if _is_sdks_own(chat) else Function(chat.chat, chat.chat_stream, _FORMS, client)


def awaiting(client: Any) -> AsyncFunction:
    chat = _second(client)
    return AsyncCohere(chat) if _is_sdks_own(chat) else AsyncFunction(chat.chat, chat.chat_stream, _FORMS, client)


class Cohere(Bounded, Function):
    """A blocking client."""

    def __init__(self, chat: Any) -> None:
        super().__init__(chat.chat, chat.chat_stream, _FORMS, chat)
        self._stream, self._source = chat.with_raw_response.chat_stream, Source(chat)

    def open(self, request: Request) -> Connection:
        return ByteConnection(self._opened(request), self._source)

    @contextmanager
    def _opened(self, request: Request) -> Iterator[_Response]:
        with self._stream(**request.body) as raw:
            yield _Response(raw)


class AsyncCohere(Bounded, AsyncFunction):
    """An awaiting client."""

    def __init__(self, chat: Any) -> None:
        super().__init__(chat.chat, chat.chat_stream, _FORMS, chat)
        self._stream, self._source = chat.with_raw_response.chat_stream, Source(chat)

    async def open(self, request: Request) -> AsyncConnection:
        manager = self._opened(request)
        return AsyncByteConnection(manager, await manager.__aenter__(), self._source)

    @asynccontextmanager
    async def _opened(self, request: Request) -> AsyncIterator[_Response]:
        async with self._stream(**request.body) as raw:
            yield _Response(raw)


class _Response:
    """A raw response, by the names that a connection reads one by."""

    def __init__(self, raw: Any) -> None:
        self.http_response = raw._response
        self.headers: Mapping[str, str] = self.http_response.headers

    def iter_bytes(self) -> Any:
        http = self.http_response
        return http.iter_bytes() if hasattr(http.stream, "__iter__") else http.aiter_bytes()


def _second(client: Any) -> Any:
    from cohere.v2.client import AsyncV2Client, V2Client

    return client if isinstance(client, (V2Client, AsyncV2Client)) else client.v2


def _is_sdks_own(chat: Any) -> bool:
    """Whether the function for streams is the one that the SDK defines, which it wraps itself to warn of an option."""
    import cohere

    functions = [
        inspect.getattr_static(type(chat), "chat_stream", None),
        *filter(None, [vars(chat).get("chat_stream")]),
    ]
    home = Path(str(cohere.__file__)).parent
    return hasattr(chat, "with_raw_response") and all(
        inspect.isfunction(each) and home in Path(each.__code__.co_filename).parents for each in functions
    )


def _built(wire: Json) -> Any:
    from cohere.v2.types.v2chat_response import V2ChatResponse

    return V2ChatResponse.model_validate(wire)


_FORMS = Forms(build=_built, refused=refused_body)
