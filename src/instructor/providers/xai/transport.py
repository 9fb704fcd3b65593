"""Calling xAI's SDK, which speaks gRPC.

A chat's own `sample()` and `stream()` read the tool calls' arguments to describe them for tracing, and fail on
arguments that are not JSON: what a model writes, and what is to be corrected, would be lost. So the call is made one
floor below, on the chat's stub: the channel with its key, time-outs and retries stays the SDK's.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from instructor.core.types import Arguments, Json, Received, Request
from instructor.providers.functions import AsyncChunkConnection, ChunkConnection, SDKAdapter


class XAI:
    """A sync client."""

    arguments: Arguments | None = None

    def __init__(self, client: Any) -> None:
        self._client = client
        self._opening: dict[int, Any] = {}  # the call that each thread opens; None before it is made
        self._interrupted: set[int] = set()

    def create(self, *, stream: bool = False, **body: Any) -> Any:
        """Make a chat and call its `stream()` or `sample()`."""
        chat = _chat(self._client, body)
        return chat.stream() if stream else chat.sample()

    def send(self, request: Request) -> Received:
        chat = _chat(self._client, request.body)
        return _received(chat._stub.GetCompletion(_asked(chat)))

    def open(self, request: Request) -> ChunkConnection:
        chat, thread = _chat(self._client, request.body), threading.get_ident()
        self._opening[thread] = None
        try:
            call = self._opening[thread] = chat._stub.GetCompletionChunk(_asked(chat))
            if thread in self._interrupted:
                call.cancel()
            return CallConnection(call)
        finally:
            self._opening.pop(thread, None)
            self._interrupted.discard(thread)

    def interrupt_open(self, thread: int) -> bool:
        """Cancel the call that a thread opens. To throw an exception into it would leave a lock of gRPC's taken."""
        if thread not in self._opening:
            return False
        self._interrupted.add(thread)
        call = self._opening.get(thread)
        if call is not None:
            call.cancel()
        return True

    def response(self, wire: Json) -> Any:
        return _response(wire)


class CallConnection(ChunkConnection):
    """A stream of chunks, whose call can be ended from any thread."""

    def __init__(self, call: Any) -> None:
        self._call = call
        super().__init__(_chunks(call), _FORMS)

    def interrupt(self) -> bool:
        self._call.cancel()
        return True


class AsyncXAI:
    """An async client."""

    arguments: Arguments | None = None

    def __init__(self, client: Any) -> None:
        self._client = client

    async def create(self, *, stream: bool = False, **body: Any) -> Any:
        """Make a chat and call its `stream()`, an asynchronous iterator, or `sample()`."""
        chat = _chat(self._client, body)
        return chat.stream() if stream else await chat.sample()

    async def send(self, request: Request) -> Received:
        chat = _chat(self._client, request.body)
        return _received(await chat._stub.GetCompletion(_asked(chat)))

    async def open(self, request: Request) -> AsyncChunkConnection:
        chat = _chat(self._client, request.body)
        connection = AsyncChunkConnection(_achunks(chat._stub.GetCompletionChunk(_asked(chat))), _FORMS)
        await connection.begin()
        return connection

    def response(self, wire: Json) -> Any:
        return _response(wire)


def _chat(client: Any, body: Any) -> Any:
    """Make the SDK's chat of a request: what the wire has as messages is parsed, all else is the SDK's to take."""
    from google.protobuf.json_format import ParseDict
    from xai_sdk.proto import chat_pb2

    def parsed(value: Any, kind: Any) -> Any:
        return ParseDict(value, kind()) if isinstance(value, dict) else value

    made = {**body, "messages": [parsed(message, chat_pb2.Message) for message in body["messages"]]}
    if made.get("tools"):
        made["tools"] = [parsed(tool, chat_pb2.Tool) for tool in made["tools"]]
    for name, kind in (("tool_choice", chat_pb2.ToolChoice), ("response_format", chat_pb2.ResponseFormat)):
        if name in made:
            made[name] = parsed(made[name], kind)
    return client.chat.create(**made)


def _asked(chat: Any) -> Any:
    asked = type(chat.proto)()
    asked.CopyFrom(chat.proto)
    asked.n = 1
    return asked


def _chunks(call: Any) -> Iterator[Any]:
    try:
        yield from call
    finally:
        call.cancel()  # ends a call that is left; nothing where it has ended


async def _achunks(call: Any) -> AsyncIterator[Any]:
    try:
        await call.initial_metadata()  # an error that comes with it would be reported without it
        async for chunk in call:
            yield chunk
    finally:
        call.cancel()


def _as_wire(message: Any) -> Json:
    from google.protobuf.json_format import MessageToDict

    wire: Json = MessageToDict(message, preserving_proto_field_name=True)
    return wire


def _received(message: Any) -> Received:
    return Received(_as_wire(message), _wrapped(message), {})


def _wrapped(message: Any) -> Any:
    """Return the SDK's response: of one output, or of all where the provider's own tools made several."""
    from xai_sdk.chat import Response

    return Response(message, None if any(output.index for output in message.outputs) else 0)


def _response(wire: Json) -> Any:
    from google.protobuf.json_format import ParseDict
    from xai_sdk.proto import chat_pb2

    return _wrapped(ParseDict(wire, chat_pb2.GetChatCompletionResponse()))


def _begun(error: BaseException) -> bool:
    """Return whether the server had answered: it sends metadata before a stream, and none where it refuses a call.

    A call that was lost before it was answered is made again by the SDK itself.
    """
    metadata = getattr(error, "initial_metadata", None)
    return metadata is not None and bool(metadata())


_FORMS = SDKAdapter(read=_as_wire, begun=_begun)
