"""How an answer looks on xAI's wire, as protobuf's JSON: a gRPC server turns each line into a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from instructor.testing import rules
from instructor.testing.replies import Answer, Asked, Json, ToolCall
from instructor.testing.wires import WIRES, AnswerBuilder, Cut, Finishes, OpenAIChat, Streamed, data, function_call
from instructor.usage import Usage


class XAI(OpenAIChat):
    """xAI's chat service: `GetCompletion` and `GetCompletionChunk`. Many of its words are OpenAI's."""

    content_type = "application/grpc"
    streaming = "Chunk"
    finishes = Finishes("REASON_STOP", "REASON_TOOL_CALLS", "REASON_MAX_LEN", "REASON_STOP")

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the messages, whose roles have other names and whose contents are lists."""
        problems = [
            {**message, "role": str(message.get("role")).removeprefix("ROLE_").lower()}
            for message in asked.body.get("messages") or ()
        ]
        return rules.refused(problems, rules.roles(*rules.ROLES), rules.calls, _has_content)

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def chunk(delta: Json, **more: Any) -> Json:
            return self._reply(asked, {"delta": {"role": "ROLE_ASSISTANT", **delta}, **more})

        said = answer.text or answer.refusal or ""
        channels: list[list[Json]] = []
        if said or not answer.calls:
            channels.append([chunk({"content": piece}) for piece in ("", *cut(said))])
        channels.extend([chunk({"tool_calls": [_call(call)]})] for call in answer.calls)
        return Streamed(channels, [{**chunk({}, finish_reason=answer.finish), **self.usage(answer)}])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        message: Json = {"role": "ROLE_ASSISTANT", "content": answer.text or answer.refusal or ""}
        if answer.calls:
            message["tool_calls"] = [_call(call) for call in answer.calls]
        return {**self._reply(asked, {"message": message, "finish_reason": answer.finish}), **self.usage(answer)}

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        super().read_event(builder, {**payload, "choices": payload.get("outputs", ())})

    def counts(self, usage: Usage) -> Json:
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens - usage.reasoning_tokens,
            "total_tokens": usage.total_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "cached_prompt_text_tokens": usage.cached_tokens,
        }

    def error(self, status: int, message: str) -> Json:
        return {"status": status, "message": message}

    def tools(self, asked: Asked) -> list[str]:
        forced = (asked.body.get("tool_choice") or {}).get("function_name")
        return [*([forced] if forced else ()), *super().tools(asked)]

    def event(self, payload: Json | str) -> bytes:
        return data(payload).encode() + b"\n"

    def _reply(self, asked: Asked, output: Json) -> Json:
        return {"id": f"chat_{asked.number}", "model": asked.body.get("model", "scripted"), "outputs": [output]}


def _has_content(message: Json, before: Sequence[Json]) -> str:
    del before
    return "" if message.get("content") else "each message must have at least one content element"


def _call(call: ToolCall) -> Json:
    return {**function_call(call), "type": "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL"}


WIRES[r"/xai_api\.Chat/GetCompletion(Chunk)?$"] = XAI()
