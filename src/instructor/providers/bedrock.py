"""The Converse wire of Amazon Bedrock: `POST /model/<id>/converse` and `/converse-stream`.

The system's text stands beside the messages. A streamed reply is a sequence of events, each an object with one key, its
kind. `messageStop` is the terminal event; the tokens come after it, in `metadata`.

The SDK, boto3, is sync only: the async transport waits in threads of its own. What a thread waits for cannot be
cancelled, but the socket it reads from can be shut down. So a stream that is left ends at once. A call that is left
ends when its response comes, and nobody receives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import mimetypes
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from instructor.core.drivers import Escape
from instructor.core.types import (
    Arguments,
    Call,
    Delta,
    Finish,
    Json,
    Message,
    Received,
    Reply,
    Request,
    Tool,
    ToolCall,
)
from instructor.exceptions import ConfigurationError, ProviderError
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.blocks import BlockDialect, StreamedBlocks
from instructor.providers.content import bytes_of, data_of, file_of, kind_of, refused
from instructor.providers.dialect import Counts, lacking, untaken
from instructor.providers.errors import words_of
from instructor.providers.functions import as_it_came, refused_body
from instructor.providers.messages import as_object, as_text
from instructor.providers.pieces import mapping, objects, word
from instructor.schema.subsets import BEDROCK

_SHOWN = 300
"""Characters of a guardrail's findings that are quoted."""
_INFERENCE = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}


