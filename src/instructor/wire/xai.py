"""xAI's wire: the gRPC service `xai_api.Chat`, its messages as protobuf's JSON, with the names of the .proto files.

A request holds what the SDK's `chat.create` takes, with messages, tools and formats as that JSON. A streamed reply is a
sequence of chunks; the one whose output has a finish reason is the terminal event. Tool calls come whole, without a
number: they are numbered here, in the order in which they come. The wire has no refusals: a model declines in words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from instructor.engine import prompts
from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.exceptions import ConfigurationError, ResponseParsingError
from instructor.mode import Mode
from instructor.usage import Usage
from instructor.wire.messages import with_last_user, with_system
from instructor.wire.schemas import XAI as SUBSET
from instructor.wire.schemas import demanded, strict
from instructor.wire.xai_messages import OURS, content_of, from_proto, message_of, tool_of, users_tool

_FINISH: dict[str, Finish] = {
    "REASON_STOP": "stop",
    "REASON_TOOL_CALLS": "tool",
    "REASON_MAX_LEN": "length",
    "REASON_MAX_CONTEXT": "length",
    "REASON_TIME_LIMIT": "length",
}
_REASONS = {"stop": "REASON_STOP", "tool": "REASON_TOOL_CALLS", "length": "REASON_MAX_LEN"}


class XAI:
    """The dialect of this wire."""

    modes = (Mode.TOOLS, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = SUBSET

    def as_messages(self, messages: Any) -> Any:
        """Give messages that the SDK's `user()`, `system()`, ... made as dicts."""
        if not isinstance(messages, Sequence) or isinstance(messages, (str, bytes)):
            return messages
        return [from_proto(message) if hasattr(message, "DESCRIPTOR") else message for message in messages]

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        body: Json = {**options, "messages": [message_of(message) for message in messages]}
        if isinstance(body.get("stop"), str):
            body["stop"] = [body["stop"]]
        if body.get("tools"):
            body["tools"] = [users_tool(tool) for tool in body["tools"]]
        return body

    def encode(self, call: Call) -> Request:
        messages = call.messages
        if call.mode is Mode.MD_JSON:
            messages = with_system(messages, prompts.schema(call.output.schema))
            messages = with_last_user(messages, prompts.CODE_BLOCK)
        body = self.plain(messages, call.options)
        if call.mode.by_tool:
            told = [
                tool_of(
                    tool.name, tool.description, strict(tool.schema, SUBSET) or tool.schema
                )  # all tools are strict here
                for tool in call.output.tools
            ]
            body["tools"] = [*(body.get("tools") or ()), *told]
            forced = {"function_name": call.output.name}
            body.setdefault("tool_choice", "auto" if call.mode is Mode.PARALLEL_TOOLS else forced)
        elif call.mode is Mode.JSON_SCHEMA:
            if "response_format" in body:
                raise ConfigurationError(
                    f"response_format={body['response_format']!r} is what {call.mode} sets itself: leave it out, "
                    "or ask with response_model=None."
                )
            schema = demanded(call.output.schema, SUBSET, call.output.name, call.mode)
            body["response_format"] = {"format_type": "FORMAT_TYPE_JSON_SCHEMA", "schema": json.dumps(schema)}
        return Request(body, call.stream)

    def decode(self, wire: Json) -> Reply:
        outputs = [(output, output["message"]) for output in wire.get("outputs") or () if "message" in output]
        if not outputs:
            said = json.dumps(wire, default=str)[:300]
            raise ResponseParsingError(f"The response has no outputs with a message: {said}", text=said)
        said = "".join(message.get("content") or "" for _, message in outputs if _is_models(message))
        calls = [_call(call) for _, message in outputs for call in _our_calls(message)]
        finish = _FINISH.get(outputs[-1][0].get("finish_reason") or "", "stop")
        return Reply(said, calls, finish, None, _usage(wire.get("usage")))

    def delta(self, event: Json) -> Sequence[Delta]:
        return self._read(event, {})

    def reader(self) -> Callable[[Json], Sequence[Delta]]:
        """Give what reads the chunks of one stream, and counts its tool calls."""
        numbers: dict[str, int] = {}
        return lambda event: self._read(event, numbers)

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        turns: list[Json] = []
        if reply.calls or reply.text:
            turns.append({"role": "ROLE_ASSISTANT", "content": content_of(reply.text), **_said(reply)})
        if reply.calls:
            turns += [
                {"role": "ROLE_TOOL", "tool_call_id": call.id, "content": content_of(notes)} for call in reply.calls
            ]
        else:
            turns.append({"role": "ROLE_USER", "content": content_of(notes)})
        return Request({**request.body, "messages": [*request.body["messages"], *turns]}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first chunk."""
        message = {"role": "ROLE_ASSISTANT", "content": reply.text, **_said(reply)}
        usage = reply.usage or Usage()
        return {
            **{key: head[key] for key in ("id", "created", "model", "system_fingerprint") if key in head},
            "outputs": [{"message": message, "finish_reason": _REASONS.get(reply.finish or "", "REASON_INVALID")}],
            "usage": {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens - usage.reasoning_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "cached_prompt_text_tokens": usage.cached_tokens,
                "total_tokens": usage.total_tokens,
            },
        }

    def _read(self, event: Json, numbers: dict[str, int]) -> list[Delta]:
        deltas: list[Delta] = []
        finish: Finish | None = None
        for output in event.get("outputs") or ():
            message = output.get("delta") or {}
            if message.get("content") and _is_models(message):
                deltas.append(Delta(TEXT, message["content"]))
            for call in map(_call, _our_calls(message)):
                number = numbers.setdefault(call.id, len(numbers))
                deltas.append(Delta(number, call.arguments, call.id, call.name))
            finish = _FINISH.get(output.get("finish_reason") or "") or finish
        usage = _usage(event.get("usage"))
        return [*deltas, Delta(finish=finish, usage=usage)] if finish or usage else deltas


def _is_models(message: Mapping[str, Any]) -> bool:
    return message.get("role") in ("ROLE_ASSISTANT", None)


def _our_calls(message: Mapping[str, Any]) -> Iterator[Json]:
    return (call for call in message.get("tool_calls") or () if call.get("type") in (OURS, None))


def _call(call: Json) -> ToolCall:
    function = call.get("function") or {}
    return ToolCall(call.get("id") or "", function.get("name") or "", function.get("arguments") or "")


def _said(reply: Reply) -> Json:
    calls = [
        {"id": call.id, "type": OURS, "function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.calls
    ]
    return {"tool_calls": calls} if calls else {}


def _usage(usage: Json | None) -> Usage | None:
    """Normalise the tokens: on this wire what was reasoned is counted beside what was said."""
    if not usage:
        return None
    reasoned = usage.get("reasoning_tokens") or 0
    return Usage(
        usage.get("prompt_tokens") or 0,
        (usage.get("completion_tokens") or 0) + reasoned,
        usage.get("cached_prompt_text_tokens") or 0,
        reasoned,
    )
