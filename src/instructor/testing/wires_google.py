"""How an answer looks on Gemini's wire, where function calls come whole and each event is a reply of its own."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import ClassVar

from instructor.testing.replies import Answer, Asked, Json
from instructor.testing.wires import WIRES, AnswerBuilder, Cut, Finishes, Streamed, Wire, dump
from instructor.usage import Usage


class Google(Wire):
    """`generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI."""

    streaming = ":streamGenerateContent"
    call_id = ""
    finishes = Finishes(stop="STOP", tool_calls="STOP", refusal="STOP")
    errors: ClassVar[dict[int, str]] = {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
    }

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the turns: who speaks last, empty parts, calls without results."""
        calls: list[str] = []
        contents: list[Json] = asked.body.get("contents") or []
        for at, turn in enumerate(contents):
            parts = turn.get("parts") or ()
            if turn.get("role") not in ("user", "model", None) or not parts:
                return f"contents[{at}]: a turn must have parts, and the role user or model, got {turn!r}"
            if not all(any(value not in (None, "") for value in part.values()) for part in parts):
                return f"contents[{at}].parts: a part must have data, got {parts!r}"
            results = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
            if results != calls:
                return f"contents[{at}]: function responses must be those of the calls before, {calls}, got {results}"
            calls = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
            if calls and (not at or turn.get("role") != "model"):
                return f"contents[{at}]: a function call must come right after a user's turn or a function response"
        if len(contents) > 1 and contents[-1].get("role") == "model":
            return "the last turn must not be the model's"
        return ""

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        parts = [[{"text": piece} for piece in cut(answer.text)], *([part] for part in _calls(answer))]
        channels = [[self._event(asked, [part]) for part in channel] for channel in parts]
        return Streamed(channels, [self._event(asked, [{"text": ""}], answer)])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        text = [{"text": answer.text}] if answer.text else []
        return self._event(asked, [*text, *_calls(answer)], answer)

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        if counts := payload.get("usageMetadata"):
            thoughts = counts.get("thoughtsTokenCount", 0)
            builder.usage = Usage(counts["promptTokenCount"], counts["candidatesTokenCount"] + thoughts)
        builder.refusal += payload.get("promptFeedback", {}).get("blockReasonMessage", "")
        for candidate in payload.get("candidates", ()):
            builder.finish = candidate.get("finishReason", builder.finish)
            for part in candidate.get("content", {}).get("parts", ()):
                builder.text += part.get("text", "")
                if call := part.get("functionCall"):
                    builder.call(None, dump(call["args"]), call["name"], part.get("thoughtSignature"))

    def counts(self, usage: Usage) -> Json:
        return {
            "promptTokenCount": usage.input_tokens,
            "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
            "thoughtsTokenCount": usage.reasoning_tokens,
            "cachedContentTokenCount": usage.cached_tokens,
            "totalTokenCount": usage.total_tokens,
        }

    def error(self, status: int, message: str) -> Json:
        return {"error": {"code": status, "message": message, "status": self.kind(status)}}

    def tools(self, asked: Asked) -> list[str]:
        forced = (asked.body.get("toolConfig") or {}).get("functionCallingConfig", {}).get("allowedFunctionNames", ())
        offered = [each for tool in asked.body.get("tools") or () for each in tool.get("functionDeclarations", ())]
        return [*forced, *(each["name"] for each in offered)]

    def _event(self, asked: Asked, parts: list[Json], last: Answer | None = None) -> Json:
        """Write one event; `last` is the answer that it ends."""
        event: Json = {"responseId": f"response-{asked.number}", "modelVersion": "scripted"}
        candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
        if last is not None:
            candidate["finishReason"] = last.finish
            if last.usage:
                event["usageMetadata"] = self.counts(last.usage)
            if last.refusal is not None:
                return {**event, "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": last.refusal}}
        return {**event, "candidates": [candidate]}


def _calls(answer: Answer) -> list[Json]:
    """Write calls, without one that was cut."""
    parts: list[Json] = []
    for call in answer.calls:
        with suppress(ValueError):
            part = {"functionCall": {"name": call.name, "args": json.loads(call.arguments)}}
            parts.append({**part, "thoughtSignature": call.id} if call.id else part)
    return parts


WIRES[r":(streamG|g)enerateContent$"] = Google()
