"""How an answer looks on OpenAI's Responses wire."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.testing.wires import WIRES, Cut, OpenAIChat, Streamed, Wire, counted, dump
from instructor.usage import Usage


class OpenAIResponses(Wire):
    """OpenAI's Responses."""

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        numbers = itertools.count()

        def event(kind: str, **told: Any) -> Json:
            return {"type": f"response.{kind}", "sequence_number": next(numbers), **told}

        begun = {**self._whole(asked, [], "in_progress"), "usage": None}
        opening: list[Payload] = [event("created", response=begun), event("in_progress", response=begun)]
        channels: list[list[Payload]] = []
        for at, item in enumerate(self._items(asked, answer)):
            where = {"item_id": item["id"], "output_index": at}
            if item["type"] == "function_call":
                empty, text, kind = {**item, "arguments": ""}, item["arguments"], "function_call_arguments.delta"
            else:
                part = item["content"][0]
                empty = {**item, "content": []}
                text, kind = (
                    (part["refusal"], "refusal.delta") if "refusal" in part else (part["text"], "output_text.delta")
                )
                where["content_index"] = 0
            channels.append([
                event("output_item.added", output_index=at, item={**empty, "status": "in_progress"}),
                *(event(kind, delta=piece, logprobs=[], **where) for piece in cut(text)),
                event("output_item.done", output_index=at, item=item),
            ])  # fmt: skip
        channels[0] = [*opening, *channels[0]]
        ended = self.whole(asked, answer)
        return Streamed(channels, [event(ended["status"], response=ended)])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
        reason = reasons.get(answer.finish or "", answer.finish)
        wire = self._whole(asked, self._items(asked, answer), "incomplete" if reason else "completed")
        usage = None if answer.usage is False else self._usage(asked, answer)
        return {**wire, "incomplete_details": {"reason": reason} if reason else None, "usage": usage}

    def read(self, payloads: Iterable[Json]) -> Answer:
        ended = next((each for each in reversed(list(payloads)) if "output" in each.get("response", each)), {})
        wire = ended.get("response", ended)
        items = wire.get("output", ())
        parts = [part for item in items for part in item.get("content") or ()]
        counts, details = wire.get("usage"), wire.get("incomplete_details") or {}
        return Answer(
            "".join(part.get("text") or "" for part in parts),
            [ToolCall(i["arguments"], i["name"], i["call_id"]) for i in items if i["type"] == "function_call"],
            "".join(part.get("refusal") or "" for part in parts) or None,
            details.get("reason"),
            Usage(counts["input_tokens"], counts["output_tokens"]) if counts else None,
        )

    def error(self, status: int, message: str) -> Json:
        return OpenAIChat().error(status, message)

    def takes_tools(self, asked: Asked) -> bool:
        return bool(asked.body.get("tools"))

    def frame(self, payload: Payload) -> bytes:
        if isinstance(payload, bytes):
            return payload
        if isinstance(payload, str):
            return f"data: {payload}\n\n".encode()
        return f"event: {payload.get('type', 'error')}\ndata: {dump({'type': 'error', **payload})}\n\n".encode()

    def _whole(self, asked: Asked, output: list[Json], status: str) -> Json:
        return {
            "id": f"resp_{asked.number}",
            "object": "response",
            "created_at": 1_700_000_000,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": asked.body.get("model", "scripted"),
            "output": output,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": asked.body.get("tool_choice", "auto"),
            "tools": asked.body.get("tools", []),
            "top_p": 1.0,
        }

    def _items(self, asked: Asked, answer: Answer) -> list[Json]:
        items: list[Json] = []
        spoken = {"type": "message", "id": f"msg_{asked.number}", "role": "assistant", "status": "completed"}
        if answer.refusal is not None:
            items.append({**spoken, "content": [{"type": "refusal", "refusal": answer.refusal}]})
        elif answer.text or not answer.calls:
            part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
            items.append({**spoken, "content": [part]})
        offered = (asked.body.get("tools") or [{}])[-1].get("name", "answer")
        choice = asked.body.get("tool_choice")
        wanted = choice.get("name", offered) if isinstance(choice, dict) else offered
        items += [
            {
                "type": "function_call",
                "id": f"fc_{asked.number}_{n}",
                "call_id": call.id or f"call_{asked.number}_{n}",
                "name": call.name or wanted,
                "arguments": call.arguments,
                "status": "completed",
            }
            for n, call in enumerate(answer.calls)
        ]
        return items

    def _usage(self, asked: Asked, answer: Answer) -> Json:
        usage = answer.usage or counted(asked.raw.decode("utf-8", "replace"), answer)
        return {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.total_tokens,
        }


WIRES[r"/responses$"] = OpenAIResponses()
