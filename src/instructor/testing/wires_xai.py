"""How an answer looks on xAI's wire, as protobuf's JSON: a gRPC server turns each line into a message."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.testing.wires import WIRES, Cut, Streamed, Wire, counted, dump
from instructor.usage import Usage

_REASONS = {"stop": "REASON_STOP", "tool_calls": "REASON_TOOL_CALLS", "length": "REASON_MAX_LEN"}


class XAI(Wire):
    """xAI's chat service: `GetCompletion` and `GetCompletionChunk`."""

    content_type = "application/grpc"

    def streams(self, asked: Asked) -> bool:
        return asked.path.endswith("Chunk")

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def chunk(delta: Json, **more: Any) -> Json:
            return {**self._common(asked), "outputs": [{"delta": {"role": "ROLE_ASSISTANT", **delta}, **more}]}

        said = answer.text or answer.refusal or ""
        channels: list[list[Payload]] = []
        if said or not answer.calls:
            channels.append([chunk({"content": piece}) for piece in ["", *cut(said)]])
        channels.extend([chunk({"tool_calls": [call]})] for call in self._calls(asked, answer))
        last = chunk({}, finish_reason=self._reason(answer))
        return Streamed(channels, [{**last, **self._usage(asked, answer)}])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        message: Json = {"role": "ROLE_ASSISTANT", "content": answer.text or answer.refusal or ""}
        if answer.calls:
            message["tool_calls"] = self._calls(asked, answer)
        output = {"message": message, "finish_reason": self._reason(answer)}
        return {**self._common(asked), "outputs": [output], **self._usage(asked, answer)}

    def read(self, payloads: Iterable[Json]) -> Answer:
        text, finish, usage = "", None, None
        calls: list[ToolCall] = []
        for payload in payloads:
            if counts := payload.get("usage"):
                usage = Usage(counts["prompt_tokens"], counts["completion_tokens"])
            for output in payload.get("outputs", ()):
                message = output.get("delta") or output.get("message") or {}
                text += message.get("content", "")
                finish = output.get("finish_reason") or finish
                made = ((call["function"], call.get("id")) for call in message.get("tool_calls", ()))
                calls += [ToolCall(function["arguments"], function["name"], name) for function, name in made]
        return Answer(text, calls, None, finish, usage)

    def error(self, status: int, message: str) -> Json:
        return {"status": status, "message": message}

    def takes_tools(self, asked: Asked) -> bool:
        return bool(asked.body.get("tools"))

    def frame(self, payload: Payload) -> bytes:
        if isinstance(payload, bytes):
            return payload
        return (payload if isinstance(payload, str) else dump(payload)).encode() + b"\n"

    def payloads(self, frames: Iterable[bytes]) -> list[Json]:
        return [json.loads(line) for frame in frames for line in frame.splitlines() if line]

    def _common(self, asked: Asked) -> Json:
        return {"id": f"chat_{asked.number}", "model": asked.body.get("model", "scripted")}

    def _calls(self, asked: Asked, answer: Answer) -> list[Json]:
        told = (tool["function"]["name"] for tool in asked.body.get("tools") or () if "function" in tool)
        offered = next(told, "answer")
        wanted = (asked.body.get("tool_choice") or {}).get("function_name", offered)
        return [
            {
                "id": call.id or f"call_{asked.number}_{index}",
                "type": "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL",
                "function": {"name": call.name or wanted, "arguments": call.arguments},
            }
            for index, call in enumerate(answer.calls)
        ]

    def _reason(self, answer: Answer) -> str:
        finish = answer.finish or ("tool_calls" if answer.calls else "stop")
        return _REASONS.get(finish, finish)

    def _usage(self, asked: Asked, answer: Answer) -> Json:
        if answer.usage is False:
            return {}
        usage = answer.usage or counted(asked.raw.decode("utf-8", "replace"), answer)
        counts = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens - usage.reasoning_tokens,
            "total_tokens": usage.total_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "cached_prompt_text_tokens": usage.cached_tokens,
        }
        return {"usage": counts}


WIRES[r"/xai_api\.Chat/GetCompletion(Chunk)?$"] = XAI()
