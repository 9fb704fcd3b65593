"""How an answer looks on Cohere's wire: typed events, a tool call an object in them, not a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.testing.wires import WIRES, Cut, Streamed, Wire, counted
from instructor.usage import Usage


class Cohere(Wire):
    """Cohere's second version of chat."""

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        channels: list[list[Payload]] = []
        if answer.text or not answer.calls:
            start = _event("content-start", 0, {"content": {"type": "text", "text": ""}})
            pieces = [_event("content-delta", 0, {"content": {"text": piece}}) for piece in cut(answer.text)]
            channels.append([start, *pieces, {"type": "content-end", "index": 0}])
        for at, call in enumerate(self._calls(asked, answer)):
            head = {**call, "function": {**call["function"], "arguments": ""}}
            parts = [{"function": {"arguments": piece}} for piece in cut(call["function"]["arguments"])]
            deltas = [_event("tool-call-delta", at, {"tool_calls": part}) for part in parts]
            start = _event("tool-call-start", at, {"tool_calls": head})
            channels.append([start, *deltas, {"type": "tool-call-end", "index": at}])
        begin: Json = {"type": "message-start", "id": f"message-{asked.number}", "delta": {"message": _NOTHING}}
        channels[0].insert(0, begin)
        delta: Json = {"finish_reason": self._finish(answer)}
        if answer.usage is not False:
            delta["usage"] = self._usage(asked, answer)
        return Streamed(channels, [{"type": "message-end", "delta": delta}])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        message: Json = {"role": "assistant"}
        if answer.calls:
            message["tool_calls"] = self._calls(asked, answer)
        if answer.text or not answer.calls:
            message["content"] = [{"type": "text", "text": answer.text}]
        usage = {} if answer.usage is False else {"usage": self._usage(asked, answer)}
        return {"id": f"message-{asked.number}", "finish_reason": self._finish(answer), "message": message, **usage}

    def read(self, payloads: Iterable[Json]) -> Answer:
        text, finish, usage = "", None, None
        calls: dict[int, ToolCall] = {}
        for payload in payloads:
            delta = payload.get("delta") or payload
            if counts := (delta.get("usage") or {}).get("tokens"):
                usage = Usage(counts["input_tokens"], counts["output_tokens"])
            finish = delta.get("finish_reason", finish)
            message = delta.get("message") or {}
            content = message.get("content") or ()
            text += "".join(part.get("text", "") for part in ([content] if isinstance(content, dict) else content))
            found = message.get("tool_calls") or ()
            for place, piece in enumerate([found] if isinstance(found, dict) else found):
                at, function = payload.get("index", place), piece["function"]
                call = calls.get(at, ToolCall("", function.get("name"), piece.get("id")))
                calls[at] = replace(call, arguments=call.arguments + function.get("arguments", ""))
        return Answer(text, [calls[at] for at in sorted(calls)], None, finish, usage)

    def error(self, status: int, message: str) -> Json:
        return {"id": "error", "message": message, "status": status}

    def takes_tools(self, asked: Asked) -> bool:
        return bool(asked.body.get("tools"))

    def _calls(self, asked: Asked, answer: Answer) -> list[Json]:
        offered = (asked.body.get("tools") or [{"function": {"name": "answer"}}])[-1]["function"]["name"]
        return [
            {
                "id": call.id or f"call_{asked.number}_{at}",
                "type": "function",
                "function": {"name": call.name or offered, "arguments": call.arguments},
            }
            for at, call in enumerate(answer.calls)
        ]

    def _finish(self, answer: Answer) -> str:
        return answer.finish or ("TOOL_CALL" if answer.calls else "COMPLETE")

    def _usage(self, asked: Asked, answer: Answer) -> Json:
        usage = answer.usage or counted(asked.raw.decode("utf-8", "replace"), answer)
        counts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        return {"billed_units": counts, "tokens": counts, "cached_tokens": usage.cached_tokens}


_NOTHING: Json = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}


def _event(kind: str, at: int, message: Json) -> Json:
    return {"type": kind, "index": at, "delta": {"message": message}}


WIRES[r"/v2/chat$"] = Cohere()
