"""The Anthropic messages wire: `POST /v1/messages`.

The system's text stands beside the messages, not among them. A streamed reply is a sequence of typed events; tool
arguments come as `input_json_delta` of the content block that the call is. `message_delta` with a stop reason is the
terminal event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine import prompts
from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.usage import Usage
from instructor.wire.messages import SYSTEM_ROLES
from instructor.wire.schemas import ANTHROPIC, strict

MAX_TOKENS = 4096
"""The wire demands a limit; this one stands where a call gives none."""

_FINISH: dict[str, Finish] = {
    "tool_use": "tool",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "filter",
}


class Anthropic:
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = ANTHROPIC

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        system = _blocks(options.get("system"))
        turns: list[Json] = []
        for message in messages:
            if message.get("role") in SYSTEM_ROLES:
                system += _blocks(message.get("content"))
            else:
                turns.append(_turn(message))
        body: Json = {"max_tokens": MAX_TOKENS, **options, "messages": turns}
        return {**body, "system": system} if system else body

    def encode(self, call: Call) -> Request:
        body = self.plain(call.messages, call.options)
        if call.mode.by_tool:
            body["tools"] = [*(body.get("tools") or ()), *(_tool(tool, call.mode) for tool in call.output.tools)]
            body.setdefault("tool_choice", _choice(call, body))
        elif call.mode is Mode.JSON_SCHEMA:
            self._constrain(body, call)
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
            said = json.dumps(wire, default=str)[:300]
            raise ResponseParsingError(f"The response has no content: {said}", text=said)
        reason = wire.get("stop_reason")
        text = "".join(block.get("text") or "" for block in content if block.get("type") == "text")
        calls = [
            ToolCall(block.get("id") or "call_1", block.get("name") or "", _arguments(block.get("input")))
            for block in content
            if block.get("type") == "tool_use"
        ]
        refusal = (text or "no words given") if reason == "refusal" else None
        return Reply(text, calls, _FINISH.get(reason or "", "stop"), refusal, _usage(wire.get("usage")))

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
            reason = (event.get("delta") or {}).get("stop_reason")
            refusal = "no words given" if reason == "refusal" else None
            finish = _FINISH.get(reason, "stop") if reason else None
            return (Delta(finish=finish, refusal=refusal, usage=_usage(event.get("usage"))),)
        if kind == "error":
            error = event.get("error") or {}
            raise ProviderError(self._provider, str(error.get("message") or error), error)
        return ()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        said: list[Json] = [{"type": "text", "text": reply.text}] if reply.text.strip() else []
        said += [{"type": "tool_use", "id": c.id, "name": c.name, "input": _input(c.arguments)} for c in reply.calls]
        answered: list[Json] = [
            {"type": "tool_result", "tool_use_id": call.id, "is_error": True, "content": notes} for call in reply.calls
        ]
        turns: list[Json] = [{"role": "assistant", "content": said}] if said else []
        turns.append({"role": "user", "content": answered or [{"type": "text", "text": notes}]})
        return Request({**request.body, "messages": [*request.body["messages"], *turns]}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the message that would have carried it whole; `head` is the stream's first event."""
        content: list[Json] = [{"type": "text", "text": reply.text}] if reply.text else []
        content += [{"type": "tool_use", "id": c.id, "name": c.name, "input": _input(c.arguments)} for c in reply.calls]
        reasons = {"tool": "tool_use", "length": "max_tokens", "filter": "refusal", "stop": "end_turn"}
        usage = reply.usage or Usage()
        return {
            "role": "assistant",
            "type": "message",
            **(head.get("message") or {}),
            "content": content,
            "stop_reason": reasons.get(reply.finish or ""),
            "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
        }

    def _constrain(self, body: Json, call: Call) -> None:
        closed = strict(call.output.schema, ANTHROPIC)
        if closed is None:
            raise ConfigurationError(
                f"{call.mode} cannot express {call.output.name} on this wire: its schemas have no objects with free "
                "keys, no tuples and no untyped parts. Mode.TOOLS can."
            )
        body["output_config"] = {
            **(body.get("output_config") or {}),
            "format": {"type": "json_schema", "schema": closed},
        }


def _tool(tool: Any, mode: Mode) -> Json:
    told: Json = {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
    if mode is not Mode.TOOLS_STRICT:
        return told
    closed = strict(tool.schema, ANTHROPIC)
    if closed is None:
        raise ConfigurationError(f"Mode.TOOLS_STRICT cannot express {tool.name}: Mode.TOOLS can.")
    return {**told, "input_schema": closed, "strict": True}


def _choice(call: Call, body: Json) -> Json:
    """Force the tool, but where the model is to think first: the wire refuses both at once."""
    thinking = (body.get("thinking") or {}).get("type", "disabled") != "disabled"
    if call.mode is Mode.PARALLEL_TOOLS or thinking:
        return {"type": "auto"}
    return {"type": "tool", "name": call.output.name, "disable_parallel_tool_use": True}


def _blocks(content: Any) -> list[Json]:
    if not content:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [dict(block) if isinstance(block, Mapping) else {"type": "text", "text": str(block)} for block in content]


def _turn(message: Message) -> Json:
    """Write a message as this wire has it, where a tool's result is a block of the user's."""
    if message.get("role") == "tool":
        block = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": message.get("content")}
        return {"role": "user", "content": [block]}
    if message.get("tool_calls"):
        calls = message["tool_calls"]
        blocks = [
            {
                "type": "tool_use",
                "id": c["id"],
                "name": c["function"]["name"],
                "input": _input(c["function"]["arguments"]),
            }
            for c in calls
        ]
        return {"role": "assistant", "content": [*_blocks(message.get("content")), *blocks]}
    return dict(message)


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value if value is not None else {})


def _input(arguments: str) -> Any:
    """Read arguments as the object that this wire wants; text that is none is put under a key, so that it is shown."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return {"invalid_json": arguments}
    return value if isinstance(value, dict) else {"value": value}


def _usage(usage: Json | None) -> Usage | None:
    if not usage:
        return None
    cached = usage.get("cache_read_input_tokens") or 0
    asked = (usage.get("input_tokens") or 0) + cached + (usage.get("cache_creation_input_tokens") or 0)
    return Usage(asked, usage.get("output_tokens") or 0, cached)
