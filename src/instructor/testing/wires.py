"""How an answer looks on a wire: pure functions from answers to events and back, found by the request's path.

To add a wire: a subclass of `Wire`, and a row in `WIRES`.
"""

from __future__ import annotations

import abc
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.usage import Usage

Cut = Callable[[str], list[str]]
"""Cuts a text into the pieces that one event each carries."""


class Streamed(NamedTuple):
    """The events of an answer: those of each channel (which may be interleaved), then the terminal ones."""

    channels: list[list[Payload]]
    closing: list[Payload]


class Wire(abc.ABC):
    """One wire format. What is written here is the event stream (SSE) that most of them share."""

    content_type = "text/event-stream"

    @abc.abstractmethod
    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed: ...

    @abc.abstractmethod
    def whole(self, asked: Asked, answer: Answer) -> Json: ...

    @abc.abstractmethod
    def read(self, payloads: Iterable[Json]) -> Answer:
        """Give the answer that these events, or this one whole reply, carry."""

    @abc.abstractmethod
    def error(self, status: int, message: str) -> Json: ...

    @abc.abstractmethod
    def takes_tools(self, asked: Asked) -> bool: ...

    def streams(self, asked: Asked) -> bool:
        return bool(asked.body.get("stream"))

    def frame(self, payload: Payload) -> bytes:
        """Write one event."""
        if isinstance(payload, bytes):
            return payload
        return f"data: {payload if isinstance(payload, str) else dump(payload)}\n\n".encode()

    def payloads(self, frames: Iterable[bytes]) -> list[Json]:
        """Read events; those that are no JSON objects are left out."""
        found = []
        for frame in frames:
            lines = [
                line[5:].strip() for line in frame.decode("utf-8", "replace").split("\n") if line.startswith("data:")
            ]
            try:
                found.append(json.loads("\n".join(lines)))
            except ValueError:
                continue
        return [each for each in found if isinstance(each, dict)]


