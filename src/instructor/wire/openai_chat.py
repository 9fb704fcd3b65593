"""The chat-completions wire: `POST /chat/completions`, as OpenAI documents it and many others speak it.

A streamed reply is a sequence of chunks, each with `choices[0].delta`; the one that carries a `finish_reason` is the
terminal event. Only the first choice is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine import prompts
from instructor.engine.bystanders import users_own
from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import Tool
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.usage import Usage
from instructor.wire.messages import with_last_user, with_system
from instructor.wire.schemas import OPENAI, strict

_FINISH: dict[str, Finish] = {
    "tool_calls": "tool",
    "function_call": "tool",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filter",
}


class OpenAIChat:
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = OPENAI

    def __init__(
        self,
        provider: str,
        *,
        counts_streams: bool = True,
        schema_keys: Sequence[str] = ("name", "description", "schema", "strict"),
    ) -> None:
        """`counts_streams`: takes `stream_options`. `schema_keys`: what a `json_schema` may hold."""
        self._provider = provider
        self._counts_streams = counts_streams
        self._schema_keys = schema_keys

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        return {**options, "messages": list(messages)}

    def encode(self, call: Call) -> Request:
        body = self.plain(call.messages, call.options)
        if call.mode.by_tool:
            self._ask_by_tool(body, call)
        else:
            self._ask_in_text(body, call)
        if call.stream:
            body["stream"] = True
            if self._counts_streams:
                body["stream_options"] = {"include_usage": True, **(body.get("stream_options") or {})}
        return Request(body, call.stream)

    def decode(self, wire: Json) -> Reply:
        choices = wire.get("choices")
        if not choices or not isinstance(choices[0].get("message"), Mapping):
            said = json.dumps(wire, default=str)[:300]
            raise ResponseParsingError(f"The response has no choices[0].message: {said}", text=said)
        message = choices[0]["message"]
        calls = [_call(call) for call in message.get("tool_calls") or ()]
        if not calls and message.get("function_call"):
            calls = [_call({"id": "call_1", "function": message["function_call"]})]
        return Reply(
            text=_text(message.get("content")),
            calls=calls,
            finish=_finish(choices[0].get("finish_reason")) or "stop",  # a whole response has ended, said or not
            refusal=message.get("refusal"),
            usage=_usage(wire.get("usage")),
        )

    def delta(self, event: Json) -> Sequence[Delta]:
        choices = event.get("choices")
        if not choices:
            if event.get("error"):
                raise ProviderError(self._provider, _error_text(event["error"]), event["error"])
            usage = event.get("usage")
            return (Delta(usage=_usage(usage)),) if usage else ()
        choice = choices[0]
        if choice.get("index"):
            return ()
        deltas: list[Delta] = []
        delta = choice.get("delta")
        if delta:
            for call in delta.get("tool_calls") or ():
                function = call.get("function") or {}
                text = function.get("arguments") or ""
                if isinstance(text, Mapping):
                    text = json.dumps(text)
                deltas.append(Delta(call.get("index") or 0, text, call.get("id"), function.get("name")))
            if delta.get("content"):
                deltas.append(Delta(TEXT, _text(delta["content"])))
            if delta.get("refusal"):
                deltas.append(Delta(refusal=delta["refusal"]))
        finish, usage = choice.get("finish_reason"), event.get("usage")
        if finish or usage:
            deltas.append(Delta(finish=_finish(finish), usage=_usage(usage)))
        return deltas

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        turns: list[Message] = []
        if reply.calls:
            turns.append({"role": "assistant", "content": reply.text, "tool_calls": [_said(c) for c in reply.calls]})
            turns += [
                {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": notes} for call in reply.calls
            ]
        else:
            if reply.text:
                turns.append({"role": "assistant", "content": reply.text})
            turns.append({"role": "user", "content": notes})
        return Request({**request.body, "messages": [*request.body["messages"], *turns]}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        message: Json = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal}
        if reply.calls:
            message["tool_calls"] = [_said(call) for call in reply.calls]
        finish = {"tool": "tool_calls", "filter": "content_filter"}.get(reply.finish or "", reply.finish or "length")
        wire: Json = {
            "id": head.get("id") or "",
            "object": "chat.completion",
            "created": head.get("created") or 0,
            "model": head.get("model") or "",
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        }
        if reply.usage is not None:
            wire["usage"] = {
                "prompt_tokens": reply.usage.input_tokens,
                "completion_tokens": reply.usage.output_tokens,
                "total_tokens": reply.usage.total_tokens,
            }
        return wire

    def _ask_by_tool(self, body: Json, call: Call) -> None:
        told = [{"type": "function", "function": _function(tool, call.mode)} for tool in call.output.tools]
        taken = users_own(call.options) & {tool.name for tool in call.output.tools}
        if taken:
            raise ConfigurationError(f"tools= has a tool called {min(taken)!r}, which is the answer's own: rename it.")
        body["tools"] = [*(body.get("tools") or ()), *told]
        if call.mode is Mode.PARALLEL_TOOLS:
            body.setdefault("tool_choice", "auto")
        else:
            body.setdefault("tool_choice", {"type": "function", "function": {"name": call.output.name}})

    def _ask_in_text(self, body: Json, call: Call) -> None:
        output, mode = call.output, call.mode
        if mode.in_prompt:
            body["messages"] = with_system(body["messages"], prompts.schema(output.schema))
        if mode is Mode.MD_JSON:
            body["messages"] = with_last_user(body["messages"], prompts.CODE_BLOCK)
            return
        if "response_format" in body:
            raise ConfigurationError(
                f"response_format={body['response_format']!r} is what {mode} sets itself: leave it out, "
                "or ask with response_model=None."
            )
        if mode is Mode.JSON:
            body["response_format"] = {"type": "json_object"}
            return
        closed = strict(output.schema)
        told = {"schema": output.schema} if closed is None else {"schema": closed, "strict": True}
        asked: Json = {"name": output.name, "description": output.description, **told}
        known = {key: value for key, value in asked.items() if key in self._schema_keys}
        body["response_format"] = {"type": "json_schema", "json_schema": known}


def _function(tool: Tool, mode: Mode) -> Json:
    function: Json = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    if mode is not Mode.TOOLS_STRICT:
        return function
    closed = strict(tool.schema)
    if closed is None:
        raise ConfigurationError(
            f"Mode.TOOLS_STRICT cannot express {tool.name}: strict schemas have no objects with free keys, "
            "no tuples and no untyped parts. Mode.TOOLS can."
        )
    return {**function, "parameters": closed, "strict": True}


def _call(call: Json) -> ToolCall:
    function = call.get("function") or {}
    arguments = function.get("arguments") or ""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(call.get("id") or "call_1", function.get("name") or "", text)


def _said(call: ToolCall) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _text(content: Any) -> str:
    """Read a content that is a text, or a list of parts of which some are."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, Mapping))
    return content or ""


def _finish(reason: str | None) -> Finish | None:
    return _FINISH.get(reason, "stop") if reason else None


def _usage(usage: Json | None) -> Usage | None:
    if not usage:
        return None
    asked, answered = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return Usage(
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        asked.get("cached_tokens") or 0,
        answered.get("reasoning_tokens") or 0,
    )


def _error_text(error: Any) -> str:
    return str(error.get("message") or error) if isinstance(error, Mapping) else str(error)
