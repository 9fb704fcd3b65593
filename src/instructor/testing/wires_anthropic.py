"""How an answer looks on Anthropic's messages wire."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import jiter

from instructor.testing import rules_of_blocks
from instructor.testing.replies import Answer, Asked, Json, ToolCall
from instructor.testing.rules_of_blocks import Part, Turn, as_call, nulls
from instructor.testing.wires import WIRES, AnswerBuilder, Cut, Finishes, Streamed, Wire, data, dump
from instructor.testing.wires_bedrock import frame, read_frames
from instructor.usage import Usage


class Anthropic(Wire):
    """Anthropic's messages."""

    call_id = "toolu_{}_{}"
    finishes = Finishes("end_turn", "tool_use", "max_tokens", "refusal")
    errors = Wire.errors | {403: "permission_error", 404: "not_found_error", 500: "api_error", 529: "overloaded_error"}

    def complete(self, asked: Asked, answer: Answer) -> Answer:
        return super().complete(asked, replace(answer, usage=answer.usage or None))  # tokens are always reported

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the turns, the system's text, or a forced tool."""
        system, messages = asked.body.get("system"), asked.body.get("messages")
        if isinstance(system, list) and rules_of_blocks.blank(block.get("text") for block in system):
            return "system: text blocks must not be blank"
        thinking, choice = asked.body.get("thinking") or {}, asked.body.get("tool_choice") or {}
        if thinking.get("type", "disabled") != "disabled" and choice.get("type") in ("any", "tool"):
            return "Thinking may not be enabled when tool_choice forces tool use."
        turns = [Turn(each.get("role") == "user", _parts(each.get("content"))) for each in messages or ()]
        return rules_of_blocks.refused(turns, ids="[a-zA-Z0-9_-]+")

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def event(kind: str, at: int, **fields: Any) -> Json:
            return {"type": f"content_block_{kind}", "index": at, **fields}

        channels: list[list[Json]] = []
        if answer.text or not answer.calls:
            pieces = (event("delta", 0, delta={"type": "text_delta", "text": piece}) for piece in cut(answer.text))
            channels.append([event("start", 0, content_block={"type": "text", "text": ""}), *pieces, event("stop", 0)])
        for at, call in enumerate(answer.calls, len(channels)):
            start = event("start", at, content_block=_use(replace(call, arguments="")))
            deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in cut(call.arguments))
            channels.append([start, *(event("delta", at, delta=delta) for delta in deltas), event("stop", at)])
        usage = self.usage(answer)["usage"]
        begun = {**_message(asked), "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
        channels[0].insert(0, {"type": "message_start", "message": begun})
        ended = {"type": "message_delta", "delta": _ended(answer), "usage": usage}
        return Streamed(channels, [ended, {"type": "message_stop"}])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        text = [{"type": "text", "text": answer.text}] if answer.text else []
        content = [*text, *(_use(call) for call in answer.calls)]
        return {**_message(asked), "content": content, **_ended(answer), **self.usage(answer)}

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        message: Json = payload.get("message", payload)
        delta: Json = payload.get("delta", message)
        begun = payload.get("content_block")
        for at, block in [(payload["index"], begun)] if begun else enumerate(message.get("content", ())):
            builder.text += block.get("text", "")
            if block["type"] == "tool_use":
                builder.call(at, "" if begun else dump(block["input"]), block["name"], block["id"])
        builder.text += delta.get("text", "")
        if "partial_json" in delta:
            builder.call(payload["index"], delta["partial_json"])
        builder.finish = delta.get("stop_reason") or builder.finish
        builder.refusal += (delta.get("stop_details") or {}).get("explanation") or ""
        if counts := message.get("usage"):
            builder.usage = Usage(counts.get("input_tokens") or 0, counts["output_tokens"])

    def counts(self, usage: Usage) -> Json:
        return {
            "input_tokens": usage.input_tokens - usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_input_tokens": usage.cached_tokens,
            "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        }

    def error(self, status: int, message: str) -> Json:
        return {"type": "error", "error": {"type": self.kind(status), "message": message}}

    def event(self, payload: Json | str) -> bytes:
        kind = "content_block_delta" if isinstance(payload, str) else payload["type"]
        return f"event: {kind}\n".encode() + super().event(payload)


class AnthropicFrames(Anthropic):
    """The same inside the frames of Bedrock's event streams."""

    content_type = "application/vnd.amazon.eventstream"
    streaming = "-stream"

    def event(self, payload: Json | str) -> bytes:
        inside = {"bytes": b64encode(data(payload).encode()).decode()}
        return frame(dump(inside).encode(), event_type="chunk")

    def payloads(self, frames: Iterable[bytes]) -> list[Json]:
        found = [each.get("chunk", each) for each in read_frames(frames)]
        return [json.loads(b64decode(each["bytes"])) if "bytes" in each else each for each in found]


def _parts(content: Any) -> list[Part]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    return [_part(block) for block in blocks]


def _part(block: Json) -> Part:
    match block.get("type"):
        case "text":
            return Part("text", text=block.get("text") or "")
        case "tool_use":
            call = as_call(block, "id")
            return call._replace(wrong=call.wrong or nulls(block))
        case "tool_result":
            inner = block.get("content")
            texts = [each for each in inner if each.get("type") == "text"] if isinstance(inner, list) else []
            return Part(
                "result", str(block.get("tool_use_id")), wrong=rules_of_blocks.blank(t.get("text") for t in texts)
            )
    return Part("other", wrong="" if block.get("type") else f"a block must have a type, got {block!r}")


def _message(asked: Asked) -> Json:
    kind = {"type": "message", "role": "assistant", "stop_sequence": None}
    return {"id": f"msg_{asked.number}", "model": asked.body.get("model", "scripted"), **kind}


def _ended(answer: Answer) -> Json:
    details = {"type": "refusal", "category": None, "explanation": answer.refusal}
    return {"stop_reason": answer.finish, **({} if answer.refusal is None else {"stop_details": details})}


def _use(call: ToolCall) -> Json:
    """Write a call in a message: its arguments are an object, incomplete if they were cut."""
    value = jiter.from_json(call.arguments.strip().encode() or b"{}", partial_mode="on")
    arguments = value if isinstance(value, dict) else {"value": value}
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


WIRES[r"/v1/messages$|:(stream)?[rR]awPredict$"] = Anthropic()
WIRES[r"/model/[^/]+/invoke(-with-response-stream)?$"] = AnthropicFrames()
