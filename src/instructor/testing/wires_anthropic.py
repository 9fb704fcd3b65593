"""How an answer looks on Anthropic's messages wire."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace

import jiter

from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.testing.wires import WIRES, Cut, Streamed, Wire, counted, dump
from instructor.testing.wires_bedrock import frame
from instructor.usage import Usage

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_FINISH = {"length": "max_tokens", "stop": "end_turn", "tool_calls": "tool_use"}


class Anthropic(Wire):
    """Anthropic's messages."""

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        blocks: list[tuple[Json, list[Json]]] = []
        if answer.text or not answer.calls:
            pieces = [{"type": "text_delta", "text": piece} for piece in cut(answer.text)]
            blocks.append(({"type": "text", "text": ""}, pieces))
        for use, call in zip(self._uses(asked, answer), answer.calls, strict=True):
            pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in cut(call.arguments)]
            blocks.append(({**use, "input": {}}, pieces))
        channels: list[list[Payload]] = [
            [
                {"type": "content_block_start", "index": at, "content_block": block},
                *({"type": "content_block_delta", "index": at, "delta": piece} for piece in pieces),
                {"type": "content_block_stop", "index": at},
            ]
            for at, (block, pieces) in enumerate(blocks)
        ]
        usage = self._usage(asked, answer)
        begun = {**self._common(asked), "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
        channels[0].insert(0, {"type": "message_start", "message": begun})
        ended = {"type": "message_delta", "delta": self._ended(answer), "usage": usage}
        return Streamed(channels, [ended, {"type": "message_stop"}])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        content: list[Json] = [{"type": "text", "text": answer.text}] if answer.text else []
        content += self._uses(asked, answer)
        return {**self._common(asked), "content": content, **self._ended(answer), "usage": self._usage(asked, answer)}

    def read(self, payloads: Iterable[Json]) -> Answer:
        text, finish, usage = "", None, None
        calls: dict[int, ToolCall] = {}
        for payload in payloads:
            message = payload.get("message") or payload
            for at, block in enumerate(message.get("content") or ()):
                text += block.get("text") or ""
                if block["type"] == "tool_use":
                    calls[at] = ToolCall(dump(block["input"]), block["name"], block["id"])
            at, block, delta = payload.get("index", 0), payload.get("content_block") or {}, payload.get("delta") or {}
            if block.get("type") == "tool_use":
                calls[at] = ToolCall("", block["name"], block["id"])
            text += delta.get("text") or ""
            if "partial_json" in delta:
                calls[at] = replace(calls[at], arguments=calls[at].arguments + delta["partial_json"])
            finish = delta.get("stop_reason") or message.get("stop_reason") or finish
            if counts := message.get("usage"):
                usage = Usage(counts.get("input_tokens") or 0, counts["output_tokens"])
        return Answer(text, [calls[at] for at in sorted(calls)], None, finish, usage)

    def error(self, status: int, message: str) -> Json:
        return {"type": "error", "error": {"type": _ERRORS.get(status, "api_error"), "message": message}}

    def takes_tools(self, asked: Asked) -> bool:
        return bool(asked.body.get("tools"))

    def frame(self, payload: Payload) -> bytes:
        if isinstance(payload, bytes):
            return payload
        if isinstance(payload, str):
            return f"event: content_block_delta\ndata: {payload}\n\n".encode()
        return f"event: {payload['type']}\ndata: {dump(payload)}\n\n".encode()

    def _common(self, asked: Asked) -> Json:
        model = asked.body.get("model", "scripted")
        kind = {"type": "message", "role": "assistant", "stop_sequence": None}
        return {"id": f"msg_{asked.number}", "model": model, **kind}

    def _uses(self, asked: Asked, answer: Answer) -> list[Json]:
        offered = (asked.body.get("tools") or [{}])[-1].get("name", "answer")
        wanted = (asked.body.get("tool_choice") or {}).get("name", offered)
        return [
            {
                "type": "tool_use",
                "id": call.id or f"toolu_{asked.number}_{n}",
                "name": call.name or wanted,
                "input": _object(call.arguments),
            }
            for n, call in enumerate(answer.calls)
        ]

    def _ended(self, answer: Answer) -> Json:
        if answer.refusal is not None:
            details = {"type": "refusal", "category": None, "explanation": answer.refusal}
            return {"stop_reason": "refusal", "stop_details": details}
        finish = answer.finish or ("tool_use" if answer.calls else "end_turn")
        return {"stop_reason": _FINISH.get(finish, finish)}

    def _usage(self, asked: Asked, answer: Answer) -> Json:
        usage = answer.usage or counted(asked.raw.decode("utf-8", "replace"), answer)
        return {
            "input_tokens": usage.input_tokens - usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_input_tokens": usage.cached_tokens,
            "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        }


def _object(arguments: str) -> Json:
    """Read arguments as far as they go: whole, the wire has them as an object, even if they were cut."""
    value = jiter.from_json(arguments.strip().encode() or b"{}", partial_mode="on")
    return value if isinstance(value, dict) else {"value": value}


class AnthropicFrames(Anthropic):
    """The same inside the frames of Bedrock's event streams."""

    content_type = "application/vnd.amazon.eventstream"

    def streams(self, asked: Asked) -> bool:
        return asked.path.endswith("-stream")

    def frame(self, payload: Payload) -> bytes:
        if isinstance(payload, bytes):
            return payload
        text = payload if isinstance(payload, str) else dump(payload)
        return frame(dump({"bytes": b64encode(text.encode()).decode()}).encode(), event_type="chunk")


WIRES[r"/v1/messages$|:(stream)?[rR]awPredict$"] = Anthropic()
WIRES[r"/model/[^/]+/invoke(-with-response-stream)?$"] = AnthropicFrames()
