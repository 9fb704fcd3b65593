"""How an answer looks on Cohere's wire: typed events, in which a tool call is an object, not a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from instructor.testing import rules
from instructor.testing.replies import Answer, Asked, Json
from instructor.testing.wires import WIRES, AnswerBuilder, Cut, Finishes, Streamed, Wire, function_call
from instructor.usage import Usage


class Cohere(Wire):
    """Cohere's second version of chat."""

    finishes = Finishes(stop="COMPLETE", tool_calls="TOOL_CALL", refusal="COMPLETE")

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the messages: blank ones are refused."""
        known = rules.roles("system", "user", "assistant", "tool")
        return rules.refused(asked.body.get("messages"), known, rules.calls, _says_something)

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def event(kind: str, at: int, **message: Any) -> Json:
            return {"type": kind, "index": at, **({"delta": {"message": message}} if message else {})}

        channels: list[list[Json]] = []
        if answer.text or not answer.calls:
            pieces = (event("content-delta", 0, content={"text": piece}) for piece in cut(answer.text))
            start = event("content-start", 0, content={"type": "text", "text": ""})
            channels.append([start, *pieces, event("content-end", 0)])
        for at, call in enumerate(answer.calls):
            parts = ({"function": {"arguments": piece}} for piece in cut(call.arguments))
            pieces = (event("tool-call-delta", at, tool_calls=part) for part in parts)
            start = event("tool-call-start", at, tool_calls=function_call(replace(call, arguments="")))
            channels.append([start, *pieces, event("tool-call-end", at)])
        nothing = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        channels[0].insert(0, {"type": "message-start", "id": f"message-{asked.number}", "delta": {"message": nothing}})
        ended = {"finish_reason": answer.finish, **self.usage(answer)}
        return Streamed(channels, [{"type": "message-end", "delta": ended}])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        message: Json = {"role": "assistant"}
        if answer.calls:
            message["tool_calls"] = [function_call(call) for call in answer.calls]
        if answer.text or not answer.calls:
            message["content"] = [{"type": "text", "text": answer.text}]
        ended = {"finish_reason": answer.finish, "message": message, **self.usage(answer)}
        return {"id": f"message-{asked.number}", **ended}

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        delta = payload.get("delta") or payload
        if counts := (delta.get("usage") or {}).get("tokens"):
            builder.usage = Usage(counts["input_tokens"], counts["output_tokens"])
        builder.finish = delta.get("finish_reason", builder.finish)
        message = delta.get("message") or {}
        for part in _listed(message.get("content")):
            builder.text += part.get("text", "")
        for piece in _listed(message.get("tool_calls")):
            builder.function(payload.get("index"), piece)

    def counts(self, usage: Usage) -> Json:
        tokens = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        return {"billed_units": tokens, "tokens": tokens, "cached_tokens": usage.cached_tokens}

    def error(self, status: int, message: str) -> Json:
        return {"id": "error", "message": message, "status": status}


def _says_something(message: Json, before: Sequence[Json]) -> str:
    return "" if message.get("tool_plan") else rules.not_blank(message, before)


def _listed(value: Json | list[Json] | None) -> list[Json]:
    return [value] if isinstance(value, dict) else value or []


WIRES[r"/v2/chat$"] = Cohere()
