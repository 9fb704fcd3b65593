"""The Anthropic messages wire: `POST /v1/messages`.

A streamed reply is a sequence of typed events; tool arguments come as `input_json_delta` of the content block that the
call is. `message_delta` with a stop reason is the terminal event. A list that broke off is not gone on with by
prefilling the assistant's turn: the models since Opus 4.6 answer that with status 400.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from instructor.core.types import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, Tool, ToolCall
from instructor.exceptions import ProviderError
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.blocks import Block, BlockDialect, Kind, StreamedBlocks
from instructor.providers.content import File, bytes_of, data_of, file_of, kind_of
from instructor.providers.dialect import Counts, failing, lacking, untaken
from instructor.providers.errors import error_of, words_of
from instructor.providers.messages import as_object, as_text
from instructor.providers.pieces import mapping, word
from instructor.schema.subsets import ANTHROPIC

MAX_TOKENS = 4096
"""The wire demands a limit; this one stands where a call gives none."""


class Anthropic(BlockDialect):
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = ANTHROPIC
    takes_text = True
    finishes: Mapping[str, Finish] = {
        "end_turn": "stop",
        "tool_use": "tool",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "pause_turn": "pause",
        "refusal": "filter",
    }
    counts = Counts(
        ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
        ("output_tokens",),
        "cache_read_input_tokens",
        "output_tokens_details.thinking_tokens",
    )

    own_parts = frozenset(
        ("text", "image", "document", "search_result", "thinking", "redacted_thinking", "container_upload")
    )
    translated_parts = ("image_url", "file")
    by_address = frozenset(("image_url", "file"))

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape; the system's text stands apart."""
        system = self.system(messages, options.get("system"))
        body: Json = {"max_tokens": MAX_TOKENS, **options, "messages": self.encode_messages(messages)}
        return {**body, "system": system} if system else body

    def translate_part(self, part: Json) -> Json | None:
        """Return an image or a file as a block of this wire; marks beside it, such as cache_control, stay."""
        match part:
            case {"type": "image_url", "image_url": {"url": str(url)}, **marks}:
                data = data_of(url)
                source = (
                    {"type": "base64", "media_type": data[0], "data": data[1]} if data else {"type": "url", "url": url}
                )
                return {**marks, "type": "image", "source": source}
            case {"type": "file", "file": _, **marks}:
                return {**marks, "type": "document", **_document(file_of(part, by_address=True))}
        return None

    def is_own_part(self, part: Json) -> bool:
        """Return whether a part is a block of this wire. Its server-side tools each have two kinds of their own."""
        kind = kind_of(part)
        return kind in self.own_parts or kind.endswith(("tool_use", "tool_result"))

    def use(self, call: ToolCall) -> Json:
        return {"type": "tool_use", "id": call.id, "name": call.name, "input": as_object(call.arguments)}

    def result(self, call: ToolCall, content: Any, is_error: bool) -> Json:
        content = content if content is None or isinstance(content, str) else self.blocks(content)
        written = {"type": "tool_result", "tool_use_id": call.id, "content": content}
        return {**written, "is_error": True} if is_error else written

    def tool(self, tool: Tool, strict: bool) -> Json:
        written: Json = {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
        return {**written, "strict": True} if strict else written

    def choice(self, body: Json, call: Call) -> Json:
        """Force the tool, but where the model is to think first: the wire refuses both at once."""
        if call.mode is Mode.PARALLEL_TOOLS or _thinks(body):
            return {"type": "auto"}
        return {"type": "tool", "name": call.output.name, "disable_parallel_tool_use": True}

    def ask_for_json(self, body: Json, call: Call) -> None:
        """Constrain the text where the mode says so; otherwise the prompt has said all."""
        if call.mode is Mode.JSON_SCHEMA:
            config = body.get("output_config") or {}
            untaken(config, "format", call.mode)
            schema = self.strict(call.output, call.mode)
            body["output_config"] = {**config, "format": {"type": "json_schema", "schema": schema}}

    def answerable(self, request: Request, reply: Reply) -> bool:
        """Where the model thinks, a call without its thoughts, which a reply has not, is refused."""
        del reply
        return not _thinks(request.body)

    def resume(self, request: Request, reply: Reply) -> Request | None:
        """Send a paused turn back as it is, so that it goes on; None where a call in it waits for its result."""
        content, container = sent_back(reply.turn)
        if reply.calls or not content:
            return None
        body = {**request.body, "messages": [*request.body["messages"], {"role": "assistant", "content": content}]}
        return Request({"container": container, **body} if container else body, request.stream)

    def decode_response(self, wire: Json) -> Iterable[Delta]:
        content, error = wire.get("content"), error_of(wire, answers=True)
        if not isinstance(content, list):
            raise self._failed(wire) if error or wire.get("type") == "error" else lacking("content", wire)
        turn = Turn()
        turn.blocks(content)
        turn.container(wire.get("container"))
        if error or wire.get("type") == "error":
            usage = self.counts.read(wire.get("usage"))
            return failing([*turn.take(), Delta(usage=usage)], self._failed(wire))
        return [*turn.take(), self._ended(wire, wire.get("usage"))]

    def delta(self, event: Json) -> Iterable[Delta]:
        return self.reader()(event)

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads one stream: it knows the blocks that began before."""
        turn = Turn()
        return lambda event: self._read(event, turn)

    def _read(self, event: Json, turn: Turn) -> Iterable[Delta]:
        kind = _type_of(event)
        if turn.over:  # a proxy that sends all again
            return ()
        match kind:
            case "content_block_delta":
                turn.piece(event.get("index"), event.get("delta"))
            case "content_block_start":
                turn.block(event.get("index"), event.get("content_block"))
            case "content_block_stop":
                turn.stop(event.get("index"), event.get("content_block"))
            case "message_start":
                turn.message = message = mapping(event.get("message"))
                turn.container(message.get("container"))
                return [*turn.take(), Delta(usage=self.counts.read(message.get("usage")))]
            case "message_delta":
                turn.end_all()
                ended = {**event, **mapping(event.get("delta"))}
                turn.container(ended.get("container"))
                return [*turn.take(), self._ended(ended, event.get("usage"))]
            case "message_stop" | "message":  # a whole one, where a stream was asked for, or at its end
                turn.end_all()
                message = mapping(event.get("message")) or event
                if isinstance(message.get("content"), list) and not turn.begun:
                    return self.decode_response(message)
                turn.over = turn.begun
                return [*turn.take(), self._ended(message, message.get("usage"))]
            case "error":
                raise self._failed(event)
        return turn.take()

    def _failed(self, event: Json) -> ProviderError:
        error = event.get("error") or event
        return ProviderError(self.provider, words_of(error), error)

    def _ended(self, ended: Json, usage: Json | None) -> Delta:
        reason, details = ended.get("stop_reason"), mapping(ended.get("stop_details"))
        explained = word(details.get("explanation")) or word(details.get("category"))
        refusal = explained if word(reason).lower() == "refusal" else None  # where it is empty, the text says it
        return self.ending(reason, self.counts.read(usage), refusal, explained)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the message that would have carried it whole; `head` is the stream's first event."""
        begun = mapping(head.get("message"))
        usage = {**mapping(begun.get("usage")), **self.counts.write(reply.usage)}
        content = [*self.blocks(reply.text), *map(self.use, reply.calls)]
        ended = {"content": content, "stop_reason": self.reason(reply.finish), "usage": usage}
        return {"type": "message", "role": "assistant", **begun, **ended}


def _type_of(event: Json) -> str:
    """Return what kind of event it is; one that does not say is known by its fields, and one without those is an error.

    Kinds that are new are none that this file knows.
    """
    kind, delta = word(event.get("type")), event.get("delta")
    if event.get("error") and not (kind in ("", "message") and isinstance(event.get("content"), list)):
        return "error"
    if kind or not event:
        return kind
    if isinstance(delta, dict):
        return "message_delta" if "stop_reason" in delta else "content_block_delta"
    kinds = {"content_block": "content_block_start", "content": "message", "message": "message_start"}
    return next((kinds[name] for name in kinds if isinstance(event.get(name), (dict, list))), "error")


def _document(file: File) -> Json:
    """Write the source of a document, and its title."""
    title = {"title": file.name} if file.name else {}
    if file.id:
        return {"source": {"type": "file", "file_id": file.id}, **title}
    if file.url and not file.data:
        return {"source": {"type": "url", "url": file.url}, **title}
    if file.media_type.startswith("text/"):
        text = bytes_of(file.data).decode("utf-8", "replace")
        return {"source": {"type": "text", "media_type": "text/plain", "data": text}, **title}
    return {"source": {"type": "base64", "media_type": file.media_type, "data": file.data}, **title}


def _thinks(body: Mapping[str, Any]) -> bool:
    return bool((body.get("thinking") or {}).get("type", "disabled") != "disabled")


_KINDS: Mapping[str, Kind] = {
    "text": "text",
    "tool_use": "call",
    "thinking": "thought",
    "redacted_thinking": "thought",
}
_DELTAS: Mapping[str, tuple[str, Kind]] = {
    "input_json_delta": ("partial_json", "call"),
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thought"),
    "signature_delta": ("signature", "thought"),
    "citations_delta": ("citation", "text"),
    "compaction_delta": ("content", "other"),
}
"""What each kind of delta is a piece of: the field that holds it, and the block that it belongs to."""
_FIELDS = {"citation": "citations"}
"""What the field of a block is called, where the delta's is called otherwise."""
_CONTAINER = "container"


class Turn(StreamedBlocks):
    """Reads the blocks of one reply, and says of each that ends how it is sent back."""

    def __init__(self) -> None:
        super().__init__()
        self.message: Json = {}
        """The message as it began, which is empty but where a server tells all of it at once."""

    def blocks(self, content: Any) -> None:
        """Read blocks that came whole."""
        for at, block in enumerate(content):
            self.block(at, block)
            self.end(at)

    def end_all(self) -> None:
        """End what is open still; where no block came, those that the message began with are all."""
        content = self.message.get("content")
        if not self.begun and isinstance(content, list):
            self.blocks(content)
        super().end_all()

    def block(self, index: Any, value: Any) -> None:
        """Begin a block, which is empty where a stream is to fill it."""
        raw = mapping(value)
        kind = _KINDS.get(word(raw.get("type")), "other")
        if kind == "call":
            whole = raw.get("input")
            self.begin_call(index, raw, "id", as_text(whole) if whole else "")
            return
        self.begin(index, kind, raw)
        if kind == "text" and raw.get("text"):
            self.text(index, raw["text"])

    def piece(self, index: Any, value: Any) -> None:
        """Read a delta; one that does not say its type is known by what it holds."""
        delta = mapping(value)
        type_ = delta.get("type")
        if isinstance(type_, str):
            field, kind = _DELTAS.get(type_, ("", "other"))
        else:
            field, kind = next((each for each in _DELTAS.values() if each[0] in delta), ("", "other"))
        value = delta.get(field)
        if field == "text":
            self.text(index, value)
        elif field == "partial_json":
            self.arguments(index, value)
        elif value is not None:
            self.at(index, kind).pieces.setdefault(field, []).append(value)

    def stop(self, index: Any, value: Any) -> None:
        """End a block; some servers say then what it was, and a few no sooner."""
        block = mapping(value)
        text, arguments = word(block.get("text")), block.get("input")
        if text and not self.at(index, "text").came:
            self.text(index, text)
        elif arguments and block.get("type") == "tool_use":
            call = self.at(index, "call")
            call.whole = call.whole or as_text(arguments)
        self.end(index)

    def ended(self, block: Block) -> None:
        """Return the block as it is sent back. Its own text is in the deltas before."""
        if block.kind != "call" and block.raw.get("type"):
            pieces = {_FIELDS.get(name, name): _joined(name, found) for name, found in block.pieces.items()}
            self._send_back({**block.raw, **{name: value for name, value in pieces.items() if value is not None}})

    def container(self, value: Any) -> None:
        """Note where code was run: what continues there says so."""
        name = mapping(value).get("id")
        if name:
            self._send_back({_CONTAINER: name})

    def _send_back(self, part: Json) -> None:
        kept = {name: value for name, value in part.items() if value is not None}  # null is refused in some
        self._found.append(Delta(TEXT, id=json.dumps(kept, ensure_ascii=False, default=str)))


def sent_back(turn: Sequence[tuple[str, str]]) -> tuple[list[Json], str]:
    """Return the content of the turn that a paused reply is, and the name of the container where code was run."""
    content: list[Json] = []
    container = ""
    for part_text, text in turn:
        part = json.loads(part_text)
        if _CONTAINER in part:
            container = part[_CONTAINER]
        elif part["type"] != "text":
            content.append(part)
        elif text.strip():  # a blank block is refused
            content.append({**part, "text": text})
    return content, container


def _joined(name: str, pieces: list[Any]) -> Any:
    """Join the pieces of a block's field; None where they say nothing."""
    if name == "citation":
        return pieces
    text = "".join(map(word, pieces))
    if name != "input":
        return text
    try:
        return json.loads(text)
    except ValueError:  # empty, or cut
        return None


_CLIENTS = ("Anthropic", "AnthropicBedrock", "AnthropicBedrockMantle", "AnthropicVertex")

PROVIDER = Provider(
    name="anthropic",
    sdk="anthropic",
    clients=_CLIENTS,
    async_clients=tuple(f"Async{name}" for name in _CLIENTS),
    wire=Wire.at(Anthropic("anthropic"), "messages.create"),
    variants={"beta": Wire.at(Anthropic("anthropic"), "beta.messages.create")},
    modes=Anthropic.modes,
    legacy={
        Mode.ANTHROPIC_TOOLS: Mode.TOOLS,
        Mode.ANTHROPIC_REASONING_TOOLS: Mode.TOOLS,
        Mode.ANTHROPIC_JSON: Mode.JSON,
        Mode.ANTHROPIC_PARALLEL_TOOLS: Mode.PARALLEL_TOOLS,
    },
    key="ANTHROPIC_API_KEY",
)
