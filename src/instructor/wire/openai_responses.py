"""The Responses wire: `POST /responses`, as OpenAI documents it.

A conversation is a list of items: messages, function calls and their outputs side by side. A streamed reply is a
sequence of typed events; `response.completed`, `.incomplete` or `.failed` is the terminal one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from instructor.engine.call import Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import Tool
from instructor.exceptions import ConfigurationError, ProviderError
from instructor.mode import Mode
from instructor.wire.complaints import complaint, words_of
from instructor.wire.language import Counts, Language, lacking
from instructor.wire.messages import call_of, parts_of
from instructor.wire.pieces import mapping, word
from instructor.wire.responses_items import Items
from instructor.wire.schemas import OPENAI, fit

_ENDS = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The terminal events, and what they say where their response does not say it itself."""


class OpenAIResponses(Language):
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.RESPONSES_TOOLS,)
    sees_all = True
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

    def whole(self, wire: Json) -> Iterable[Delta]:
        return self._ended(wire, Items())

    def delta(self, event: Json) -> Iterable[Delta]:
        return self._read(event, Items())

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads the events of one stream, and knows what of each item came before."""
        items = Items()
        return lambda event: self._read(event, items)

    def _read(self, event: Json, items: Items) -> Iterable[Delta]:
        if items.is_over(event):
            return ()
        match event.get("type"):
            case "response.function_call_arguments.delta":
                return items.piece(event, "arguments")
            case "response.function_call_arguments.done":
                return items.told(event, "arguments", event.get("arguments"))
            case "response.output_text.delta":
                return items.piece(event, "text")
            case "response.output_text.done":
                return items.told(event, "text", event.get("text"))
            case "response.refusal.delta":
                return items.piece(event, "refusal")
            case "response.refusal.done":
                return items.told(event, "refusal", event.get("refusal"))
            case "response.content_part.added":
                return items.part(event, opens=True)
            case "response.content_part.done":
                return items.part(event, opens=False)
            case "response.output_item.added":
                return items.item(event, event.get("item"), opens=True)
            case "response.output_item.done":
                return items.item(event, event.get("item"))
            case str(kind) if kind in _ENDS:
                return self._ended({"status": _ENDS[kind], **_without_nulls(event.get("response"))}, items)
            case None if "output" in event:  # a whole response, where a stream was asked for
                return self._ended(event, items)
            case "error":
                raise self._failure(event.get("error") or event)
            case str():
                return ()
        if error := complaint(event):
            raise self._failure(error)
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
            "incomplete_details": None
            if ended
            else {"reason": self.reason(reply.finish) or reply.reason or "max_output_tokens"},
        }
        usage = self.counts.write(reply.usage)
        if usage:
            usage["input_tokens_details"]["cache_write_tokens"] = 0  # the SDK's type demands it
        return {**wire, "usage": usage} if usage else wire

    def _ended(self, wire: Json, items: Items) -> Iterator[Delta]:
        """Read the end of a reply, with all that came before and was not read yet."""
        status, output = word(wire.get("status")).lower(), wire.get("output")
        usage = self.counts.read(wire.get("usage"))
        yield from items.items(output)
        if status == "failed" or (wire.get("error") and status != "completed"):
            if usage:
                yield Delta(usage=usage)
            raise self._failure(wire.get("error") or _brief(wire))
        if items.none and not isinstance(output, (list, dict)) and "object" not in wire:
            raise self._failure(error) if (error := complaint(wire)) else lacking("output", wire)
        items.ended = not items.none
        yield self._finished(status, mapping(wire.get("incomplete_details")).get("reason"))._replace(usage=usage)

    def _finished(self, status: str, reason: Any) -> Delta:
        """Return why a reply ended: one that goes on, was called off or is cut is not whole."""
        if not status or self.finish(status) == "stop":
            return Delta(finish="stop")
        finish = self.finish(reason) if status == "incomplete" else None
        return Delta(
            finish=finish if finish in ("length", "filter") else "other",
            reason=": ".join(filter(None, (status, word(reason)))),
        )

    def _failure(self, error: Any) -> ProviderError:
        """Return the error that quotes what the provider said."""
        return ProviderError(self.provider, words_of(error), error)


def _without_nulls(response: Any) -> Json:
    return {key: value for key, value in mapping(response).items() if value is not None}


def _brief(wire: Json) -> Json:
    """Return what of a reply tells why it failed."""
    return {key: wire[key] for key in ("status", "error", "incomplete_details", "code") if wire.get(key)} or wire


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
