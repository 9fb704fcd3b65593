"""Cohere's second version of chat: `POST /v2/chat`. It asks as OpenAI's wire does, and answers in its own way.

A streamed reply is a sequence of typed events; `message-end`, which has the finish reason, is the terminal one.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from instructor.core.types import TEXT, AsyncConnection, Call, Connection, Delta, Finish, Json, Message, Reply, Request
from instructor.exceptions import ProviderError
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.dialect import Counts, failing, lacking, untaken
from instructor.providers.errors import complaint, words_of
from instructor.providers.functions import AsyncFunction, Function, SDKAdapter, refused_body
from instructor.providers.messages import as_text, called
from instructor.providers.openai.chat import OpenAIChat, text_of
from instructor.providers.pieces import Calls, mapping, number, objects, word
from instructor.providers.sdk import AsyncByteConnection, Bounded, ByteConnection, Source
from instructor.schema.subsets import COHERE

_NAMES = {"top_p": "p", "top_k": "k", "stop": "stop_sequences", "max_completion_tokens": "max_tokens"}
_FAILED = ("ERROR", "TIMEOUT", "ERROR_TOXIC")
_KEYS = ("role", "content", "tool_calls", "tool_plan", "tool_call_id", "citations")


class Cohere(OpenAIChat):
    """The dialect of one provider that speaks this wire."""

    sees_all = True
    subset = COHERE
    own_parts = frozenset(("text", "image_url", "document", "thinking"))
    modes = (Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    says_stream = False
    finishes: Mapping[str, Finish] = {
        "COMPLETE": "stop",
        "TOOL_CALL": "tool",
        "MAX_TOKENS": "length",
        "ERROR_LIMIT": "length",
    }
    counts = Counts(("tokens.input_tokens",), ("tokens.output_tokens",), "cached_tokens")

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        body = super().encode_plain(messages, {_NAMES.get(name, name): value for name, value in options.items()})
        if isinstance(body.get("stop_sequences"), str):
            body["stop_sequences"] = [body["stop_sequences"]]
        return body

    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write messages with the keys that this wire knows."""
        turns = [
            {key: turn[key] for key in _KEYS if turn.get(key) not in (None, "")}
            for turn in map(self._with_parts, messages)
        ]
        return [*before, *({**turn, "role": "system"} if turn["role"] == "developer" else turn for turn in turns)]

    def choice(self, body: Json, call: Call) -> str:
        """Force any tool."""
        del body, call
        return "REQUIRED"

    def ask_for_json(self, body: Json, call: Call) -> None:
        """Ask for JSON, held to the schema where the mode says so."""
        untaken(body, "response_format", call.mode)
        held = call.mode is Mode.JSON_SCHEMA
        schema = {"schema": self.strict(call.output, call.mode)} if held else {}
        body["response_format"] = {"type": "json_object", **schema}

    def decode_response(self, wire: Json) -> Iterable[Delta]:
        message = wire.get("message")
        if not isinstance(message, Mapping):
            if error := complaint(wire):
                raise ProviderError(self.provider, words_of(error), error)
            raise lacking("message", wire)
        calls = Calls()
        listed = enumerate(objects(message.get("tool_calls")))
        deltas = [Delta(TEXT, text_of(message.get("content"))), *(_read(calls, at, call) for at, call in listed)]
        return self._ended(wire, deltas)

    def delta(self, event: Json) -> Iterable[Delta]:
        return self._event(event, Calls())

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads the events of one stream, and knows the calls that came before."""
        calls = Calls()
        return lambda event: self._event(event, calls)

    def _event(self, event: Json, calls: Calls) -> Iterable[Delta]:
        delta = mapping(event.get("delta"))
        message = mapping(delta.get("message"))
        match event.get("type"):
            case "tool-call-start" | "tool-call-delta" as kind:
                opens = kind == "tool-call-start"
                index = number(event.get("index"))
                return [_read(calls, index, call, opens=opens) for call in objects(message.get("tool_calls"))[:1]]
            case "content-start" | "content-delta":
                text = text_of(message.get("content"))  # thoughts are parts without a text
                return (Delta(TEXT, text),) if text else ()
            case "message-end":
                return self._ended(delta, [])
            case None if isinstance(event.get("message"), Mapping):  # a whole response, where a stream was asked for
                return self.decode_response(event)
            case _ if error := complaint(event):  # of any type: the SDK calls what it does not know a start
                raise ProviderError(self.provider, words_of(error), error)
        return ()

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        message: Json = {"role": "assistant"}
        if reply.text or not reply.calls:
            message["content"] = [{"type": "text", "text": reply.text}]
        if reply.calls:
            message["tool_calls"] = [called(call) for call in reply.calls]
        wire = {"id": head.get("id") or "", "finish_reason": self.reason(reply.finish) or "ERROR", "message": message}
        usage = self.counts.write(reply.usage)
        return {**wire, "usage": usage} if usage else wire

    def _ended(self, wire: Json, before: list[Delta]) -> Iterable[Delta]:
        """Read the end of a reply, after what it brought."""
        reason, usage = wire.get("finish_reason"), mapping(wire.get("usage"))
        tokens = usage.get("tokens") or usage.get("billed_units")
        counted = self.counts.read({**usage, "tokens": tokens}) if tokens else None
        if isinstance(reason, str) and reason.upper() in _FAILED:
            error = wire.get("error")
            message = f"the reply ended with {reason}" + (f": {words_of(error)}" if error else "")
            return failing([*before, Delta(usage=counted)], ProviderError(self.provider, message, wire))
        return [*before, self.ending(reason, counted)]


def _read(calls: Calls, index: int | None, call: Json, *, opens: bool = False) -> Delta:
    function = mapping(call.get("function"))
    text = as_text(function.get("arguments") or "")
    return calls.read(index, word(call.get("id")), word(function.get("name")), text, opens=opens)


def sync_transport(client: Any) -> Function:
    chat = _second(client)
    return CohereTransport(chat) if _is_sdks_own(chat) else Function(chat.chat, chat.chat_stream, _ADAPTER, client)


def async_transport(client: Any) -> AsyncFunction:
    chat = _second(client)
    return AsyncCohere(chat) if _is_sdks_own(chat) else AsyncFunction(chat.chat, chat.chat_stream, _ADAPTER, client)


class CohereTransport(Bounded, Function):
    """A sync client."""

    def __init__(self, chat: Any) -> None:
        super().__init__(chat.chat, chat.chat_stream, _ADAPTER, chat)
        self._stream, self._source = chat.with_raw_response.chat_stream, Source(chat)

    def open(self, request: Request) -> Connection:
        return ByteConnection(self._opened(request), self._source)

    @contextmanager
    def _opened(self, request: Request) -> Iterator[_Response]:
        with self._stream(**request.body) as raw:
            yield _Response(raw)


class AsyncCohere(Bounded, AsyncFunction):
    """An async client."""

    def __init__(self, chat: Any) -> None:
        super().__init__(chat.chat, chat.chat_stream, _ADAPTER, chat)
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
    """Return whether the stream function is the SDK's own. The SDK wraps it itself to warn of an option."""
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


_ADAPTER = SDKAdapter(build=_built, refused=refused_body)


PROVIDER = Provider(
    name="cohere",
    sdk="cohere",
    clients=("ClientV2", "Client"),
    async_clients=("AsyncClientV2", "AsyncClient"),
    wire=Wire(Cohere("cohere"), sync_transport, async_transport),
    modes=Cohere.modes,
    legacy={Mode.COHERE_TOOLS: Mode.TOOLS, Mode.COHERE_JSON_SCHEMA: Mode.JSON_SCHEMA},
    key="CO_API_KEY",
)
