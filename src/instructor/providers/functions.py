"""Transports for functions that return an SDK's objects: a mock, a wrapped `create`, an SDK that hides its bytes.

Some SDKs have one function for whole responses and one for streams, and many send a stream's request only when its
first chunk is read. So the first chunk is read when the stream is opened: a request that fails is then reported as one.
What fails after the headers came is a stream that broke off, not a failed request.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, MethodType
from typing import Any

import jiter

from instructor.core.types import Arguments, AsyncConnection, Connection, Json, Received, Request
from instructor.exceptions import ResponseParsingError


def as_wire(response: Any) -> Json:
    """Turn a response or a chunk, whatever its making, into a plain dict."""
    plain = _plain(response)
    if isinstance(plain, dict):
        return plain
    raise ResponseParsingError(
        f"A response must be an object of the SDK, a dict or a namespace, got {response!r}.",
        raw_response=response,
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    dump = getattr(type(value), "model_dump", None)
    if dump is not None:
        return dump(value, mode="json", by_alias=True, warnings=False)  # an alias is the wire's own name
    if hasattr(value, "__dict__"):
        return {key: _plain(part) for key, part in _attributes(value).items() if not key.startswith("_")}
    return value


_OF_MOCKS = ("method_calls", "return_value", "side_effect")


def _attributes(value: Any) -> Mapping[str, Any]:
    """Return an object's attributes; of a mock only those that somebody has set, or that have one that is set."""
    attributes: dict[str, Any] = vars(value)
    if "_mock_children" not in attributes:
        return attributes
    children = {name: child for name, child in attributes["_mock_children"].items() if _is_set(child)}
    return {**children, **{name: part for name, part in attributes.items() if name not in _OF_MOCKS}}


def _is_set(child: Any) -> bool:
    return hasattr(child, "__dict__") and any(not name.startswith("_") for name in _attributes(child))


_SHOWN = 200
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _same(value: Any) -> Any:
    return value


def _no_headers(response: Any) -> Mapping[str, str]:
    del response
    return {}


def has_begun(error: BaseException | None) -> bool:
    """Return whether an SDK had a response with a good status in any of the frames that an error passed through."""
    return any(map(_is_good, held(error)))


def refused_body(error: BaseException) -> Json | None:
    """Return the JSON of a good response that an SDK failed to make an object of; None if it failed otherwise."""
    unmade = isinstance(error, (TypeError, AttributeError, LookupError, ValueError))
    if not (unmade or type(error).__name__ == "ResponseParserError"):  # botocore's
        return None
    for value in held(error):
        with contextlib.suppress(RuntimeError):  # a stream is not there yet
            found = object_of(getattr(value, "content", None)) if _is_good(value) else None
            if found is not None:
                return found
    return None


def object_of(content: Any) -> Json | None:
    """Return the JSON object that a text is."""
    try:
        value = jiter.from_json(content.encode() if isinstance(content, str) else content)
    except (ValueError, TypeError):
        return None
    return value if isinstance(value, dict) else None


def _is_good(value: Any) -> bool:
    status = getattr(value, "status_code", None) or getattr(value, "status", None)
    return isinstance(status, int) and 200 <= status < 300


