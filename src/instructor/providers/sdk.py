"""Calling the SDKs that Stainless makes: openai, anthropic, groq, cerebras, writer, together and more.

Such an SDK builds a typed object for each chunk, which costs fifty times what reading its bytes does. So the bytes
are read here, by the methods that the SDK has for it: the resource's `with_streaming_response` and
`with_raw_response`. Authentication, addresses, retries, time-outs and errors stay the SDK's.

They are used only if `create` is the SDK's own. A mock, or a function that a tracing tool has put in its place,
must see the call: it is then made in the ordinary way, and what it gives is read as wire JSON.
"""

from __future__ import annotations

import inspect
import socket
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any, get_args

import jiter
from pydantic import BaseModel, ValidationError
from typing_extensions import Self

from instructor.core.events import without_halves
from instructor.core.types import Arguments, AsyncConnection, Connection, Json, Received, Request
from instructor.exceptions import ResponseParsingError
from instructor.parsing import is_json
from instructor.parsing.sse import BOM, MOST, EventStream
from instructor.providers.functions import AsyncFunction, Function, SDKAdapter, arguments_of, close_generators

_PLAIN = ("messages", "tools", "tool_choice", "response_format", "stream_options")
_SCALARS = (str, int, float, bool, type(None))


class Source:
    """What the streams of a client have in common."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.kind: Any = None
        self.most = MOST

    def sdk_error(self, error: Exception, response: Any) -> Exception:
        """Name an error of the HTTP client's as the SDK does, if it does: a time-out, or a lost connection."""
        sdk = _sdk_of(self.client)
        kind = getattr(sdk, "APITimeoutError" if "Timeout" in type(error).__name__ else "APIConnectionError", None)
        if kind is None or isinstance(error, ResponseParsingError):
            return error
        named: Exception = kind(request=response.http_request)
        named.__cause__ = error
        return named


class SDKMethods(Source):
    """The three ways of calling a resource's method, bound before anybody puts a function of his own in its place."""

    def __init__(self, client: Any, path: str, *, again: bool = False) -> None:
        """`again`: the method of the class is meant, for `patch` has put ours into the object meanwhile."""
        super().__init__(client)
        *resources, method = path.split(".")
        resource = client
        for name in resources:
            resource = getattr(resource, name)
        self._resource, self._method = resource, method
        self._function: Any = vars(type(resource)).get(method)
        self._is_classes = again or method not in vars(resource)
        self.create = self._function.__get__(resource) if again else getattr(resource, method)
        self.is_own = _is_sdks_own(resource, method)
        if self.is_own:
            self.raw = getattr(resource.with_raw_response, method)
            self.streaming = getattr(resource.with_streaming_response, method)
        self.by_bytes = self.is_own and _has_event_streams(client)

    def are_current(self) -> bool:
        """Return whether nobody has put another function in the class since these were looked up."""
        return not self._is_classes or vars(type(self._resource)).get(self._method) is self._function

    def response(self, wire: Json) -> Any:
        """Build the SDK's object of a response that came as a stream or from a cache; else wire JSON."""
        kind = _model_of(self.kind) or self._declared
        return wire if kind is None else _built(kind, wire)

    @cached_property
    def _declared(self) -> Any:
        """Return the model class that the SDK's method says it returns: no response has shown it yet."""
        function = inspect.unwrap(getattr(self.create, "__func__", self.create))
        said = str(getattr(function, "__annotations__", {}).get("return", "")).partition("|")[0].strip()
        return _model_of(function.__globals__.get(said)) if self.is_own else None


class Bounded:
    """A transport that reads the bytes of its streams."""

    _source: Source

    @property
    def max_event_bytes(self) -> int:
        """How long an event of a stream may be."""
        return self._source.most

    @max_event_bytes.setter
    def max_event_bytes(self, most: int) -> None:
        self._source.most = most


