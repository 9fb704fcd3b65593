"""xAI's wire: the gRPC service `xai_api.Chat`, its messages as protobuf's JSON, with the names of the .proto files.

A request holds what the SDK's `chat.create` takes, with messages, tools and formats as that JSON. A streamed reply is a
sequence of chunks; the one whose output has a finish reason is the terminal event. Tool calls come whole, without a
number: they are numbered here, in the order in which they come. The wire has no refusals: a model declines in words.

The SDK speaks gRPC. A chat's own `sample()` and `stream()` read the tool calls' arguments to describe them for tracing,
and fail on arguments that are not JSON: what a model writes, and what is to be corrected, would be lost. So the call is
made one level below, on the chat's stub: the channel with its key, time-outs and retries is still the SDK's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from instructor.core.types import TEXT, Arguments, Call, Delta, Finish, Json, Message, Received, Reply, Request, Tool
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.content import file_of, kind_of, parts_of, refused
from instructor.providers.dialect import BaseDialect, Counts, lacking, untaken
from instructor.providers.functions import AsyncChunkConnection, ChunkConnection, SDKAdapter
from instructor.providers.messages import as_text, called
from instructor.providers.pieces import Calls, mapping, objects, word
from instructor.schema.subsets import XAI as SUBSET

_OURS = "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL"
"""Calls of other types are the provider's own, and made already."""
_NO_REASON = "REASON_INVALID"
"""The reason of chunks before the last, and of a reply that has none."""


