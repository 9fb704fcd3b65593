"""The Responses wire: `POST /responses`, as OpenAI documents it.

A conversation is a list of items: messages, function calls and their outputs side by side. A streamed reply is a
sequence of typed events; `response.completed`, `.incomplete` or `.failed` is the terminal one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import Tool
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.usage import Usage
from instructor.wire.schemas import OPENAI, strict

_FINISH: dict[str, Finish] = {"max_output_tokens": "length", "content_filter": "filter"}
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class OpenAIResponses:
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.RESPONSES_TOOLS,)
    subset = OPENAI
    messages_name = "input"

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def as_messages(self, messages: Any) -> Any:
        """Take a text for the user's word."""
        return [{"role": "user", "content": messages}] if isinstance(messages, str) else messages

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        given = dict(options)
        if "max_tokens" in given:
            if "max_output_tokens" in given:
                raise ConfigurationError("max_tokens and max_output_tokens are one argument: give max_output_tokens.")
            given["max_output_tokens"] = given.pop("max_tokens")
        return {**given, "input": [item for message in messages for item in _items(message)]}

    def encode(self, call: Call) -> Request:
        """Ask for the tool's call: forced, but where the user's own tools are to be used before."""
        body = self.plain(call.messages, call.options)
        theirs = list(body.get("tools") or ())
        body["tools"] = [*theirs, *map(_tool, call.output.tools)]
        body.setdefault("tool_choice", "auto" if theirs else _forced(call.output.name))
        if call.stream:
            body["stream"] = True
        return Request(body, call.stream)

    def decode(self, wire: Json) -> Reply:
        items = wire.get("output")
        if wire.get("status") == "failed" or not isinstance(items, list):
            self._raise_failed(wire)
        parts = [part for item in items if item.get("type") == "message" for part in item.get("content") or ()]
        refused = "".join(part.get("refusal") or "" for part in parts)
        calls = [
            ToolCall(item.get("call_id") or "call_1", item.get("name") or "", item.get("arguments") or "")
            for item in items
            if item.get("type") == "function_call"
        ]
        text = "".join(part.get("text") or "" for part in parts)
        return Reply(text, calls, _finish(wire, calls), refused or None, _usage(wire.get("usage")))

    def delta(self, event: Json) -> Sequence[Delta]:
        kind = event.get("type")
        if kind == "response.function_call_arguments.delta":
            return (Delta(event.get("output_index") or 0, event.get("delta") or ""),)
        if kind == "response.output_text.delta":
            return (Delta(TEXT, event.get("delta") or ""),)
        if kind == "response.refusal.delta":
            return (Delta(refusal=event.get("delta")),)
        if kind == "response.output_item.added":
            item = event.get("item") or {}
            if item.get("type") == "function_call":
                at = event.get("output_index") or 0
                return (Delta(at, item.get("arguments") or "", item.get("call_id"), item.get("name")),)
        elif kind in _ENDS:
            response = event.get("response") or {}
            if kind == "response.failed":
                self._raise_failed(response)
            return (Delta(finish=_finish(response), usage=_usage(response.get("usage"))),)
        elif kind == "error":
            error = event.get("error") or event
            raise ProviderError(self._provider, str(error.get("message") or error), error)
        return ()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        """Append the reply and the notes; who might have called the tool and did not, must now."""
        items: list[Json] = [{"role": "assistant", "content": reply.text}] if reply.text else []
        body = dict(request.body)
        if reply.calls:
            items += map(_said, reply.calls)
            items += [{"type": "function_call_output", "call_id": call.id, "output": notes} for call in reply.calls]
        else:
            items.append({"role": "user", "content": notes})
            if body.get("tool_choice") == "auto":
                body["tool_choice"] = _forced(body["tools"][-1]["name"])
        return Request({**body, "input": [*body["input"], *items]}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        ended = reply.finish in ("stop", "tool")
        reason = {"filter": "content_filter"}.get(reply.finish or "", "max_output_tokens")
        output = [{**_said(call), "id": f"fc_{n}", "status": "completed"} for n, call in enumerate(reply.calls)]
        if reply.text:
            part = {"type": "output_text", "text": reply.text, "annotations": []}
            message = {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed"}
            output.insert(0, {**message, "content": [part]})
        wire: Json = {
            **(head.get("response") or {}),
            "output": output,
            "status": "completed" if ended else "incomplete",
            "incomplete_details": None if ended else {"reason": reason},
        }
        usage = reply.usage
        if usage is not None:
            wire["usage"] = {
                "input_tokens": usage.input_tokens,
                "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
                "output_tokens": usage.output_tokens,
                "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
                "total_tokens": usage.total_tokens,
            }
        return wire

    def _raise_failed(self, wire: Json) -> NoReturn:
        error = wire.get("error")
        if error:
            raise ProviderError(self._provider, str(error.get("message") or error), error)
        told = json.dumps(wire, default=str)[:300]
        raise ResponseParsingError(f"The response has no output: {told}", text=told)


def _tool(tool: Tool) -> Json:
    """Write a tool; the wire takes one for strict unless it is told otherwise."""
    closed = strict(tool.schema)
    told = {"type": "function", "name": tool.name, "description": tool.description}
    return {**told, "parameters": tool.schema if closed is None else closed, "strict": closed is not None}


def _forced(name: str) -> Json:
    return {"type": "function", "name": name}


def _said(call: ToolCall) -> Json:
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _items(message: Message) -> list[Json]:
    """Write a message as items: a chat's tool calls and their results are items of their own."""
    content = message.get("content")
    if message.get("role") == "tool":
        return [{"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": content}]
    if isinstance(content, (list, tuple)):
        spoken = "output_text" if message.get("role") == "assistant" else "input_text"
        content = [_part(part, spoken) for part in content]
    kept = {key: value for key, value in message.items() if key != "tool_calls"}
    items: list[Json] = [] if "tool_calls" in message and not content else [{**kept, "content": content}]
    if "content" not in message and "tool_calls" not in message:  # an item of this wire's own
        items = [dict(message)]
    for call in message.get("tool_calls") or ():
        function = call["function"]
        items.append(_said(ToolCall(call["id"], function["name"], function["arguments"])))
    return items


def _part(part: Any, spoken: str) -> Any:
    if not isinstance(part, Mapping):
        return {"type": spoken, "text": str(part)}
    if part.get("type") == "text":
        return {"type": spoken, "text": part["text"]}
    if part.get("type") == "image_url":
        image = part["image_url"]
        return {"type": "input_image", **({"image_url": image} if isinstance(image, str) else _image(image))}
    return part


def _image(image: Mapping[str, Any]) -> Json:
    detail = {"detail": image["detail"]} if "detail" in image else {}
    return {"image_url": image["url"], **detail}


def _finish(wire: Json, calls: Sequence[ToolCall] = ()) -> Finish:
    if wire.get("status") == "incomplete":
        reason = (wire.get("incomplete_details") or {}).get("reason") or ""
        return _FINISH.get(reason, "length")
    return "tool" if calls else "stop"


def _usage(usage: Json | None) -> Usage | None:
    if not usage:
        return None
    asked, answered = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return Usage(
        usage.get("input_tokens") or 0,
        usage.get("output_tokens") or 0,
        asked.get("cached_tokens") or 0,
        answered.get("reasoning_tokens") or 0,
    )