class _SDKTransport(Bounded):
    """What `Stainless` and `AsyncStainless` have in common.

    The SDK's methods are looked up with the first call: an SDK imports its resources when they are first touched. They
    are looked up again when a tracer has wrapped them since.
    """

    _streamed: Callable[..., Any] | None = None
    _found: SDKMethods | None = None

    def __init__(self, client: Any, path: str = "chat.completions.create") -> None:
        self.client, self._path, self._adapter = client, path, SDKAdapter()

    @property
    def _methods(self) -> SDKMethods:
        methods = self._found
        if methods is None or not methods.are_current():
            most = MOST if methods is None else methods.most
            methods = self._found = SDKMethods(self.client, self._path, again=methods is not None)
            methods.most = most
            self.__dict__.pop("_arguments", None)
        return methods

    @property
    def _source(self) -> Source:  # type: ignore[override]  # read only here
        return self._methods

    def without_retries(self) -> Self:
        """Return a transport whose SDK does not send a failed request again; a patched client stays as it is."""
        if not (self._methods.is_own and callable(getattr(self.client, "with_options", None))):
            return self
        return type(self)(self.client.with_options(max_retries=0), self._path)

    @property
    def create(self) -> Callable[..., Any]:
        create: Callable[..., Any] = self._methods.create
        return create

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        return ()  # `create` is that of the SDK

    @property
    def arguments(self) -> Arguments | None:
        _ = self._methods  # forgets the arguments of a method that was replaced
        return self._arguments

    @cached_property
    def _arguments(self) -> Arguments | None:
        return arguments_of(self.create, its_own=self._methods.is_own)

    def response(self, wire: Json) -> Any:
        return self._methods.response(wire)


class Stainless(_SDKTransport, Function):
    """A sync client."""

    def send(self, request: Request) -> Received:
        if not self._methods.is_own:
            return super().send(request)
        return _received(self._methods.raw(**_keywords(request.body)))

    def open(self, request: Request) -> Connection:
        if not self._methods.by_bytes:
            return super().open(request)
        return ByteConnection(self._methods.streaming(**_keywords(request.body)), self._methods)


class AsyncStainless(_SDKTransport, AsyncFunction):
    """An async client."""

    async def send(self, request: Request) -> Received:
        if not self._methods.is_own:
            return await super().send(request)
        return _received(await self._methods.raw(**_keywords(request.body)))

    async def open(self, request: Request) -> AsyncConnection:
        if not self._methods.by_bytes:
            return await super().open(request)
        manager = self._methods.streaming(**_keywords(request.body))
        return AsyncByteConnection(manager, await manager.__aenter__(), self._methods)


class ByteConnection:
    """A stream whose bytes are read below the SDK's objects."""

    def __init__(self, manager: Any, source: Source) -> None:
        self._manager, self._methods = manager, source
        self._response = manager.__enter__()
        source.kind = getattr(self._response, "_cast_to", None)
        self._reads = sync_body(self._response)
        self._events = Events(self._response, source.most)
        self._lost: Exception | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self._response.headers
        return headers

    def read(self) -> list[bytes] | None:
        if self._lost is not None:
            raise self._lost
        try:
            data = next(self._reads, None)
        except Exception as error:
            self._lost = self._methods.sdk_error(error, self._response)
            if events := self._events.end(lost=True):  # what came counts
                return events
            raise self._lost from error
        return (self._events.end() or None) if data is None else self._events.feed(data)

    def interrupt(self) -> bool:
        """End the read that another thread is in: closing its socket would not wake it."""
        http = self._response.http_response
        network = http.extensions.get("network_stream")
        held = network.get_extra_info("socket") if network is not None else None
        if isinstance(held, socket.socket) and http.http_version != "HTTP/2":  # there other streams share it
            socket.socket.shutdown(held, socket.SHUT_RDWR)  # of the connection itself, under whatever encrypts it
        return True

    def close(self) -> None:
        self._manager.__exit__(None, None, None)


