"""How an answer looks on the Converse wire, whose streams are `vnd.amazon.eventstream` frames.

A frame is: its length and that of its headers, their checksum, the headers, the payload, the checksum of it all. A
header is: the length of its name, the name, the type 7 (a string), the length of its value, the value.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

from instructor.testing import rules_of_blocks
from instructor.testing.replies import Answer, Asked, Json, ToolCall
from instructor.testing.rules_of_blocks import Part, Turn, as_call, nulls
from instructor.testing.wires import WIRES, AnswerBuilder, Cut, Finishes, Streamed, Wire, dump
from instructor.usage import Usage


class Bedrock(Wire):
    """Amazon Bedrock's Converse and ConverseStream."""

    content_type = "application/vnd.amazon.eventstream"
    streaming = "-stream"
    call_id = "tooluse_{}_{}"
    finishes = Finishes("end_turn", "tool_use", "max_tokens", "guardrail_intervened")
    errors: ClassVar[dict[int, str]] = {
        400: "ValidationException",
        401: "UnrecognizedClientException",
        403: "AccessDeniedException",
        429: "ThrottlingException",
        500: "InternalServerException",
        503: "ServiceUnavailableException",
    }

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the turns or the system's text, or that tools are used and none is declared."""
        system, messages = asked.body.get("system") or (), asked.body.get("messages") or ()
        if rules_of_blocks.blank(block["text"] for block in system if "text" in block):
            return "The text field in the SystemContentBlock object is blank."
        turns = [Turn(each["role"] == "user", [_part(block) for block in each["content"]]) for each in messages]
        used = any(part.kind in ("call", "result") for turn in turns for part in turn.parts)
        if used and not asked.body.get("toolConfig"):
            return "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        return rules_of_blocks.refused(turns, ids="[a-zA-Z0-9_.:-]{1,64}", alternate=True)

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def event(kind: str, at: int, **fields: Any) -> Json:
            return {f"contentBlock{kind}": {"contentBlockIndex": at, **fields}}

        del asked  # no event says what it answers
        channels: list[list[Json]] = []
        said = answer.text or answer.refusal or ""
        if said or not answer.calls:
            channels.append([*(event("Delta", 0, delta={"text": piece}) for piece in cut(said)), event("Stop", 0)])
        for at, call in enumerate(answer.calls, len(channels)):
            start = event("Start", at, start={"toolUse": {"toolUseId": call.id, "name": call.name}})
            pieces = (event("Delta", at, delta={"toolUse": {"input": piece}}) for piece in cut(call.arguments))
            channels.append([start, *pieces, event("Stop", at)])
        channels[0].insert(0, {"messageStart": {"role": "assistant"}})
        usage = self.usage(answer)
        metadata = [{"metadata": {**usage, "metrics": {"latencyMs": 1}}}] if usage else []
        return Streamed(channels, [{"messageStop": {"stopReason": answer.finish}}, *metadata])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        del asked  # nor does a reply
        said = answer.text or answer.refusal
        content = [*([{"text": said}] if said else ()), *(_use(call) for call in answer.calls)]
        reply = {"output": {"message": {"role": "assistant", "content": content}}, "metrics": {"latencyMs": 1}}
        return {**reply, "stopReason": answer.finish, **self.usage(answer)}

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        if counts := payload.get("metadata", payload).get("usage"):
            builder.usage = Usage(counts["inputTokens"], counts["outputTokens"])
        builder.finish = payload.get("messageStop", payload).get("stopReason", builder.finish)
        for at, block in enumerate(payload.get("output", {}).get("message", {}).get("content", ())):
            builder.text += block.get("text", "")
            if use := block.get("toolUse"):
                builder.call(at, dump(use["input"]), use["name"], use["toolUseId"])
        piece = payload.get("contentBlockStart") or payload.get("contentBlockDelta") or {}
        parts = {**piece.get("start", {}), **piece.get("delta", {})}
        builder.text += parts.get("text", "")
        if use := parts.get("toolUse"):
            builder.call(piece["contentBlockIndex"], use.get("input", ""), use.get("name"), use.get("toolUseId"))

    def counts(self, usage: Usage) -> Json:
        return {
            "inputTokens": usage.input_tokens - usage.cached_tokens,
            "outputTokens": usage.output_tokens,
            "totalTokens": usage.total_tokens,
            "cacheReadInputTokens": usage.cached_tokens,
        }

    def error(self, status: int, message: str) -> Json:
        return {"__type": self.kind(status), "message": message}

    def tools(self, asked: Asked) -> list[str]:
        config = asked.body.get("toolConfig") or {}
        forced = (config.get("toolChoice") or {}).get("tool")
        tools = [forced, *(each.get("toolSpec") for each in config.get("tools", ()))]
        return [each["name"] for each in tools if each]

    def event(self, payload: Json | str) -> bytes:
        if isinstance(payload, str):
            return frame(payload.encode(), event_type="contentBlockDelta")
        if "__type" in payload:
            kind = payload["__type"][:1].lower() + payload["__type"][1:]
            return frame(dump({"message": payload["message"]}).encode(), message_type="exception", exception_type=kind)
        ((kind, value),) = payload.items()
        return frame(dump(value).encode(), event_type=kind)

    def payloads(self, frames: Iterable[bytes]) -> list[Json]:
        return list(read_frames(frames))


def frame(payload: bytes, *, message_type: str = "event", **headers: str) -> bytes:
    """Write one frame of an event stream."""
    named = {"message-type": message_type, "content-type": "application/json", **headers}
    head = b""
    for name, value in named.items():
        key, text = f":{name.replace('_', '-')}".encode(), value.encode()
        head += struct.pack(">B", len(key)) + key + struct.pack(">BH", 7, len(text)) + text
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


def read_frames(parts: Iterable[bytes]) -> Iterator[Json]:
    """Read events, each under its type, or one whole reply."""
    for data in parts:
        if data.lstrip().startswith(b"{"):
            yield json.loads(data)
            continue
        while len(data) >= 16:
            length, head = struct.unpack_from(">II", data)
            kind = re.search(rb":event-type\x07..(\w+)", data[12 : 12 + head], re.DOTALL)
            with suppress(ValueError):
                if kind and isinstance(value := json.loads(data[12 + head : length - 4]), dict):
                    yield {kind[1].decode(): value}
            data = data[length:]


def _part(block: Json) -> Part:
    match block:
        case {"text": text}:
            return Part("text", text=text)
        case {"toolUse": use}:
            return as_call(use, "toolUseId")
        case {"toolResult": result}:
            texts = [each["text"] for each in result["content"] if "text" in each]
            return Part("result", result["toolUseId"], wrong=rules_of_blocks.blank(texts))
    return Part("other", wrong=nulls(block))


def _use(call: ToolCall) -> Json:
    arguments: Any = call.arguments
    with suppress(ValueError):  # the provider itself sends objects only
        arguments = json.loads(call.arguments)
    return {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments}}


WIRES[r"/converse(-stream)?$"] = Bedrock()
