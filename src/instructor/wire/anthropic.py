"""The Anthropic messages wire: `POST /v1/messages`.

A streamed reply is a sequence of typed events; tool arguments come as `input_json_delta` of the content block that the
call is. `message_delta` with a stop reason is the terminal event. A list that broke off is not gone on with by
prefilling the assistant's turn: the models since Opus 4.6 answer that with status 400.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import Tool
from instructor.exceptions import ProviderError
from instructor.mode import Mode
from instructor.wire.blocks import Blocks
from instructor.wire.language import Counts, lacking, untaken
from instructor.wire.messages import as_object, as_text, data_of
from instructor.wire.schemas import ANTHROPIC

MAX_TOKENS = 4096
"""The wire demands a limit; this one stands where a call gives none."""


class Anthropic(Blocks):
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = ANTHROPIC
    takes_text = True
    finishes: Mapping[str, Finish] = {
        "end_turn": "stop",
        "tool_use": "tool",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "pause_turn": "length",
        "refusal": "filter",
    }
    counts = Counts(
        ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
        ("output_tokens",),
        "cache_read_input_tokens",
        "output_tokens_details.thinking_tokens",
    )

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape; the system's text stands apart."""
        system = self.system(messages, options.get("system"))
        body: Json = {"max_tokens": MAX_TOKENS, **options, "messages": self.turns(messages)}
        return {**body, "system": system} if system else body

    def block(self, part: Json) -> Json:
        """Write a part of a message: a block of this wire's stays."""
        if part.get("type") != "image_url":
            return part
        url = part.pop("image_url")["url"]
        data = data_of(url)
        source = {"type": "base64", "media_type": data[0], "data": data[1]} if data else {"type": "url", "url": url}
        return {**part, "type": "image", "source": source}

    def use(self, call: ToolCall) -> Json:
        return {"type": "tool_use", "id": call.id, "name": call.name, "input": as_object(call.arguments)}

    def result(self, call: ToolCall, content: Any, is_error: bool) -> Json:
        told = {"type": "tool_result", "tool_use_id": call.id, "content": content}
        return {**told, "is_error": True} if is_error else told

    def tool(self, tool: Tool, strict: bool) -> Json:
        told: Json = {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
        return {**told, "strict": True} if strict else told

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

    def whole(self, wire: Json) -> Sequence[Delta]:
        content = wire.get("content")
        if not isinstance(content, list):
            raise lacking("content", wire)
        deltas = [delta for at, block in enumerate(content) for delta in _begun(at, block)]
        return [*deltas, self._ended(wire, "".join(delta.text for delta in deltas), wire.get("usage"))]

    def reader(self) -> Callable[[Json], Sequence[Delta]]:
        """Give what reads one stream: it remembers which blocks are of the provider's own tools, and no answer."""
        others: set[int] = set()

        def read(event: Json) -> Sequence[Delta]:
            if event.get("type") == "content_block_start":
                if event["content_block"].get("type") not in ("text", "tool_use"):
                    others.add(event["index"])
            elif event.get("index") in others:
                return ()
            return self.delta(event)

        return read

    def delta(self, event: Json) -> Sequence[Delta]:
        match event.get("type"):
            case "content_block_delta":
                delta = event["delta"]
                if delta.get("type") == "input_json_delta":
                    return (Delta(event.get("index") or 0, delta.get("partial_json") or ""),)
                return (Delta(TEXT, delta.get("text") or ""),) if delta.get("type") == "text_delta" else ()
            case "content_block_start":
                return _begun(event.get("index") or 0, event.get("content_block") or {})
            case "message_start":
                return (Delta(usage=self.counts.read((event.get("message") or {}).get("usage"))),)
            case "message_delta":
                return (self._ended(event.get("delta") or {}, "", event.get("usage")),)
            case "message":  # a whole one, where a stream was asked for
                return self.whole(event)
            case "error":
                error = event.get("error") or {}
                raise ProviderError(self.provider, str(error.get("message") or error), error)
        return ()

    def _ended(self, ended: Json, text: str, usage: Json | None) -> Delta:
        reason, refusal = ended.get("stop_reason"), None
        if reason == "refusal":
            refusal = (ended.get("stop_details") or {}).get("explanation") or text or "no words given"
        return Delta(finish=self.finish(reason), refusal=refusal, usage=self.counts.read(usage))

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the message that would have carried it whole; `head` is the stream's first event."""
        begun = head.get("message") or {}
        usage = {**self.counts.write(reply.usage), **(begun.get("usage") or {})}
        if reply.usage is not None:
            usage["output_tokens"] = reply.usage.output_tokens
        content = [*self.blocks(reply.text), *map(self.use, reply.calls)]
        ended = {"content": content, "stop_reason": self.reason(reply.finish), "usage": usage}
        return {"type": "message", "role": "assistant", **begun, **ended}


def _thinks(body: Mapping[str, Any]) -> bool:
    return bool((body.get("thinking") or {}).get("type", "disabled") != "disabled")


def _begun(at: int, block: Json) -> Sequence[Delta]:
    """Read a block, which is empty where a stream is to fill it."""
    if block.get("type") == "tool_use":
        return (Delta(at, as_text(block["input"]) if block.get("input") else "", block.get("id"), block.get("name")),)
    return (Delta(TEXT, block["text"]),) if block.get("type") == "text" and block.get("text") else ()