class AsyncByteConnection:
    """The async counterpart."""

    def __init__(self, manager: Any, response: Any, source: Source) -> None:
        self._manager, self._response, self._methods = manager, response, source
        source.kind = getattr(response, "_cast_to", None)
        self._reads = async_body(response)
        self._events = Events(response, source.most)
        self._lost: Exception | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self._response.headers
        return headers

    async def read(self) -> list[bytes] | None:
        if self._lost is not None:
            raise self._lost
        try:
            data = await anext(self._reads, None)
        except Exception as error:
            self._lost = self._methods.sdk_error(error, self._response)
            if events := self._events.end(lost=True):  # what came counts
                return events
            raise self._lost from error
        return (self._events.end() or None) if data is None else self._events.feed(data)

    async def close(self) -> None:
        if "trio" in sys.modules:  # which warns of generators that are left to the garbage collector
            await close_generators(self._reads)
        await self._manager.__aexit__(None, None, None)


def _keywords(body: Mapping[str, Any]) -> dict[str, Any]:
    """Pass messages and schemas that are plain JSON as the body's extra part, which is sent unchanged.

    Through its other arguments the SDK walks, for what is named otherwise in Python: that is a third of a call's cost.
    """
    plain = {key: body[key] for key in _PLAIN if key in body and _is_plain(body[key])}
    kept = {key: value for key, value in body.items() if key not in plain}
    if "messages" in plain:
        kept["messages"] = ()  # a required argument; the extra part has the real ones
    return {**kept, "extra_body": {**plain, **(body.get("extra_body") or {})}} if plain else kept


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is not dict and kind is not list:
        return kind in _SCALARS
    for part in value.values() if kind is dict else value:
        if type(part) not in _SCALARS and not _is_plain(part):
            return False
    return True


def _has_event_streams(client: Any) -> bool:
    """Return whether streams are event streams. A client for another platform's frames has its own decoder."""
    decoder = getattr(type(client), "_make_sse_decoder", None)
    return decoder is None or str(decoder.__module__).endswith("._base_client")


def _sdk_of(thing: Any) -> Any:
    """Find the package of the SDK that a client or a resource belongs to, by the errors that such a package has."""
    for kind in type(thing).__mro__:
        name = kind.__module__
        while name:
            if hasattr(sys.modules.get(name), "APIConnectionError"):
                return sys.modules[name]
            name = name.rpartition(".")[0]
    return None


def _is_sdks_own(resource: Any, method: str) -> bool:
    """Return whether the SDK defines a method: it is not set on the object, and its code is in the SDK's package.

    A tracer's wrapper is no function by its type, though it says that it is one.
    """
    function = inspect.getattr_static(type(resource), method, None)
    if (
        method in vars(resource)
        or type(function) is not FunctionType
        or not hasattr(resource, "with_streaming_response")
    ):
        return False
    home = getattr(_sdk_of(resource), "__file__", None)
    return home is not None and Path(home).parent in Path(function.__code__.co_filename).parents


def _received(response: Any) -> Received:
    content: bytes = response.http_response.content.removeprefix(BOM)
    try:
        wire = jiter.from_json(content)
    except ValueError:
        content = without_halves(content)
        wire = _read(content, response)
    if isinstance(wire, list) and len(wire) == 1:  # the form of some servers' errors
        wire = wire[0]
    if not isinstance(wire, dict):
        raise ResponseParsingError(f"The response must be a JSON object, got {wire!r}", raw_response=response)
    kind = _model_of(getattr(response, "_cast_to", None))
    if kind is None:
        return Received(wire, wire, response.headers)
    built = _built(kind, wire, content)
    vars(built)["_request_id"] = response.headers.get("x-request-id")
    return Received(wire, built, response.headers)


def _read(content: bytes, response: Any) -> Any:
    try:
        return jiter.from_json(content)
    except ValueError as error:
        text = content.decode("utf-8", "replace")
        raise ResponseParsingError(
            f"The response is not JSON: {text[:200]!r}", text=text, raw_response=response
        ) from error


def _model_of(kind: Any) -> Any:
    """Return the model class of a complete response. Some SDKs name several: response, chunk, error."""
    while not inspect.isclass(kind) and get_args(kind):
        kind = get_args(kind)[0]
    return kind if inspect.isclass(kind) and issubclass(kind, BaseModel) else None