class XAI(BaseDialect):
    """The dialect of this wire."""

    modes = (Mode.TOOLS, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = SUBSET
    says_stream = False
    finishes: Mapping[str, Finish] = {
        "REASON_STOP": "stop",
        "REASON_TOOL_CALLS": "tool",
        "REASON_MAX_LEN": "length",
        "REASON_MAX_CONTEXT": "length",
        "REASON_TIME_LIMIT": "length",
    }
    counts = Counts(
        ("prompt_tokens",),
        ("completion_tokens", "reasoning_tokens"),  # what was reasoned is counted beside what was said
        "cached_prompt_text_tokens",
        "reasoning_tokens",
        "total_tokens",
    )

    def as_messages(self, messages: Any) -> Any:
        """Return messages that the SDK's `user()`, `system()`, ... made as dicts."""
        if not isinstance(messages, Sequence) or isinstance(messages, (str, bytes)):
            return messages
        return [_from_proto(message) if hasattr(message, "DESCRIPTOR") else message for message in messages]

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        body: Json = {**options, "messages": self.encode_messages(messages)}
        if isinstance(body.get("stop"), str):
            body["stop"] = [body["stop"]]
        if body.get("tools"):
            body["tools"] = [_users_tool(tool) for tool in body["tools"]]
        return body

    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write messages; what one has beside role, content and calls stays."""
        return [*before, *map(self._turn, messages)]

    own_parts = frozenset(("text", "image_url", "file"))

    def translate_part(self, part: Json) -> Json | None:
        """Return a part in this wire's form."""
        match part:
            case {"type": "text", "text": text}:
                return {"text": text}
            case {"type": "image_url", "image_url": {"url": url, **more}}:
                detail = f"DETAIL_{str(more.get('detail') or 'auto').upper()}"
                return {"image_url": {"image_url": url, "detail": detail}}
            case {"type": "file"}:
                file = file_of(part)
                if not file.id:
                    raise refused(part, self.provider, self.translated_parts, "Files must be uploaded: give a file_id.")
                return {"file": {"file_id": file.id}}
        return None

    translated_parts = ("text", "image_url", "file")

    def is_own_part(self, part: Json) -> bool:
        """Return whether a part has a key of this wire instead of a type."""
        return "type" not in part and kind_of(part) in self.own_parts

    def _turn(self, message: Message) -> Json:
        role = str(message.get("role") or "user")
        turn: Json = {key: value for key, value in message.items() if key not in ("role", "content", "tool_calls")}
        content = [self.encode_part(part) for part in parts_of(message.get("content"))]
        turn.update(role=f"ROLE_{role.upper()}", content=content or [{"text": ""}])  # none at all is refused
        if message.get("tool_calls"):
            turn["tool_calls"] = [{**call, "type": _OURS} for call in message["tool_calls"]]
        return turn

    def tool(self, tool: Tool, strict: bool) -> Json:
        """Write a tool: all are strict here, as far as they can be."""
        del strict
        return _tool(tool.name, tool.description, self.fitted(tool.schema))

    def choice(self, body: Json, call: Call) -> Any:
        """Force the tool, where there is one."""
        del body
        return "auto" if call.mode is Mode.PARALLEL_TOOLS else {"function_name": call.output.name}

    def ask_for_json(self, body: Json, call: Call) -> None:
        """Constrain the text."""
        untaken(body, "response_format", call.mode)
        schema = json.dumps(self.strict(call.output, call.mode))
        body["response_format"] = {"format_type": "FORMAT_TYPE_JSON_SCHEMA", "schema": schema}

    def decode_response(self, wire: Json) -> Sequence[Delta]:
        outputs = objects(wire.get("outputs"))
        if not any("message" in output for output in outputs):
            raise lacking("outputs with a message", wire)
        deltas = self._deltas(wire, Calls())
        if not any(delta.finish for delta in deltas):  # a reason that is not said is the one that says nothing
            deltas.append(Delta(finish="other", reason=_NO_REASON))
        return deltas

    def delta(self, event: Json) -> Sequence[Delta]:
        return self._deltas(event, Calls())

    def reader(self) -> Callable[[Json], Sequence[Delta]]:
        """Return what reads the chunks of one stream, and knows the calls that came before."""
        calls = Calls()
        return lambda event: self._deltas(event, calls)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first chunk."""
        made = {"tool_calls": [{**called(call), "type": _OURS} for call in reply.calls]} if reply.calls else {}
        message = {"role": "ROLE_ASSISTANT", "content": reply.text, **made}
        return {
            **{key: head[key] for key in ("id", "created", "model", "system_fingerprint") if key in head},
            "outputs": [{"message": message, "finish_reason": self.reason(reply.finish) or "REASON_INVALID"}],
            "usage": self.counts.write(reply.usage),
        }

    def _deltas(self, event: Json, calls: Calls) -> list[Delta]:
        deltas: list[Delta] = []
        ending: Delta | None = None
        for output in objects(event.get("outputs")):
            message = mapping(output.get("delta") or output.get("message"))
            text = word(message.get("content"))
            if text and message.get("role") in ("ROLE_ASSISTANT", None):
                deltas.append(Delta(TEXT, text))
            for call in objects(message.get("tool_calls")):
                if call.get("type") in (_OURS, None):
                    function = mapping(call.get("function"))
                    text = as_text(function.get("arguments") or "")
                    deltas.append(calls.read(None, word(call.get("id")), word(function.get("name")), text))
            reason = output.get("finish_reason")
            if reason and reason != _NO_REASON:
                ending = self.ending(reason)
        usage = self.counts.read(event.get("usage"))
        if ending or usage:
            deltas.append((ending or Delta())._replace(usage=usage))
        return deltas


def _tool(name: str, description: str, schema: Json) -> Json:
    """Write a tool, whose schema is a text on this wire."""
    return {"function": {"name": name, "description": description, "parameters": json.dumps(schema)}}


def _users_tool(tool: Any) -> Any:
    """Translate a tool as OpenAI's wire has it; what the SDK's functions made stays."""
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        return tool
    function = tool["function"]
    return _tool(function["name"], function.get("description") or "", function.get("parameters") or {})


def _from_proto(message: Any) -> Json:
    from google.protobuf.json_format import MessageToDict  # the SDK's; a message of its making is at hand

    made: Json = MessageToDict(message, preserving_proto_field_name=True)
    return {**made, "role": str(made.get("role")).removeprefix("ROLE_").lower()}


class Transport:
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
        return _received(chat._stub.GetCompletion(_one_choice(chat)))

    def open(self, request: Request) -> ChunkConnection:
        chat, thread = _chat(self._client, request.body), threading.get_ident()
        self._opening[thread] = None
        try:
            call = self._opening[thread] = chat._stub.GetCompletionChunk(_one_choice(chat))
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
        super().__init__(_chunks(call), _ADAPTER)

    def interrupt(self) -> bool:
        self._call.cancel()
        return True


class AsyncTransport:
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
        return _received(await chat._stub.GetCompletion(_one_choice(chat)))

    async def open(self, request: Request) -> AsyncChunkConnection:
        chat = _chat(self._client, request.body)
        connection = AsyncChunkConnection(_achunks(chat._stub.GetCompletionChunk(_one_choice(chat))), _ADAPTER)
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


def _one_choice(chat: Any) -> Any:
    request = type(chat.proto)()
    request.CopyFrom(chat.proto)
    request.n = 1
    return request


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


_ADAPTER = SDKAdapter(read=_as_wire, begun=_begun)


PROVIDER = Provider(
    name="xai",
    sdk="xai_sdk",
    clients=("Client",),
    async_clients=("AsyncClient",),
    wire=Wire(XAI("xai"), Transport, AsyncTransport),
    modes=XAI.modes,
    legacy={Mode.XAI_TOOLS: Mode.TOOLS, Mode.XAI_JSON: Mode.MD_JSON},
    key="XAI_API_KEY",
)
