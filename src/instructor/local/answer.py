"""What llama.cpp writes, as the chunks of OpenAI's chat completions. Pure: events in, chunks out.

The text is handed on as it comes: as the content, as the arguments of the one tool that was forced, or, where several
tools may be called, cut into calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from instructor.core.types import Json
from instructor.exceptions import ProviderError
from instructor.local.loop_detector import Brackets, LoopDetector
from instructor.local.request import LocalRequest

_AROUND = 2
"""How many brackets are open around a call."""
_ARGUMENTS = ', "arguments": '


class Answer:
    """Reads the events of one generation. `done` tells when no more of them are wanted."""

    def __init__(self, request: LocalRequest) -> None:
        self._request = request
        self._loops = LoopDetector(json=request.schema is not None)
        self._calls = _Calls()
        self._head: Json = {}
        self._begun = False
        self._usage: Json = {}
        self.done = False
        self.cut: str | None = None
        """Why the loop detector ended the generation, if it did."""

    def feed(self, event: Json) -> list[Json]:
        """Take an event of llama.cpp's, give the chunks that it makes."""
        self._count(event)
        choices = event.get("choices") or ()
        if self.done or not choices:
            return []
        chunks = [] if self._head else self._start(event)
        text = (choices[0].get("delta") or {}).get("content")
        if text:
            if not self._begun and self._request.schema is not None and text[0] != "{":
                raise ProviderError("local", "llama.cpp could not make a grammar of the schema", self._request.schema)
            self._begun = True
            chunks += [self._chunk(delta) for delta in self._deltas(text)]
            self.cut = self._loops.feed(text)
            self.done = self.cut is not None
        finish = "length" if self.done else choices[0].get("finish_reason")
        if finish:
            self.done = True
            by_tool = self._request.tool is not None or self._request.several
            chunks.append(self._chunk({}, "tool_calls" if by_tool and finish == "stop" else finish))
        return chunks

    def close(self) -> list[Json]:
        """Return the last chunk, the one with the tokens' numbers, where it was asked for."""
        return [{**self._head, "choices": [], "usage": self._usage}] if self._request.usage and self._head else []

    def _start(self, event: Json) -> list[Json]:
        self._head = {
            "id": event.get("id") or "chatcmpl-local",
            "object": "chat.completion.chunk",
            "created": event.get("created") or 0,
            "model": self._request.model,
        }
        delta: Json = {"role": "assistant", "content": None}
        if self._request.tool is not None:
            delta["tool_calls"] = [_call(0, self._id(0), self._request.tool)]
        elif not self._request.several:
            delta["content"] = ""
        return [self._chunk(delta)]

    def _deltas(self, text: str) -> Iterator[Json]:
        if self._request.tool is not None:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
        elif not self._request.several:
            yield {"content": text}
        else:
            for index, name, part in self._calls.feed(text):
                if name is not None:
                    yield {"tool_calls": [_call(index, self._id(index), name)]}
                if part:
                    yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}

    def _id(self, index: int) -> str:
        return f"call_{self._head['id'].rpartition('-')[2]}_{index}"

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    def _count(self, event: Json) -> None:
        """Keep the count of tokens that each event carries: a run that is cut has no last word of its own."""
        timings = event.get("timings")
        if timings:
            cached, written = timings.get("cache_n", 0), timings.get("predicted_n", 0)
            asked = timings.get("prompt_n", 0) + cached
            self._usage = {
                "prompt_tokens": asked,
                "completion_tokens": written,
                "total_tokens": asked + written,
                "prompt_tokens_details": {"cached_tokens": cached},
            }


class _Calls:
    """Cuts `{"calls": [{"name": N, "arguments": A}, ...]}` into calls, as it comes. The grammar fixes the spaces."""

    def __init__(self) -> None:
        self._depth = 0
        self._brackets = Brackets()
        self._index = -1
        self._head = ""
        self._inside = False

    def feed(self, text: str) -> Iterator[tuple[int, str | None, str]]:
        """Give, as they become known, a call's index, its name (once) and more of its arguments."""
        part: list[str] = []
        for char in text:
            if self._brackets.follow(char):
                self._depth += 1 if char in "[{" else -1
            if self._depth <= _AROUND:  # between two calls, or the bracket that closes one
                if self._inside:
                    yield self._index, None, "".join(part)
                part, self._head, self._inside = [], "", False
            elif self._inside:
                part.append(char)
            else:
                self._head += char
                if self._head.endswith(_ARGUMENTS):
                    self._index, self._inside = self._index + 1, True
                    yield self._index, json.loads(self._head.removesuffix(_ARGUMENTS) + "}")["name"], ""
        if part:
            yield self._index, None, "".join(part)


def fold(chunks: Iterable[Json]) -> Json:
    """Put a stream's chunks together into the whole response."""
    content: list[str] = []
    calls: list[Json] = []
    whole: Json = {}
    finish, spoken = "length", False
    for chunk in chunks:
        whole = {**chunk, "object": "chat.completion"}
        for choice in chunk["choices"]:
            delta: Any = choice["delta"]
            finish = choice["finish_reason"] or finish
            spoken = spoken or delta.get("content") is not None
            content.append(delta.get("content") or "")
            for call in delta.get("tool_calls") or ():
                if "id" in call:
                    calls.append({**call, "function": dict(call["function"])})
                    del calls[-1]["index"]
                else:
                    calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    message: Json = {"role": "assistant", "content": "".join(content) if spoken else None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    whole["choices"] = [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]
    return whole


def _call(index: int, name_id: str, name: str) -> Json:
    return {"index": index, "id": name_id, "type": "function", "function": {"name": name, "arguments": ""}}
