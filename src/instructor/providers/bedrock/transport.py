"""Calling Amazon Bedrock by boto3, which is sync only: the async transport waits in threads of its own.

What a thread waits for cannot be cancelled, but the socket it reads from can be shut down. So a stream that is left
ends at once; a call that is left ends, unheard, when its response comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from instructor.core.drivers import Escape
from instructor.core.types import Arguments, Json, Received, Request
from instructor.exceptions import ConfigurationError
from instructor.providers.functions import as_it_came, refused_body

_THREADS = 64
"""How many calls of one client may wait at once; those beyond it queue. Threads are made when they are needed."""


class Bedrock:
    """A sync client."""

    arguments: Arguments | None = None

    def __init__(self, client: Any) -> None:
        self._client = client

    def create(self, *, stream: bool = False, **body: Any) -> Any:
        """Call `converse`, whose response is a dict, or `converse_stream`, for its stream of events."""
        return self._client.converse_stream(**body)["stream"] if stream else self._client.converse(**body)

    def send(self, request: Request) -> Received:
        try:
            return _received(self._client.converse(**request.body))
        except Exception as error:
            return as_it_came(error, refused_body)

    def interrupt_open(self, thread: int) -> bool:
        """Return that this transport cannot end an `open` itself."""
        del thread
        return False

    def open(self, request: Request) -> EventConnection:
        return EventConnection(self._client.converse_stream(**request.body))

    def response(self, wire: Json) -> Any:
        return wire


class AsyncBedrock:
    """The same client in an async program."""

    arguments: Arguments | None = None

    def __init__(self, client: Any) -> None:
        self._client = client
        self._threads = ThreadPoolExecutor(_THREADS, "instructor.bedrock")

    async def create(self, *, stream: bool = False, **body: Any) -> Any:
        """Call `converse`, whose response is a dict, or `converse_stream`, for its events by asynchronous iteration."""
        if not stream:
            return await _called(self._threads, self._client.converse, **body)
        response = await _called(self._threads, self._client.converse_stream, **body)
        return _events(AsyncEventConnection(response, self._threads))

    async def send(self, request: Request) -> Received:
        try:
            return _received(await _called(self._threads, self._client.converse, **request.body))
        except Exception as error:
            return as_it_came(error, refused_body)

    async def open(self, request: Request) -> AsyncEventConnection:
        response = await _called(self._threads, self._client.converse_stream, **request.body)
        return AsyncEventConnection(response, self._threads)

    def response(self, wire: Json) -> Any:
        return wire


class EventConnection:
    """A stream of events, each a dict as boto3 reads it."""

    def __init__(self, response: Json) -> None:
        self.headers = _headers(response)
        self._stream = response["stream"]
        self._events: Iterator[Json] = iter(self._stream)

    def read(self) -> list[Json] | None:
        for event in self._events:
            return [event]
        return None

    def interrupt(self) -> bool:
        """End the read that another thread is in: it holds the lock that closing needs."""
        shutdown = getattr(getattr(self._stream, "_raw_stream", None), "shutdown", None)
        if shutdown is not None:
            with contextlib.suppress(ValueError, OSError, RuntimeError):  # it has ended already
                shutdown()
        return True

    def close(self) -> None:
        self._stream.close()


class AsyncEventConnection:
    """The same, awaited."""

    def __init__(self, response: Json, threads: Executor) -> None:
        self._connection, self._threads = EventConnection(response), threads
        self.headers = self._connection.headers

    async def read(self) -> list[Json] | None:
        events: list[Json] | None = await _waited(self._threads, self._connection.read)
        return events

    async def close(self) -> None:
        """Close the stream, also one that a thread still reads from."""
        self._connection.interrupt()
        await _waited(self._threads, self._connection.close)


async def _events(connection: AsyncEventConnection) -> AsyncIterator[Json]:
    try:
        while (events := await connection.read()) is not None:
            for event in events:
                yield event
    finally:
        await connection.close()


async def _called(threads: Executor, function: Callable[..., Any], /, **arguments: Any) -> Any:
    """Make a request in a thread; it is ended when nobody waits for it any more, and what comes still is closed."""
    escape = Escape()

    def unheard(done: Future[Any]) -> None:
        response = None if done.cancelled() or done.exception() else done.result()
        if response is not None and "stream" in response:
            response["stream"].close()

    called = _submitted(threads, lambda: escape.call(lambda: function(**arguments)))
    try:
        return await asyncio.wrap_future(called)
    except asyncio.CancelledError:
        escape.end()
        called.add_done_callback(unheard)
        raise


async def _waited(threads: Executor, function: Callable[[], Any]) -> Any:
    """Call in a thread."""
    return await asyncio.wrap_future(_submitted(threads, function))


def _submitted(threads: Executor, function: Callable[[], Any]) -> Future[Any]:
    """Call in a thread, with the context of the caller."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError("Bedrock's async client must run in asyncio: its SDK waits in threads.") from None
    return threads.submit(contextvars.copy_context().run, function)


def _received(response: Json) -> Received:
    return Received(response, response, _headers(response))


def _headers(response: Json) -> Mapping[str, str]:
    headers: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers
