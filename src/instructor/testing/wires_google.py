"""How an answer looks on Gemini's wire, where function calls come whole and each event is a reply of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable

from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.testing.wires import WIRES, Cut, Streamed, Wire, counted, dump
from instructor.usage import Usage

_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}


class Google(Wire):
    """`generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI."""

    def streams(self, asked: Asked) -> bool:
        return asked.path.endswith(":streamGenerateContent")

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        channels: list[list[Payload]] = []
        if answer.text:
            channels.append([self._event(asked, [{"text": piece}]) for piece in cut(answer.text)])
        calls: list[list[Payload]] = [[self._event(asked, [part])] for part in self._calls(asked, answer)]
        channels += calls
        return Streamed(channels or [[]], [self._event(asked, [{"text": ""}], answer)])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        text = [{"text": answer.text}] if answer.text else []
        return self._event(asked, [*text, *self._calls(asked, answer)], answer)

    def read(self, payloads: Iterable[Json]) -> Answer:
        text, calls, refused, finish, usage = "", list[ToolCall](), None, None, None
        for payload in payloads:
            if counts := payload.get("usageMetadata"):
                thoughts = counts.get("thoughtsTokenCount", 0)
                usage = Usage(counts["promptTokenCount"], counts["candidatesTokenCount"] + thoughts)
            refused = payload.get("promptFeedback", {}).get("blockReasonMessage", refused)
            for candidate in payload.get("candidates", ()):
                finish = candidate.get("finishReason", finish)
                for part in candidate.get("content", {}).get("parts", ()):
                    text += part.get("text", "")
                    if call := part.get("functionCall"):
                        calls.append(ToolCall(dump(call["args"]), call["name"]))
        return Answer(text, calls, refused, finish, usage)

    def error(self, status: int, message: str) -> Json:
        named = _STATUS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
        return {"error": {"code": status, "message": message, "status": named}}

    def takes_tools(self, asked: Asked) -> bool:
        return bool(asked.body.get("tools"))

    def _event(self, asked: Asked, parts: list[Json], last: Answer | None = None) -> Json:
        """Write one event; `last` is the answer that it ends."""
        event: Json = {"responseId": f"response-{asked.number}", "modelVersion": "scripted"}
        if last is not None and last.usage is not False:
            event["usageMetadata"] = self._usage(asked, last)
        if last is not None and last.refusal is not None:
            return {**event, "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": last.refusal}}
        candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
        return {**event, "candidates": [{**candidate, **({"finishReason": last.finish or "STOP"} if last else {})}]}

    def _calls(self, asked: Asked, answer: Answer) -> list[Json]:
        tools = [each for tool in asked.body.get("tools") or () for each in tool.get("functionDeclarations", ())]
        config = (asked.body.get("toolConfig") or {}).get("functionCallingConfig", {})
        wanted = [*config.get("allowedFunctionNames", ()), *(tool["name"] for tool in tools), "answer"][0]
        parts: list[Json] = []
        for call in answer.calls:
            try:
                arguments = json.loads(call.arguments)
            except ValueError:  # a call that was cut never comes
                continue
            part: Json = {"functionCall": {"name": call.name or wanted, "args": arguments}}
            parts.append({**part, "thoughtSignature": call.id} if call.id else part)
        return parts

    def _usage(self, asked: Asked, answer: Answer) -> Json:
        usage = answer.usage or counted(asked.raw.decode("utf-8", "replace"), answer)
        return {
            "promptTokenCount": usage.input_tokens,
            "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
            "thoughtsTokenCount": usage.reasoning_tokens,
            "cachedContentTokenCount": usage.cached_tokens,
            "totalTokenCount": usage.total_tokens,
        }


WIRES[r":(streamG|g)enerateContent$"] = Google()
