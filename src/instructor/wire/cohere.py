"""Cohere's second version of chat: `POST /v2/chat`. It asks as OpenAI's wire does, and answers in its own way.

A streamed reply is a sequence of typed events; `message-end`, which has the finish reason, is the terminal one.
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
from instructor.wire.messages import with_last_user, with_system
from instructor.wire.schemas import COHERE, fit

_NAMES = {"top_p": "p", "top_k": "k", "stop": "stop_sequences", "max_completion_tokens": "max_tokens"}
_FINISH: dict[str, Finish] = {"TOOL_CALL": "tool", "MAX_TOKENS": "length", "ERROR_LIMIT": "length"}
_FAILED = ("ERROR", "TIMEOUT", "ERROR_TOXIC")
_KEYS = ("role", "content", "tool_calls", "tool_plan", "tool_call_id", "citations")


class Cohere:
    """The dialect of one provider that speaks this wire."""

    subset = COHERE
    modes = (Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        body: Json = {_NAMES.get(name, name): value for name, value in options.items()}
        if isinstance(body.get("stop_sequences"), str):
            body["stop_sequences"] = [body["stop_sequences"]]
        return {**body, "messages": [_turn(message) for message in messages]}

    def encode(self, call: Call) -> Request:
        body = self.plain(call.messages, call.options)
        if call.mode.by_tool:
            told = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
                }
                for tool in call.output.tools
            ]
            body["tools"] = [*(body.get("tools") or ()), *told]
            body.setdefault("tool_choice", "REQUIRED")
        else:
            _ask_in_text(body, call)
        return Request(body, call.stream)

    def decode(self, wire: Json) -> Reply:
        message = wire.get("message")
        if not isinstance(message, Mapping):
            said = json.dumps(wire, default=str)[:300]
            raise ResponseParsingError(f"The response has no message: {said}", text=said)
        calls = [_call(call) for call in message.get("tool_calls") or ()]
        finish = self._finish(wire.get("finish_reason"), wire)
        return Reply(_text(message.get("content")), calls, finish or "stop", None, _usage(wire.get("usage")))

    def delta(self, event: Json) -> Sequence[Delta]:
        kind, delta = event.get("type"), event.get("delta") or {}
        message = delta.get("message") or {}
        if kind in ("tool-call-start", "tool-call-delta"):
            call = message.get("tool_calls") or {}
            function = call.get("function") or {}
            text = function.get("arguments") or ""
            return (Delta(event.get("index") or 0, text, call.get("id"), function.get("name")),)
        if kind in ("content-start", "content-delta"):
            text = _text(message.get("content"))
            return (Delta(TEXT, text),) if text else ()
        if kind == "message-end":
            finish = self._finish(delta.get("finish_reason"), delta)
            return (Delta(finish=finish, usage=_usage(delta.get("usage"))),)
        return ()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        turns: list[Json] = []
        if reply.calls:
            turns.append({"role": "assistant", "tool_calls": [_said(call) for call in reply.calls]})
            turns += [{"role": "tool", "tool_call_id": call.id, "content": notes} for call in reply.calls]
        else:
            turns += [{"role": "assistant", "content": reply.text}] if reply.text else []
            turns.append({"role": "user", "content": notes})
        return Request({**request.body, "messages": [*request.body["messages"], *turns]}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        message: Json = {"role": "assistant"}
        if reply.text or not reply.calls:
            message["content"] = [{"type": "text", "text": reply.text}]
        if reply.calls:
            message["tool_calls"] = [_said(call) for call in reply.calls]
        reasons = {"tool": "TOOL_CALL", "stop": "COMPLETE", "length": "MAX_TOKENS"}
        wire: Json = {
            "id": head.get("id") or "",
            "finish_reason": reasons.get(reply.finish or "", "ERROR"),
            "message": message,
        }
        if reply.usage is not None:
            counts = {"input_tokens": reply.usage.input_tokens, "output_tokens": reply.usage.output_tokens}
            wire["usage"] = {"tokens": counts, "cached_tokens": reply.usage.cached_tokens}
        return wire

    def _finish(self, reason: str | None, wire: Json) -> Finish | None:
        if reason in _FAILED:
            raise ProviderError(self._provider, str(wire.get("error") or f"the reply ended with {reason}"), wire)
        return _FINISH.get(reason, "stop") if reason else None


def _ask_in_text(body: Json, call: Call) -> None:
    if call.mode.in_prompt:
        body["messages"] = with_system(body["messages"], prompts.schema(call.output.schema))
    if call.mode is Mode.MD_JSON:
        body["messages"] = with_last_user(body["messages"], prompts.CODE_BLOCK)
        return
    if "response_format" in body:
        raise ConfigurationError(f"response_format={body['response_format']!r} is what {call.mode} sets: leave it out.")
    wanted: Json = {"type": "json_object"}
    if call.mode is Mode.JSON_SCHEMA:
        fitted = fit(call.output.schema, COHERE)
        if fitted.schema is None:
            raise ConfigurationError(
                f"{call.mode} cannot express {call.output.name} on this wire: {'; '.join(fitted.obstacles)}. "
                "Mode.TOOLS and Mode.JSON can."
            )
        wanted["schema"] = fitted.schema
    body["response_format"] = wanted


def _turn(message: Message) -> Json:
    """Write a message with the keys that this wire knows."""
    turn = {key: message[key] for key in _KEYS if message.get(key) is not None}
    if turn.get("role") == "developer":
        turn["role"] = "system"
    return turn


def _call(call: Json) -> ToolCall:
    function = call.get("function") or {}
    return ToolCall(call.get("id") or "call_1", function.get("name") or "", function.get("arguments") or "")


def _said(call: ToolCall) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _text(content: Any) -> str:
    """Read a content: one part, or a list of them; thoughts are parts without a text."""
    parts = [content] if isinstance(content, Mapping) else content or ()
    return "".join(part.get("text") or "" for part in parts)


def _usage(usage: Json | None) -> Usage | None:
    counts = (usage or {}).get("tokens") or (usage or {}).get("billed_units")
    if not usage or not counts:
        return None
    asked, answered = counts.get("input_tokens") or 0, counts.get("output_tokens") or 0
    return Usage(int(asked), int(answered), int(usage.get("cached_tokens") or 0))
