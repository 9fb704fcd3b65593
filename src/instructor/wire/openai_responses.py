"""The Responses wire: `POST /responses`, as OpenAI documents it.

A conversation is a list of items: messages, function calls and their outputs side by side. A streamed reply is a
sequence of typed events; `response.completed`, `.incomplete` or `.failed` is the terminal one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import Tool
from instructor.exceptions import ConfigurationError, ProviderError
from instructor.mode import Mode
from instructor.wire.language import Counts, Language, lacking
from instructor.wire.messages import call_of, parts_of
from instructor.wire.schemas import OPENAI, fit

_ENDS = ("response.completed", "response.incomplete", "response.failed")


class OpenAIResponses(Language):
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.RESPONSES_TOOLS,)
    subset = OPENAI
    turns_key = messages_name = "input"
    finishes: Mapping[str, Finish] = {"max_output_tokens": "length", "content_filter": "filter"}
    counts = Counts(
        ("input_tokens",),
        ("output_tokens",),
        "input_tokens_details.cached_tokens",
        "output_tokens_details.reasoning_tokens",
        "total_tokens",
    )

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
        return {**given, "input": self.turns(messages)}

    def turns(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write messages as items: a chat's tool calls and their results are items of their own."""
        return [*before, *(item for message in messages for item in _items(message))]

    def tool(self, tool: Tool, strict: bool) -> Json:
        """Write a tool; the wire takes one for strict unless it is told otherwise."""
        del strict
        closed = fit(tool.schema, OPENAI).schema
        told = {"type": "function", "name": tool.name, "description": tool.description}
        return {**told, "parameters": tool.schema if closed is None else closed, "strict": closed is not None}

    def choice(self, body: Json, call: Call) -> Any:
        """Force the tool, but where the user's own tools are to be used before."""
        return "auto" if body.get("tools") else _forced(call.output.name)

    def whole(self, wire: Json) -> Sequence[Delta]:
        items = wire.get("output")
        if not isinstance(items, list):
            self._raise_failed(wire)
        parts = [part for item in items if item.get("type") == "message" for part in item.get("content") or ()]
        said = [Delta(TEXT, part.get("text") or "", refusal=part.get("refusal")) for part in parts]
        return [*said, *(call for at, item in enumerate(items) for call in _called(at, item)), self._ended(wire)]

    def delta(self, event: Json) -> Sequence[Delta]:
        match event.get("type"):
            case "response.function_call_arguments.delta":
                return (Delta(event.get("output_index") or 0, event.get("delta") or ""),)
            case "response.output_text.delta":
                return (Delta(TEXT, event.get("delta") or ""),)
            case "response.refusal.delta":
                return (Delta(refusal=event.get("delta")),)
            case "response.output_item.added":
                return _called(event.get("output_index") or 0, event.get("item") or {})
            case kind if kind in _ENDS:
                return (self._ended({"status": "failed" if kind == _ENDS[2] else "", **(event.get("response") or {})}),)
            case None if "output" in event:  # a whole response, where a stream was asked for
                return self.whole(event)
            case "error":
                error = event.get("error") or event
                raise ProviderError(self.provider, str(error.get("message") or error), error)
        return ()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        """Append the reply and the notes; who might have called the tool and did not, must now."""
        made = super().correct(request, reply, notes)
        if reply.calls or made.body.get("tool_choice") != "auto":
            return made
        return Request({**made.body, "tool_choice": _forced(made.body["tools"][-1]["name"])}, made.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        ended = reply.finish in ("stop", "tool")
        output = [{**_said(call), "id": f"fc_{n}", "status": "completed"} for n, call in enumerate(reply.calls)]
        if reply.text:
            part = {"type": "output_text", "text": reply.text, "annotations": []}
            message = {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed"}
            output.insert(0, {**message, "content": [part]})
        wire: Json = {
            **(head.get("response") or {}),
            "output": output,
            "status": "completed" if ended else "incomplete",
            "incomplete_details": None if ended else {"reason": self.reason(reply.finish) or "max_output_tokens"},
        }
        usage = self.counts.write(reply.usage)
        if usage:
            usage["input_tokens_details"]["cache_write_tokens"] = 0  # the SDK's type demands it
        return {**wire, "usage": usage} if usage else wire

    def _ended(self, wire: Json) -> Delta:
        finish: Finish = "stop"
        if wire.get("status") == "failed":
            self._raise_failed(wire)
        if wire.get("status") == "incomplete":
            finish = self.finishes.get((wire.get("incomplete_details") or {}).get("reason") or "", "length")
        return Delta(finish=finish, usage=self.counts.read(wire.get("usage")))

    def _raise_failed(self, wire: Json) -> NoReturn:
        error = wire.get("error")
        if error:
            raise ProviderError(self.provider, str(error.get("message") or error), error)
        raise lacking("output", wire)


def _called(at: int, item: Json) -> Sequence[Delta]:
    """Read an item that is a call, whose arguments are empty where a stream is to fill them."""
    if item.get("type") != "function_call":
        return ()
    return (Delta(at, item.get("arguments") or "", item.get("call_id"), item.get("name")),)


def _forced(name: str) -> Json:
    return {"type": "function", "name": name}


def _said(call: ToolCall) -> Json:
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _items(message: Message) -> list[Json]:
    content, role = message.get("content"), message.get("role")
    if "content" not in message and "tool_calls" not in message:  # an item of this wire's own
        return [dict(message)]
    if role == "tool":
        return [{"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": content}]
    if isinstance(content, (list, tuple)):
        content = [_part(part, "output_text" if role == "assistant" else "input_text") for part in parts_of(content)]
    kept = {key: value for key, value in message.items() if key != "tool_calls"}
    calls = [_said(call_of(call)) for call in message.get("tool_calls") or ()]
    return calls if calls and not content else [{**kept, "content": content}, *calls]


def _part(part: Json, spoken: str) -> Json:
    match part:
        case {"type": "text", "text": text}:
            return {"type": spoken, "text": text}
        case {"type": "image_url", "image_url": {"url": url} as image}:
            detail = {"detail": image["detail"]} if "detail" in image else {}
            return {"type": "input_image", "image_url": url, **detail}
    return part