def held(error: BaseException | None) -> Iterator[Any]:
    """Yield what the functions that an error went through had in their hands."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            yield from list(frame.f_locals.values())
        error = error.__cause__ or error.__context__


def _none(error: BaseException) -> None:
    del error


async def close_generators(outermost: Any) -> None:
    """Close an asynchronous generator, and first those it iterates over, which it does not close itself."""
    found = [outermost] if inspect.isasyncgen(outermost) else []
    for each in found:  # which grows meanwhile: what a generator iterates over is on its stack
        held = gc.get_referents(each, each.ag_frame)  # the second is where Python 3.10 has the stack
        found += [value for value in held if inspect.isasyncgen(value) and value not in found]
    for each in reversed(found):
        with contextlib.suppress(RuntimeError):  # it is being read: who reads it closes it
            await each.aclose()


def _close(stream: Any) -> Any:
    """Close a sync or async stream, whichever name its method has."""
    close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    return close() if close is not None else None


@dataclass(frozen=True, slots=True)
class SDKAdapter:
    """How an SDK's objects and wire JSON become each other, and how its streams are closed."""

    ask: Callable[[dict[str, Any]], dict[str, Any]] = _same
    """Makes the SDK's arguments of a request's body."""
    read: Callable[[Any], Json] = as_wire
    """Reads a response or a chunk."""
    build: Callable[[Json], Any] = _same
    """Makes the SDK's response of a whole reply's JSON."""
    headers: Callable[[Any], Mapping[str, str]] = _no_headers
    close: Callable[[Any], Any] = _close
    refused: Callable[[BaseException], Json | None] = _none
    """Finds the JSON of a response or a chunk of which the SDK could make no object."""
    begun: Callable[[BaseException], bool] = has_begun
    """Whether the headers had come, when a stream failed before its first chunk."""


class _Functions:
    """What sync and async functions have in common.

    `client` is what the functions belong to. It is kept alive, because some clients close their connections when
    nothing refers to them.
    """

    def __init__(
        self,
        whole: Callable[..., Any],
        streamed: Callable[..., Any] | None = None,
        adapter: SDKAdapter | None = None,
        client: Any = None,
    ) -> None:
        self._whole, self._streamed, self._adapter, self.client = whole, streamed, adapter or SDKAdapter(), client
        self.create: Callable[..., Any] = whole if streamed is None else self._either

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The SDK's functions that make requests: a tracer may have wrapped them."""
        return (self._whole,)

    def response(self, wire: Json) -> Any:
        return self._adapter.build(wire)

    def interrupt_open(self, thread: int) -> bool:
        """Return that this transport cannot end an `open` itself."""
        del thread
        return False

    @property
    def arguments(self) -> Arguments | None:
        """What the function for responses takes, and `stream`, which says to call the other one."""
        return self._arguments

    @cached_property
    def _arguments(self) -> Arguments | None:
        names = arguments_of(self._whole)
        return names if names is None or self._streamed is None else names._replace(taken=names.taken | {"stream"})

    def _body(self, request: Request) -> Any:
        return {**request.body, "stream": True} if self._streamed is not None else request.body

    def _choose(self, stream: bool) -> Callable[..., Any]:
        return self._streamed if stream and self._streamed is not None else self._whole

    def _either(self, *, stream: bool = False, **body: Any) -> Any:
        raise NotImplementedError


class Function(_Functions):
    """A sync function, or two: the other one for streams, which then takes no `stream`."""

    def send(self, request: Request) -> Received:
        try:
            response = self.create(**request.body)
        except Exception as error:
            return as_it_came(error, self._adapter.refused)
        return Received(self._adapter.read(response), response, self._adapter.headers(response))

    def open(self, request: Request) -> Connection:
        return ChunkConnection(self.create(**self._body(request)), self._adapter)

    def _either(self, *, stream: bool = False, **body: Any) -> Any:
        return self._choose(stream)(**self._adapter.ask(body))


class AsyncFunction(_Functions):
    """The same for async functions; the one for streams may also return its stream at once."""

    async def send(self, request: Request) -> Received:
        try:
            response = await self.create(**request.body)
        except Exception as error:
            return as_it_came(error, self._adapter.refused)
        return Received(self._adapter.read(response), response, self._adapter.headers(response))

    async def open(self, request: Request) -> AsyncConnection:
        connection = AsyncChunkConnection(await self.create(**self._body(request)), self._adapter)
        await connection.begin()
        return connection

    async def _either(self, *, stream: bool = False, **body: Any) -> Any:
        made = self._choose(stream)(**self._adapter.ask(body))
        return await made if isinstance(made, Awaitable) else made