_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
"""The wire's formats of documents, by media type."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9 ()\[\]-]+")
"""What the name of a document may not hold."""


class Bedrock(BlockDialect):
    """The dialect of this wire."""

    modes = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = BEDROCK
    alternates = True
    says_stream = False
    finishes: Mapping[str, Finish] = {
        "end_turn": "stop",
        "tool_use": "tool",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "content_filtered": "filter",
        "guardrail_intervened": "filter",
    }
    counts = Counts(
        ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
        ("outputTokens",),
        "cacheReadInputTokens",
        total="totalTokens",
    )

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape; the names of options that other wires have are taken too."""
        body: Json = {key: value for key, value in options.items() if key not in (*_INFERENCE, "model", "top_k")}
        if "model" in options:
            body.setdefault("modelId", options["model"])
        inference = {named: options[key] for key, named in _INFERENCE.items() if options.get(key) is not None}
        if isinstance(inference.get("stopSequences"), str):
            inference["stopSequences"] = [inference["stopSequences"]]
        if inference:
            body["inferenceConfig"] = {**inference, **(body.get("inferenceConfig") or {})}
        if options.get("top_k") is not None:
            more = body.get("additionalModelRequestFields") or {}
            body["additionalModelRequestFields"] = {"top_k": options["top_k"], **more}
        system = self.system(messages, body.pop("system", None))
        body["messages"] = self.encode_messages(messages)
        return {**body, "system": system} if system else body

    own_parts = frozenset(
        {
            "text",
            "image",
            "document",
            "video",
            "audio",
            "toolUse",
            "toolResult",
            "guardContent",
            "cachePoint",
            "reasoningContent",
            "citationsContent",
            "searchResult",
            "toolAddition",
            "toolRemoval",
            "json",
        }
    )
    translated_parts = ("text", "image_url", "input_audio", "file")
    by_address = frozenset(("image_url", "file"))
    schemes = ("s3://",)

    def translate_part(self, part: Json) -> Json | None:
        """Return a part in this wire's form, whose images, sounds and files are bytes."""
        match part:
            case {"type": "text", "text": text}:
                return {"text": text}
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                if url.startswith(self.schemes):
                    form = (mimetypes.guess_type(url)[0] or "image/jpeg").removeprefix("image/")
                    return {"image": {"format": form, "source": _source("", url)}}
                kind, data = data_of(url) or ("", "")
                if not kind.startswith("image/"):
                    raise ConfigurationError(
                        f"{self.provider} takes images as data:image/...;base64,... or s3://..., got {url[:80]!r}."
                    )
                form = kind.removeprefix("image/").replace("jpg", "jpeg")
                return {"image": {"format": form, "source": {"bytes": bytes_of(data)}}}
            case {"type": "input_audio", "input_audio": {"data": str(data), "format": form}}:
                return {"audio": {"format": form, "source": {"bytes": bytes_of(data)}}}
            case {"type": "file"}:
                file = file_of(part, by_address=True)
                form = _DOCUMENTS.get(file.media_type, "")
                is_elsewhere = not file.data and not file.url.startswith(self.schemes)
                if file.id or not form or is_elsewhere:
                    why = f"Files must be file_data, or a file_url s3://..., of {', '.join(_DOCUMENTS)}."
                    raise refused(part, self.provider, self.translated_parts, why)
                name = _NOT_IN_NAMES.sub(" ", file.name.rpartition(".")[0] or file.name).strip() or "document"
                return {"document": {"format": form, "name": name, "source": _source(file.data, file.url)}}
        return None

    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write the turns. The names of a request's documents must differ: one that comes again is numbered."""
        turns, names = super().encode_messages(messages, before), dict[str, int]()
        return [{**turn, "content": [_numbered(part, names) for part in turn["content"]]} for turn in turns]

    def is_own_part(self, part: Json) -> bool:
        """Return whether a part has a key of this wire instead of a type."""
        return "type" not in part and kind_of(part) in self.own_parts

    def use(self, call: ToolCall) -> Json:
        return {"toolUse": {"toolUseId": call.id, "name": call.name, "input": as_object(call.arguments)}}

    def result(self, call: ToolCall, content: Any, is_error: bool) -> Json:
        result = {"toolUseId": call.id, "content": self.blocks(content)}
        return {"toolResult": {**result, "status": "error"} if is_error else result}

    def tool(self, tool: Tool, strict: bool) -> Json:
        spec: Json = {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.schema}}
        return {"toolSpec": {**spec, "strict": True} if strict else spec}

    def choice(self, body: Json, call: Call) -> Json:
        """Force the tool, but where the model is to think first: models refuse both at once."""
        more = body.get("additionalModelRequestFields") or {}
        thinks = (more.get("thinking") or more.get("reasoning_config") or {}).get("type", "disabled") != "disabled"
        free = thinks or call.mode is Mode.PARALLEL_TOOLS
        return {"auto": {}} if free else {"tool": {"name": call.output.name}}

    def user_tool_names(self, options: Mapping[str, Any]) -> frozenset[str]:
        return super().user_tool_names(mapping(options.get("toolConfig")))

    def ask_by_tool(self, body: Json, call: Call, tools: Sequence[Json]) -> None:
        """Put the answer's tools beside the user's own."""
        given = body.get("toolConfig") or {}
        every = [*(given.get("tools") or ()), *tools]
        body["toolConfig"] = {"toolChoice": self.choice(body, call), **given, "tools": every}

    def ask_for_json(self, body: Json, call: Call) -> None:
        """Constrain the text."""
        given, output = body.get("outputConfig") or {}, call.output
        untaken(given, "textFormat", call.mode)
        schema = json.dumps(self.strict(output, call.mode))
        form = {"name": output.name, "description": output.description, "schema": schema}
        body["outputConfig"] = {**given, "textFormat": {"type": "json_schema", "structure": {"jsonSchema": form}}}

    def decode_response(self, wire: Json) -> Sequence[Delta]:
        content = mapping(mapping(wire.get("output")).get("message")).get("content")
        if not isinstance(content, list):
            raise lacking("output.message.content", wire)
        blocks = StreamedBlocks()
        for at, block in enumerate(objects(content)):
            if block.get("text") is not None:
                blocks.text(at, block["text"])
            if use := _own(block):
                blocks.begin_call(at, use, "toolUseId", as_text(use.get("input")))
            blocks.end(at)
        reason = wire.get("stopReason")
        return [*blocks.take(), *self._ended(reason), self._told(wire, reason)]

    def delta(self, event: Json) -> Sequence[Delta]:
        return self.reader()(event)

    def reader(self) -> Callable[[Json], Sequence[Delta]]:
        """Return what reads one stream: it knows the blocks that began before."""
        blocks = StreamedBlocks()
        return lambda event: self._read(event, blocks)

    def _read(self, event: Json, blocks: StreamedBlocks) -> Sequence[Delta]:
        found: list[Delta] = []
        for kind, payload in event.items():
            value = mapping(payload)
            index = value.get("contentBlockIndex")
            if blocks.over and kind.startswith("contentBlock"):
                continue
            if kind == "contentBlockStart":
                start = mapping(value.get("start"))
                if use := _own(start):
                    blocks.begin_call(index, use, "toolUseId", as_text(use["input"]) if use.get("input") else "")
                elif start:
                    blocks.begin(index, "other")
            elif kind == "contentBlockDelta":
                _piece(blocks, index, mapping(value.get("delta")))
            elif kind == "contentBlockStop":
                blocks.end(index)
            elif kind == "messageStop":
                blocks.end_all()
                blocks.over = blocks.begun
                blocks.ending = value.get("stopReason")
                found += self._ended(blocks.ending)
            elif kind == "metadata":
                found.append(self._told(value, blocks.ending))
            elif kind.endswith("Exception") or kind == "error":
                raise ProviderError(self.provider, f"{kind}: {words_of(payload)}", event)
        return [*blocks.take(), *found]

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole."""
        del head  # the first event says whose turn it is, which is known
        content = [*self.blocks(reply.text), *map(self.use, reply.calls)]
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.reason(reply.finish),
            "usage": self.counts.write(reply.usage),
        }

    def _ended(self, reason: Any) -> Sequence[Delta]:
        refusal = "" if reason == "guardrail_intervened" else None  # the text of the reply is the guardrail's
        return (self.ending(reason, refusal=refusal),) if reason else ()

    def _told(self, wire: Json, reason: Any) -> Delta:
        """Read what comes beside a reply: the tokens, and what a guardrail found that ended it."""
        trace = mapping(mapping(wire.get("trace")).get("guardrail"))
        found = word(trace.get("actionReason")) or (as_text(trace)[:_SHOWN] if trace else "")
        usage = self.counts.read(wire.get("usage"))
        return self.ending(reason, usage, note=found) if self.finish(reason) == "filter" else Delta(usage=usage)


def _source(data: str, url: str) -> Json:
    """Return where a file is: in the request, or in AWS' storage."""
    return {"bytes": bytes_of(data)} if data else {"s3Location": {"uri": url}}


