"""How an answer looks on a wire: pure functions from answers to events and back, found by the request's path.

To add a wire: a subclass of `Wire`, and a row in `WIRES`.
"""

from __future__ import annotations

import abc
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

from instructor.testing import rules
from instructor.testing.replies import Answer, Asked, Json, Payload, ToolCall
from instructor.usage import Usage

Cut = Callable[[str], list[str]]
"""Cuts a text into the pieces that one event each carries."""


class Streamed(NamedTuple):
    """The events of an answer: those of each channel (which may be interleaved), then the terminal ones."""

    channels: Sequence[Sequence[Payload]]
    closing: Sequence[Payload]


class Finishes(NamedTuple):
    """A wire's words for how an answer ends."""

    stop: str = "stop"
    tool_calls: str = "tool_calls"
    length: str = "length"
    refusal: str = "stop"


@dataclass
class AnswerBuilder:
    """Builds an answer, event by event."""

    text: str = ""
    refusal: str = ""
    finish: str | None = None
    usage: Usage | None = None
    calls: dict[int, ToolCall] = field(default_factory=dict)

    def call(self, at: int | None, arguments: str, name: str | None = None, call_id: str | None = None) -> None:
        """Add a piece to the call at this index (None: to a new one). The first piece has the name."""
        at = len(self.calls) if at is None else at
        begun = self.calls.get(at, ToolCall("", name, call_id))
        self.calls[at] = replace(begun, arguments=begun.arguments + arguments)

    def function(self, at: int | None, piece: Json) -> None:
        """Add a piece in the format of `function_call`."""
        function = piece.get("function", {})
        self.call(at, function.get("arguments") or "", function.get("name"), piece.get("id"))


class Wire(abc.ABC):
    """One wire format: its words are attributes, its formats are methods. What most wires share is written here.

    `stream` and `whole` get an answer that `complete` has gone over; `read_event` is the way back from both.
    """

    content_type = "text/event-stream"
    streaming = ""
    """How the paths end whose replies are streamed; empty: a request's body says so."""
    call_id = "call_{}_{}"
    """The id of a call, from its request's number and its own."""
    finishes = Finishes()
    errors: ClassVar[dict[int, str]] = {
        400: "invalid_request_error",
        401: "authentication_error",
        429: "rate_limit_error",
        500: "server_error",
    }
    """The kinds of errors by status; those of 400 and 500 go for all that have none."""

    @abc.abstractmethod
    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed: ...

    @abc.abstractmethod
    def whole(self, asked: Asked, answer: Answer) -> Json: ...

    @abc.abstractmethod
    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        """Add the content of an event, or of a whole reply."""

    @abc.abstractmethod
    def counts(self, usage: Usage) -> Json: ...

    def refuses(self, asked: Asked) -> str:
        """Return why the provider refuses a request with status 400, or an empty text."""
        del asked
        return ""

    def tools(self, asked: Asked) -> list[str]:
        """Return the names of a request's tools, first the forced one."""
        choice = asked.body.get("tool_choice")
        choice = choice.get("value", choice) if isinstance(choice, dict) else choice  # as one provider writes it
        tools = [choice, *(asked.body.get("tools") or ())]
        names = (each.get("function", each).get("name") for each in tools if isinstance(each, dict))
        return [name for name in names if name]

    def complete(self, asked: Asked, answer: Answer) -> Answer:
        """Fill in what a script leaves open: names and ids of calls, the wire's finish reason, the tokens."""
        name = next(iter(self.tools(asked)), "answer")
        calls = [
            ToolCall(call.arguments, call.name or name, call.id or self.call_id.format(asked.number, n))
            for n, call in enumerate(answer.calls)
        ]
        finish = answer.finish or ("refusal" if answer.refusal is not None else "tool_calls" if calls else "stop")
        usage = counted(asked, answer) if answer.usage is None else answer.usage
        return replace(answer, calls=calls, finish=self.finishes._asdict().get(finish, finish), usage=usage)

    def read(self, payloads: Iterable[Json]) -> Answer:
        """Return the answer in these events, or in this one whole reply."""
        builder = AnswerBuilder()
        for payload in payloads:
            self.read_event(builder, payload)
        calls = [builder.calls[at] for at in sorted(builder.calls)]
        return Answer(builder.text, calls, builder.refusal or None, builder.finish, builder.usage)

    def usage(self, answer: Answer) -> Json:
        """Return the field with an answer's tokens, if they are reported."""
        return {"usage": self.counts(answer.usage)} if answer.usage else {}

    def error(self, status: int, message: str) -> Json:
        return {"error": {"message": message, "type": self.kind(status), "param": None, "code": None}}

    def kind(self, status: int) -> str:
        return self.errors.get(status) or self.errors[500 if status >= 500 else 400]

    def streams(self, asked: Asked) -> bool:
        return asked.path.endswith(self.streaming) if self.streaming else bool(asked.body.get("stream"))

    def frame(self, payload: Payload) -> bytes:
        return payload if isinstance(payload, bytes) else self.event(payload)

    def event(self, payload: Json | str) -> bytes:
        """Write one event."""
        return f"data: {data(payload)}\n\n".encode()

    def payloads(self, frames: Iterable[bytes]) -> list[Json]:
        """Read events, or one whole reply; anything but a JSON object is left out."""
        found = []
        for frame in frames:
            text = frame.decode("utf-8", "replace")
            lines = [line[5:].strip() for line in text.split("\n") if line.startswith("data:")]
            with suppress(ValueError):
                found.append(json.loads("\n".join(lines) or text))
        return [each for each in found if isinstance(each, dict)]