def as_it_came(error: Exception, refused: Callable[[BaseException], Json | None]) -> Received:
    """Return a response that the SDK refuses, as it came: the wire's own reading says what is wrong with it."""
    body = refused(error)
    if body is None and refused is not _none and isinstance(error, json.JSONDecodeError):
        raise ResponseParsingError(f"The response is not JSON: {error.doc[:_SHOWN]!r}", text=error.doc) from error
    if body is None:
        raise error
    return Received(body, body, dict(getattr(error, "headers", None) or {}))


_END, _NONE = object(), object()


class _Chunks:
    """A stream of the SDK's objects, of which one is taken ahead.

    Of a chunk that the SDK refuses the event is read as it came, and then the error raised: the SDK's stream is over.
    """

    headers: Mapping[str, str] = {}

    def __init__(self, stream: Any, adapter: SDKAdapter) -> None:
        self._stream, self._adapter = stream, adapter
        self._failure: Exception | None = None
        self._ahead: Any = _NONE

    def _begun(self, error: Exception) -> bool:
        """Return whether a stream had begun that failed before its first chunk; the next read raises the error then."""
        self._failure = error if self._adapter.begun(error) else None
        return self._failure is not None

    def _event(self, error: Exception) -> Json | None:
        """Return the event that the SDK made no chunk of; the next read raises the error then."""
        event = self._adapter.refused(error)
        self._failure = error if event is not None else None
        return event


class ChunkConnection(_Chunks):
    """A sync stream of the SDK's objects."""

    def __init__(self, stream: Any, adapter: SDKAdapter) -> None:
        super().__init__(stream, adapter)
        self._chunks: Iterator[Any] = iter(stream)
        try:
            self._ahead = self._next()
        except Exception as error:
            if not self._begun(error):
                raise

    def read(self) -> list[Json] | None:
        chunk, self._ahead = self._ahead, _NONE
        if chunk is _NONE:
            chunk = self._next()
        return None if chunk is _END else [self._adapter.read(chunk)]

    def _next(self) -> Any:
        if self._failure is not None:
            raise self._failure
        try:
            return next(self._chunks, _END)
        except Exception as error:
            event = self._event(error)
            if event is None:
                raise
            return event

    def interrupt(self) -> bool:
        return False

    def close(self) -> None:
        self._adapter.close(self._stream)


class AsyncChunkConnection(_Chunks):
    """The async counterpart."""

    def __init__(self, stream: Any, adapter: SDKAdapter) -> None:
        super().__init__(stream, adapter)
        self._chunks: AsyncIterator[Any] = aiter(stream)

    async def begin(self) -> None:
        try:
            self._ahead = await self._next()
        except Exception as error:
            if not self._begun(error):
                raise

    async def read(self) -> list[Json] | None:
        chunk, self._ahead = self._ahead, _NONE
        if chunk is _NONE:
            chunk = await self._next()
        return None if chunk is _END else [self._adapter.read(chunk)]

    async def _next(self) -> Any:
        if self._failure is not None:
            raise self._failure
        try:
            return await anext(self._chunks, _END)
        except Exception as error:
            event = self._event(error)
            if event is None:
                raise
            return event

    async def close(self) -> None:
        closing = self._adapter.close(self._stream)
        if inspect.isawaitable(closing):
            await closing


def arguments_of(function: Any, *, its_own: bool = False) -> Arguments | None:
    """Name the arguments of a function; None where it takes any, or is none that can be asked.

    What is wrapped is looked into only where the wrapping is the SDK's own: that of others may take more.
    """
    inner = function.__func__ if type(function) is MethodType else function
    if type(inner) is not FunctionType:
        return None
    parameters = inspect.signature(function, follow_wrapped=its_own).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    named = [parameter for parameter in parameters if parameter.kind in _BY_NAME]
    return Arguments(
        frozenset(parameter.name for parameter in named),
        frozenset(parameter.name for parameter in named if parameter.default is parameter.empty),
    )
