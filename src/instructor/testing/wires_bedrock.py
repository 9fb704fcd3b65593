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
from dataclasses import replace

from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.testing.wires import WIRES, Cut, Streamed, Wire, counted, dump
from instructor.usage import Usage

_ERRORS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


class Bedrock(Wire):
    """Amazon Bedrock's Converse and ConverseStream."""

    content_type = "application/vnd.amazon.eventstream"

    def streams(self, asked: Asked) -> bool:
        return asked.path.endswith("/converse-stream")

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def delta(at: int, piece: Json) -> Json:
            return {"contentBlockDelta": {"contentBlockIndex": at, "delta": piece}}

        channels: list[list[Payload]] = []
        said = answer.text or answer.refusal
        if said or not answer.calls:
            channels.append([*(delta(0, {"text": piece}) for piece in cut(said or "")), _stop(0)])
        for at, use in enumerate(self._uses(asked, answer), len(channels)):
            pieces = cut(use.pop("input"))
            start: Json = {"contentBlockStart": {"contentBlockIndex": at, "start": {"toolUse": use}}}
            channels.append([start, *(delta(at, {"toolUse": {"input": piece}}) for piece in pieces), _stop(at)])
        channels[0].insert(0, {"messageStart": {"role": "assistant"}})
        closing: list[Payload] = [{"messageStop": {"stopReason": self._reason(answer)}}]
        if answer.usage is not False:
            closing.append({"metadata": {"usage": self._usage(asked, answer), "metrics": {"latencyMs": 1}}})
        return Streamed(channels, closing)

    def whole(self, asked: Asked, answer: Answer) -> Json:
        said = answer.text or answer.refusal
        content: list[Json] = [{"text": said}] if said else []
        for use in self._uses(asked, answer):
            try:
                content.append({"toolUse": {**use, "input": json.loads(use["input"])}})
            except ValueError:  # the provider itself never sends an object that is none
                content.append({"toolUse": {**use, "input": use["input"]}})
        reply = {"output": {"message": {"role": "assistant", "content": content}}, "metrics": {"latencyMs": 1}}
        usage = {} if answer.usage is False else {"usage": self._usage(asked, answer)}
        return {**reply, "stopReason": self._reason(answer), **usage}

    def read(self, payloads: Iterable[Json]) -> Answer:
        text, finish, usage = "", None, None
        calls: dict[int, ToolCall] = {}
        for payload in payloads:
            counts = (payload.get("metadata") or payload).get("usage")
            if counts:
                usage = Usage(counts["inputTokens"], counts["outputTokens"])
            finish = (payload.get("messageStop") or payload).get("stopReason") or finish
            for at, block in enumerate(payload.get("output", {}).get("message", {}).get("content", ())):
                text += block.get("text", "")
                if use := block.get("toolUse"):
                    calls[at] = ToolCall(dump(use["input"]), use["name"], use["toolUseId"])
            piece = payload.get("contentBlockStart") or payload.get("contentBlockDelta") or {}
            at, delta = piece.get("contentBlockIndex", 0), piece.get("delta", {})
            if use := piece.get("start", {}).get("toolUse"):
                calls[at] = ToolCall("", use["name"], use["toolUseId"])
            text += delta.get("text", "")
            if use := delta.get("toolUse"):
                calls[at] = replace(calls[at], arguments=calls[at].arguments + use["input"])
        return Answer(text, [calls[at] for at in sorted(calls)], None, finish, usage)

    def error(self, status: int, message: str) -> Json:
        kind = _ERRORS.get(status, "InternalServerException" if status >= 500 else "ValidationException")
        return {"__type": kind, "message": message}

    def takes_tools(self, asked: Asked) -> bool:
        return bool((asked.body.get("toolConfig") or {}).get("tools"))

    def frame(self, payload: Payload) -> bytes:
        if isinstance(payload, bytes):
            return payload
        if isinstance(payload, str):
            return frame(payload.encode(), event_type="contentBlockDelta")
        if "__type" in payload:
            kind = payload["__type"][:1].lower() + payload["__type"][1:]
            return frame(dump({"message": payload["message"]}).encode(), message_type="exception", exception_type=kind)
        ((kind, value),) = payload.items()
        return frame(dump(value).encode(), event_type=kind)

    def payloads(self, frames: Iterable[bytes]) -> list[Json]:
        found: list[Json] = []
        for data in frames:
            if data.lstrip().startswith(b"{"):
                found.append(json.loads(data))
            else:
                found += _events(data)
        return found

    def _uses(self, asked: Asked, answer: Answer) -> list[Json]:
        config = asked.body.get("toolConfig") or {}
        offered = (config.get("tools") or [{"toolSpec": {"name": "answer"}}])[0]["toolSpec"]["name"]
        wanted = (config.get("toolChoice") or {}).get("tool", {}).get("name", offered)
        return [
            {"toolUseId": c.id or f"tooluse_{asked.number}_{n}", "name": c.name or wanted, "input": c.arguments}
            for n, c in enumerate(answer.calls)
        ]

    def _reason(self, answer: Answer) -> str:
        if answer.refusal is not None:
            return "guardrail_intervened"
        finish = answer.finish or ("tool_use" if answer.calls else "end_turn")
        return {"length": "max_tokens", "stop": "end_turn", "tool_calls": "tool_use"}.get(finish, finish)

    def _usage(self, asked: Asked, answer: Answer) -> Json:
        usage = answer.usage or counted(asked.raw.decode("utf-8", "replace"), answer)
        asked_for = usage.input_tokens - usage.cached_tokens
        counts = {"inputTokens": asked_for, "outputTokens": usage.output_tokens, "totalTokens": usage.total_tokens}
        return {**counts, "cacheReadInputTokens": usage.cached_tokens}


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


def _events(data: bytes) -> Iterator[Json]:
    while len(data) >= 16:
        length, head = struct.unpack_from(">II", data)
        kind = re.search(rb":event-type\x07..(\w+)", data[12 : 12 + head], re.DOTALL)
        try:
            value = json.loads(data[12 + head : length - 4])
        except ValueError:
            value = None
        if kind and isinstance(value, dict):
            yield {kind[1].decode(): value}
        data = data[length:]


def _stop(at: int) -> Json:
    return {"contentBlockStop": {"contentBlockIndex": at}}


WIRES[r"/converse(-stream)?$"] = Bedrock()