class OpenAIChat(Wire):
    """OpenAI's chat completions, and compatible servers."""

    counts_unasked = False

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the messages, or with a tool's name."""
        names = [name for name in self.tools(asked) if not rules.NAME.match(name)]
        if names:
            return f"a tool's name must match {rules.NAME.pattern!r}, got {names[0]!r}"
        return rules.refused(asked.body.get("messages"), rules.roles(*rules.ROLES), rules.calls, rules.contents)

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        def event(delta: Json, finish: str | None = None) -> Json:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return {**common, "choices": [choice], **({"usage": None} if usage else {})}

        common = self._common(asked, "chat.completion.chunk")
        counts = self.counts_unasked or (asked.body.get("stream_options") or {}).get("include_usage")
        usage = self.usage(answer) if counts else {}
        channels: list[list[Json]] = []
        if answer.text or not (answer.calls or answer.refusal):
            channels.append([{"content": piece} for piece in ("", *cut(answer.text))])
        if answer.refusal is not None:
            channels.append([{"refusal": piece} for piece in ("", *cut(answer.refusal))])
        for index, call in enumerate(answer.calls):
            parts = [function_call(replace(call, arguments="")), *(self.piece(each) for each in cut(call.arguments))]
            channels.append([{"tool_calls": [{"index": index, **part}]} for part in parts])
        channels[0][0] = {"role": "assistant", "content": None, **channels[0][0]}
        closing = self.closing(event({}, answer.finish), usage)
        return Streamed([[event(delta) for delta in channel] for channel in channels], [*closing, "[DONE]"])

    def whole(self, asked: Asked, answer: Answer) -> Json:
        message: Json = {"role": "assistant", "content": answer.text or None, "refusal": answer.refusal}
        if answer.calls:
            message["tool_calls"] = [function_call(call) for call in answer.calls]
        elif answer.refusal is None:
            message["content"] = answer.text
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
        return {**self._common(asked, "chat.completion"), "choices": [choice], **self.usage(answer)}

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        if counts := payload.get("usage"):
            builder.usage = Usage(counts["prompt_tokens"], counts["completion_tokens"])
        for choice in payload.get("choices", ()):
            part = choice.get("delta") or choice.get("message") or {}
            builder.text += part.get("content") or ""
            builder.refusal += part.get("refusal") or ""
            builder.finish = choice.get("finish_reason") or builder.finish
            for piece in part.get("tool_calls") or ():
                builder.function(piece.get("index"), piece)

    def counts(self, usage: Usage) -> Json:
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }

    def piece(self, arguments: str) -> Json:
        """Write a later piece of a call."""
        return {"function": {"arguments": arguments}}

    def closing(self, last: Json, usage: Json) -> list[Json]:
        """Return the last chunk, and the one with the usage if it was requested."""
        return [last, {**last, "choices": [], **usage}] if usage else [last]

    def _common(self, asked: Asked, kind: str) -> Json:
        made = {"id": f"chatcmpl-{asked.number}", "object": kind, "created": 1_700_000_000}
        return {**made, "model": asked.body.get("model", "scripted"), "system_fingerprint": "fp_scripted"}


class AlwaysCounts(OpenAIChat):
    """A server that reports usage at the end of every stream, even if it was not requested."""

    counts_unasked = True


class Groq(AlwaysCounts):
    """A server that does so under another key."""

    def closing(self, last: Json, usage: Json) -> list[Json]:
        return super().closing(last, {"x_groq": usage} if usage else {})

    def read_event(self, builder: AnswerBuilder, payload: Json) -> None:
        super().read_event(builder, {**payload, **payload.get("x_groq", {})})


WIRES: dict[str, Wire] = {
    r"/chat/completions$|/v1/chat$": OpenAIChat(),
    r"/inference/v1/chat/completions$": AlwaysCounts(),
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


def counted(asked: Asked, answer: Answer) -> Usage:
    """Count four characters as one token, so that the numbers are the same in every run."""
    prompt = asked.raw.decode("utf-8", "replace")
    said = answer.text + (answer.refusal or "") + "".join(call.arguments for call in answer.calls)
    return Usage(1 + len(prompt) // 4, 1 + len(said) // 4)


def function_call(call: ToolCall) -> Json:
    """Write a call in OpenAI's format, which others use, too."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def data(payload: Json | str) -> str:
    return payload if isinstance(payload, str) else dump(payload)


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def split_events(data: bytes) -> Sequence[bytes]:
    """Cut an event stream into its events, each with the blank line that ends it."""
    return [frame for frame in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", data) if frame]