def _built(kind: Any, wire: Json, content: bytes | None = None) -> Any:
    """Build the SDK's object: pydantic's parser takes a tenth of the time of the SDK's own, lenient one."""
    try:
        return kind.model_validate(wire) if content is None else kind.model_validate_json(content)
    except ValidationError:
        return kind.construct(**wire)


_PIECE = 1 << 16
"""How many bytes are unpacked at once: a few packed ones may stand for very many."""
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}

_HEAD = 2
"""The bytes by which zlib's format names itself, as a number of two bytes that 31 divides."""


def sync_body(response: Any) -> Iterator[bytes]:
    """Return the reads of a body: as they come if it is not compressed, which spares a read four generators."""
    unpack = _unpacker(response)
    if unpack is None:
        return iter(_plain(response))
    return (piece for data in response.http_response.stream for piece in unpack(data))


def async_body(response: Any) -> AsyncIterator[bytes]:
    """Return the async counterpart."""
    unpack = _unpacker(response)
    if unpack is None:
        return aiter(_plain(response))
    return _unpacked(response.http_response.stream, unpack)


async def _unpacked(stream: Any, unpack: Callable[[bytes], Iterator[bytes]]) -> AsyncIterator[bytes]:
    async for data in stream:
        for piece in unpack(data):
            yield piece


def _plain(response: Any) -> Any:
    http = response.http_response
    if http.headers.get("content-encoding") or http.is_stream_consumed:  # a hook of the user's may have read it
        return response.iter_bytes()
    return http.stream


def _unpacker(response: Any) -> Callable[[bytes], Iterator[bytes]] | None:
    """Return what unpacks a body piece by piece; None where that is not needed, or is the HTTP client's to do."""
    http = response.http_response
    window = _WINDOWS.get(http.headers.get("content-encoding", "").strip().lower())
    if window is None or http.is_stream_consumed:
        return None
    unpacker = None if window == zlib.MAX_WBITS else zlib.decompressobj(window)
    head = b""

    def unpack(data: bytes) -> Iterator[bytes]:
        nonlocal unpacker, head
        if unpacker is None:
            head += data
            if len(head) < _HEAD:
                return
            data, named = head, int.from_bytes(head[:_HEAD], "big") % 31 == 0 and head[0] & 15 == zlib.DEFLATED
            unpacker = zlib.decompressobj(window if named else -window)  # some servers leave out what names it
        while True:
            piece = unpacker.decompress(data, _PIECE)
            if piece:
                yield piece
            data = unpacker.unconsumed_tail
            if not data and len(piece) < _PIECE:
                return

    return unpack


class Events:
    """Cuts a body into events. Where it is called something else its first byte decides: some call their streams JSON.

    An event of more than `most` bytes is refused.
    """

    def __init__(self, response: Any, most: int) -> None:
        self._stream = EventStream(most)
        self.feed: Callable[[bytes], list[bytes]] = self._stream.feed
        self._parts: list[bytes] = []
        if response.headers.get("content-type", "").startswith(("application/json", "text/html")):
            self.feed = self._first

    def _first(self, data: bytes) -> list[bytes]:
        self._parts.append(data)
        start = b"".join(self._parts)
        if BOM.startswith(start[:3]) and start[:3] != BOM:
            return []
        text = start.removeprefix(BOM).lstrip()
        if text.startswith((b"{", b"[", b"<")):
            self.feed = self._more
            return []
        if text:
            self._parts.clear()
            self.feed = self._stream.feed
            return self._stream.feed(start)
        return []

    def _more(self, data: bytes) -> list[bytes]:
        self._parts.append(data)
        return []

    def end(self, *, lost: bool = False) -> list[bytes]:
        """Return what is whole though no more comes; `lost`: the connection is."""
        body = b"".join(self._parts).removeprefix(BOM).strip()
        self._parts.clear()
        if body:
            return [body] if not lost or is_json(body) else []
        return self._stream.end(lost=lost)