class OpenAIChat(Wire):
    """OpenAI's chat completions, and everything that speaks like them."""

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def event(delta: Json, finish: str | None = None) -> Json:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return {**common, "choices": [choice], **({"usage": None} if with_usage else {})}

        with_usage = self.counts(asked) and answer.usage is not False
        common = self._common(asked, "chat.completion.chunk")
        channels: list[list[Json]] = []
        if answer.text or not (answer.calls or answer.refusal):
            channels.append([{"content": ""}, *({"content": piece} for piece in cut(answer.text))])
        if answer.refusal is not None:
            channels.append([{"refusal": ""}, *({"refusal": piece} for piece in cut(answer.refusal))])
        for index, call in enumerate(self._calls(asked, answer)):
            parts = [{"function": {"arguments": piece}} for piece in cut(call["function"]["arguments"])]
            head = {**call, "function": {**call["function"], "arguments": ""}}
            channels.append([{"tool_calls": [{"index": index, **part}]} for part in (head, *parts)])
        channels[0][0] = {"role": "assistant", "content": None, **channels[0][0]}
        closing: list[Payload] = [event({}, self._finish(answer))]
        if with_usage:
            closing.append({**common, "choices": [], "usage": self._usage(asked, answer)})
        return Streamed([[event(delta) for delta in channel] for channel in channels], [*closing, "[DONE]"])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        message: Json = {"role": "assistant", "content": answer.text or None, "refusal": answer.refusal}
        if answer.calls:
            message["tool_calls"] = self._calls(asked, answer)
        elif answer.refusal is None:
            message["content"] = answer.text
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish(answer)}
        usage = {} if answer.usage is False else {"usage": self._usage(asked, answer)}
        return {**self._common(asked, "chat.completion"), "choices": [choice], **usage}

    def read(self, payloads: Iterable[Json]) -> Answer:
        text, refused, finish, usage = "", "", None, None
        calls: dict[int, ToolCall] = {}
        for payload in payloads:
            if counts := payload.get("usage"):
                usage = Usage(counts["prompt_tokens"], counts["completion_tokens"])
            for choice in payload.get("choices", ()):
                part = choice.get("delta") or choice.get("message") or {}
                text += part.get("content") or ""
                refused += part.get("refusal") or ""
                finish = choice.get("finish_reason") or finish
                for place, piece in enumerate(part.get("tool_calls") or ()):
                    index, function = piece.get("index", place), piece.get("function", {})
                    call = calls.get(index, ToolCall("", function.get("name"), piece.get("id")))
                    calls[index] = replace(call, arguments=call.arguments + (function.get("arguments") or ""))
        return Answer(text, [calls[index] for index in sorted(calls)], refused or None, finish, usage)

    def error(self, status: int, message: str) -> Json:
        kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
        kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def takes_tools(self, asked: Asked) -> bool:
        return bool(asked.body.get("tools"))

    def counts(self, asked: Asked) -> bool:
        """Say whether a stream ends with its tokens."""
        return bool((asked.body.get("stream_options") or {}).get("include_usage"))

    def _common(self, asked: Asked, kind: str) -> Json:
        model = asked.body.get("model", "scripted")
        return {
            "id": f"chatcmpl-{asked.number}",
            "object": kind,
            "created": 1_700_000_000,
            "model": model,
            "system_fingerprint": "fp_scripted",
        }

    def _calls(self, asked: Asked, answer: Answer) -> list[Json]:
        choice, offered = asked.body.get("tool_choice"), asked.body.get("tools") or [{}]
        if isinstance(choice, dict):
            choice = choice.get("value", choice)  # as one provider writes it
        wanted = (choice if isinstance(choice, dict) else offered[0]).get("function", {}).get("name", "answer")
        return [
            {
                "id": call.id or f"call_{asked.number}_{index}",
                "type": "function",
                "function": {"name": call.name or wanted, "arguments": call.arguments},
            }
            for index, call in enumerate(answer.calls)
        ]

    def _finish(self, answer: Answer) -> str:
        return answer.finish or ("tool_calls" if answer.calls else "stop")

    def _usage(self, asked: Asked, answer: Answer) -> Json:
        usage = answer.usage or counted(asked.raw.decode("utf-8", "replace"), answer)
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }


class Counting(OpenAIChat):
    """The same of those that tell of tokens unasked."""

    def counts(self, asked: Asked) -> bool:
        del asked  # whatever it says
        return True


class Groq(Counting):
    """The same of one that does so under a key of its own."""

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        channels, closing = super().stream(asked, answer, cut)
        told: list[Payload] = [
            {**event, "usage": None, "x_groq": {"usage": event["usage"]}}
            if isinstance(event, dict) and event.get("usage")
            else event
            for event in closing
        ]
        return Streamed(channels, told)


WIRES: dict[str, Wire] = {
    r"/chat/completions$|/v1/chat$": OpenAIChat(),
    r"/inference/v1/chat/completions$": Counting(),
    r"/openai/v1/chat/completions$": Groq(),
}
"""Which wire a request speaks, by a pattern that its path must hold; a later row stands before an earlier one."""


def wire_of(path: str, otherwise: Wire | None = None) -> Wire:
    for pattern, wire in reversed(WIRES.items()):
        if re.search(pattern, path):
            return wire
    if otherwise is not None:
        return otherwise
    raise LookupError(f"no wire is known for {path!r}; known are {', '.join(WIRES)}")


def counted(prompt: str, answer: Answer) -> Usage:
    """Count four characters as a token: no provider does, but the numbers are the same in every run."""
    said = answer.text + (answer.refusal or "") + "".join(call.arguments for call in answer.calls)
    return Usage(1 + len(prompt) // 4, 1 + len(said) // 4)


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def split_events(data: bytes) -> Sequence[bytes]:
    """Cut an event stream into its events, each with the blank line that ends it."""
    return [frame for frame in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", data) if frame]
