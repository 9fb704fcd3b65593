"""How an answer looks on OpenAI's Responses wire."""

from __future__ import annotations

import itertools
from typing import Any

from instructor.testing import rules
from instructor.testing.replies import Answer, Asked, Json
from instructor.testing.wires import WIRES, AnswerBuilder, Cut, Finishes, Streamed, Wire
from instructor.usage import Usage


class OpenAIResponses(Wire):
    """OpenAI's Responses. The finish reason says why a reply is incomplete: a complete one has none."""

    finishes = Finishes(stop="", tool_calls="", length="max_output_tokens", refusal="")

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the items: a call needs its output, and an output its call."""
        items = asked.body.get("input")
        if not isinstance(items, list):
            return ""
        stored = asked.body.get("previous_response_id") or asked.body.get("conversation")  # which has items, too
        return next(filter(None, map(_wrong, items)), "") or ("" if stored else _unpaired(items))

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def event(kind: str, **fields: Any) -> Json:
            return {"type": f"response.{kind}", "sequence_number": next(numbers), **fields}

        numbers = itertools.count()
        begun = {**_response(asked, [], "in_progress"), "usage": None}
        opening = [event("created", response=begun), event("in_progress", response=begun)]
        channels: list[list[Json]] = []
        for at, item in enumerate(_items(asked, answer)):
            where = {"item_id": item["id"], "output_index": at}
            if "arguments" in item:
                kind, text = "function_call_arguments", item["arguments"]
            else:
                (part,) = item["content"]
                kind, text = part["type"], part.get("text") or part.get("refusal", "")
                where["content_index"] = 0
            empty: Json = {"arguments": ""} if "arguments" in item else {"content": []}
            start = event("output_item.added", output_index=at, item={**item, **empty, "status": "in_progress"})
            pieces = [event(f"{kind}.delta", delta=piece, logprobs=[], **where) for piece in cut(text)]
            channels.append([start, *pieces, event("output_item.done", output_index=at, item=item)])
        channels[0] = [*opening, *channels[0]]
        ended = self.whole(asked, answer)
        return Streamed(channels, [event(ended["status"], response=ended)])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        reply = _response(asked, _items(asked, answer), "incomplete" if answer.finish else "completed")
        reason = {"reason": answer.finish} if answer.finish else None
        return {**reply, "incomplete_details": reason, "usage": None, **self.usage(answer)}

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        reply = payload.get("response", payload)
        for at, item in enumerate(reply.get("output", ())):
            if item["type"] == "function_call":
                builder.call(at, item["arguments"], item["name"], item["call_id"])
            for part in item.get("content") or ():
                builder.text += part.get("text") or ""
                builder.refusal += part.get("refusal") or ""
        builder.finish = (reply.get("incomplete_details") or {}).get("reason", builder.finish)
        if counts := reply.get("usage"):
            builder.usage = Usage(counts["input_tokens"], counts["output_tokens"])

    def counts(self, usage: Usage) -> Json:
        return {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.total_tokens,
        }

    def event(self, payload: Json | str) -> bytes:
        if isinstance(payload, str):
            return super().event(payload)
        named = {"type": "error", **payload}
        return f"event: {named['type']}\n".encode() + super().event(named)


def _wrong(item: Any) -> str:
    if not isinstance(item, dict):
        return f"an item must be an object, got {item!r}"
    kind = item.get("type", "message")
    if kind == "message" and item.get("role") not in rules.ROLES[:4]:
        return f"a message's role must be one of {', '.join(rules.ROLES[:4])}, got {item.get('role')!r}"
    if kind == "message" and not isinstance(item.get("content"), (str, list)):
        return f"a message's content must be a text or a list of parts, got {item.get('content')!r}"
    if kind in ("function_call", "function_call_output") and not (
        isinstance(item.get("call_id"), str) and item["call_id"]
    ):
        return f"call_id must be a text, got {item.get('call_id')!r}"
    if kind == "function_call":
        return rules.calls({"tool_calls": [{"id": item["call_id"], "function": item}]}, ())
    if kind == "function_call_output" and not isinstance(item.get("output"), (str, list)):
        return f"output must be a text or a list of parts, got {item.get('output')!r}"
    return ""


def _unpaired(items: list[Json]) -> str:
    called: set[str] = set()
    for item in items:
        if item.get("type") == "function_call":
            if item["call_id"] in called:
                return f"two function calls have the call_id {item['call_id']!r}"
            called.add(item["call_id"])
        elif item.get("type") == "function_call_output" and item["call_id"] not in called:
            return f"no tool call found for function call output with call_id {item['call_id']}"
    outputs = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    return next((f"no tool output found for function call {each}" for each in sorted(called - outputs)), "")


def _response(asked: Asked, output: list[Json], status: str) -> Json:
    made = {"id": f"resp_{asked.number}", "object": "response", "created_at": 1_700_000_000, "status": status}
    fields: Json = {"error": None, "incomplete_details": None, "instructions": None, "metadata": {}}
    model = {"model": asked.body.get("model", "scripted"), "output": output, "parallel_tool_calls": True}
    choice = {"temperature": 1.0, "tool_choice": asked.body.get("tool_choice", "auto")}
    return {**made, **fields, **model, **choice, "tools": asked.body.get("tools", []), "top_p": 1.0}


def _items(asked: Asked, answer: Answer) -> list[Json]:
    items: list[Json] = []
    message = {"type": "message", "id": f"msg_{asked.number}", "role": "assistant", "status": "completed"}
    if answer.refusal is not None:
        items.append({**message, "content": [{"type": "refusal", "refusal": answer.refusal}]})
    elif answer.text or not answer.calls:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        items.append({**message, "content": [part]})
    for n, call in enumerate(answer.calls):
        named = {"type": "function_call", "id": f"fc_{asked.number}_{n}", "call_id": call.id, "name": call.name}
        items.append({**named, "arguments": call.arguments, "status": "completed"})
    return items


WIRES[r"/responses$"] = OpenAIResponses()
