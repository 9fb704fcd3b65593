"""The Anthropic messages wire: `POST /v1/messages`.

A streamed reply is a sequence of typed events; tool arguments come as `input_json_delta` of the content block that the
call is. `message_delta` with a stop reason is the terminal event. A list that broke off is not gone on with by
prefilling the assistant's turn: the models since Opus 4.6 answer that with status 400.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from instructor.engine import prompts
from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import Tool
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.usage import Usage
from instructor.wire.anthropic_turns import hoisted, said, said_plainly
from instructor.wire.schemas import ANTHROPIC, demanded

MAX_TOKENS = 4096
"""The wire demands a limit; this one stands where a call gives none."""

_FINISH: dict[str, Finish] = {
    "tool_use": "tool",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "filter",
}
_REASON = {"tool": "tool_use", "length": "max_tokens", "filter": "refusal", "stop": "end_turn"}


class Anthropic:
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = ANTHROPIC

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        system, turns = hoisted(messages, options.get("system"))
        body: Json = {"max_tokens": MAX_TOKENS, **options, "messages": turns}
        return {**body, "system": system} if system else body

    def encode(self, call: Call) -> Request:
        body = self.plain(call.messages, call.options)
        if call.mode.by_tool:
            body["tools"] = [*(body.get("tools") or ()), *(_tool(tool, call.mode) for tool in call.output.tools)]
            body.setdefault("tool_choice", _choice(call, body))
        elif call.mode is Mode.JSON_SCHEMA:
            body["output_config"] = _constrained(body.get("output_config") or {}, call)
        else:
            told = [{"type": "text", "text": prompts.schema(call.output.schema)}]
            if call.mode is Mode.MD_JSON:
                told.append({"type": "text", "text": prompts.CODE_BLOCK})
            body["system"] = [*body.get("system", ()), *told]
        if call.stream:
            body["stream"] = True
        return Request(body, call.stream)

    def decode(self, wire: Json) -> Reply:
        content = wire.get("content")
        if not isinstance(content, list):
            told = json.dumps(wire, default=str)[:300]
            raise ResponseParsingError(f"The response has no content: {told}", text=told)
        text = "".join(block.get("text") or "" for block in content if block.get("type") == "text")
        calls = [
            ToolCall(block.get("id") or "call_1", block.get("name") or "", _arguments(block.get("input")))
            for block in content
            if block.get("type") == "tool_use"
        ]
        finish = _FINISH.get(wire.get("stop_reason") or "", "stop")
        return Reply(text, calls, finish, _refusal(wire, text), _usage(wire.get("usage")))

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
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = event["delta"]
            if delta.get("type") == "input_json_delta":
                return (Delta(event.get("index") or 0, delta.get("partial_json") or ""),)
            return (Delta(TEXT, delta.get("text") or ""),) if delta.get("type") == "text_delta" else ()
        if kind == "content_block_start":
            block = event.get("content_block") or {}
            if block.get("type") == "tool_use":
                text = json.dumps(block["input"]) if block.get("input") else ""
                return (Delta(event.get("index") or 0, text, block.get("id"), block.get("name")),)
            return (Delta(TEXT, block["text"]),) if block.get("text") else ()
        if kind == "message_start":
            return (Delta(usage=_usage((event.get("message") or {}).get("usage"))),)
        if kind == "message_delta":
            delta = event.get("delta") or {}
            reason = delta.get("stop_reason")
            finish = _FINISH.get(reason, "stop") if reason else None
            return (Delta(finish=finish, refusal=_refusal(delta), usage=_usage(event.get("usage"))),)
        if kind == "error":
            error = event.get("error") or {}
            raise ProviderError(self._provider, str(error.get("message") or error), error)
        return ()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        """Append the reply and the notes; where the model thinks, as text: a call without its thoughts is refused."""
        calls = () if _thinks(request.body) else reply.calls
        spoken = said(reply) if calls else said_plainly(reply)
        answered: list[Json] = [
            {"type": "tool_result", "tool_use_id": call.id, "is_error": True, "content": notes} for call in calls
        ]
        turns: list[Json] = [{"role": "assistant", "content": spoken}] if spoken else []
        turns.append({"role": "user", "content": answered or [{"type": "text", "text": notes}]})
        return Request({**request.body, "messages": [*request.body["messages"], *turns]}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the message that would have carried it whole; `head` is the stream's first event."""
        begun = head.get("message") or {}
        told = begun.get("usage") or {}
        if reply.usage is not None:
            told = {"input_tokens": reply.usage.input_tokens, **told, "output_tokens": reply.usage.output_tokens}
        kind = {"type": "message", "role": "assistant"}
        reason = _REASON.get(reply.finish or "")
        return {**kind, **begun, "content": said(reply), "stop_reason": reason, "usage": told}


def _tool(tool: Tool, mode: Mode) -> Json:
    told: Json = {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
    if mode is not Mode.TOOLS_STRICT:
        return told
    return {**told, "input_schema": demanded(tool.schema, ANTHROPIC, tool.name, mode), "strict": True}


def _choice(call: Call, body: Json) -> Json:
    """Force the tool, but where the model is to think first: the wire refuses both at once."""
    if call.mode is Mode.PARALLEL_TOOLS or _thinks(body):
        return {"type": "auto"}
    return {"type": "tool", "name": call.output.name, "disable_parallel_tool_use": True}


def _thinks(body: Mapping[str, Any]) -> bool:
    return bool((body.get("thinking") or {}).get("type", "disabled") != "disabled")


def _constrained(config: Json, call: Call) -> Json:
    if "format" in config:
        raise ConfigurationError(
            f"output_config={config!r} has a format, which {call.mode} sets itself: leave it out, "
            "or ask with response_model=None."
        )
    schema = demanded(call.output.schema, ANTHROPIC, call.output.name, call.mode)
    return {**config, "format": {"type": "json_schema", "schema": schema}}


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value if value is not None else {}, ensure_ascii=False)


def _refusal(ended: Json, text: str = "") -> str | None:
    if ended.get("stop_reason") != "refusal":
        return None
    return (ended.get("stop_details") or {}).get("explanation") or text or "no words given"


def _usage(usage: Json | None) -> Usage | None:
    if not usage:
        return None
    cached = usage.get("cache_read_input_tokens") or 0
    asked = (usage.get("input_tokens") or 0) + cached + (usage.get("cache_creation_input_tokens") or 0)
    thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    return Usage(asked, usage.get("output_tokens") or 0, cached, thought)