def _numbered(part: Json, names: dict[str, int]) -> Json:
    """Return a part; a document whose name came before, but for case, with a number that makes it another."""
    document = part.get("document")
    if not isinstance(document, dict) or not isinstance(name := document.get("name"), str):
        return part
    number = names[name.lower()] = names.get(name.lower(), 0) + 1
    if number == 1:
        return part
    return _numbered({**part, "document": {**document, "name": f"{name} {number}"}}, names)


def _own(block: Json) -> Json:
    """Return the call in a block that is not of the provider's own tools."""
    use = mapping(block.get("toolUse"))
    return {} if use.get("type") == "server_tool_use" else use


def _piece(blocks: StreamedBlocks, index: Any, delta: Json) -> None:
    if "toolUse" in delta:
        blocks.arguments(index, mapping(delta["toolUse"]).get("input"))
    elif delta.get("text") is not None:
        blocks.text(index, delta["text"])


_THREADS = 64
"""How many calls of one client may wait at once; those beyond it queue. Threads are made when they are needed."""


class Transport:
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


class AsyncTransport:
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


_TAKEN = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "endpoint_url", "config", "verify")


def _make(async_client: bool, options: dict[str, Any]) -> Any:  # noqa: ARG001 - one class serves sync and async
    """Make a client; `region` stands before what the environment and the profile say."""
    session = PROVIDER.load().Session(profile_name=options.pop("profile_name", None))
    region = options.pop("region", None) or options.pop("region_name", None) or session.region_name or "us-east-1"
    settings = {key: options.pop(key) for key in _TAKEN if key in options}
    return session.client("bedrock-runtime", region_name=region, **settings)


PROVIDER = Provider(
    name="bedrock",
    sdk="boto3",
    clients=("botocore.client:BaseClient",),
    async_clients=("botocore.client:BaseClient",),
    wire=Wire(Bedrock("bedrock"), Transport, AsyncTransport),
    modes=Bedrock.modes,
    legacy={Mode.BEDROCK_TOOLS: Mode.TOOLS, Mode.BEDROCK_JSON: Mode.MD_JSON},
    make=_make,
)
