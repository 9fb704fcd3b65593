"""Prepared bytes: chat completions, whole and streamed, as OpenAI sends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

_COMMON = {"id": "chatcmpl-bench0123456789", "created": 1_700_000_000, "model": "bench-2026-11-01"}
_CHUNK = {
    **_COMMON,
    "object": "chat.completion.chunk",
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}
_USAGE = {"prompt_tokens": 100, "completion_tokens": 1000, "total_tokens": 1100}


def whole(text: str, tool: str | None) -> bytes:
    """Write the body of a reply that is not streamed; with a tool's name, its answer is a call of that tool."""
    message: dict[str, object] = {"role": "assistant", "content": text, "refusal": None}
    if tool:
        call = {"id": "call_0", "type": "function", "function": {"name": tool, "arguments": text}}
        message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if tool else "stop"}
    return _dumped({**_COMMON, "object": "chat.completion", "choices": [choice], "usage": _USAGE})


def events(pieces: Iterable[str], tool: str | None) -> Iterator[bytes]:
    """Write the events of a streamed reply, each with its blank line."""
    if tool:
        call = {"index": 0, "id": "call_0", "type": "function", "function": {"name": tool, "arguments": ""}}
        yield _event({"role": "assistant", "content": None, "tool_calls": [call], "refusal": None})
        before, after = _event({"tool_calls": [{"index": 0, "function": {"arguments": "@"}}]}).split(b'"@"')
    else:
        yield _event({"role": "assistant", "content": "", "refusal": None})
        before, after = _event({"content": "@"}).split(b'"@"')
    for piece in pieces:
        yield before + json.dumps(piece, ensure_ascii=False).encode() + after
    yield _event({}, "tool_calls" if tool else "stop")
    yield b"data: " + _dumped({**_CHUNK, "choices": [], "usage": _USAGE}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def cut(text: str, size: int) -> list[str]:
    """Cut a text into pieces of so many characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def written(found: Iterable[bytes], together: int) -> Iterator[bytes]:
    """Put so many events into each HTTP chunk, which is one network write."""
    held: list[bytes] = []
    for event in found:
        held.append(event)
        if len(held) == together:
            yield _framed(b"".join(held))
            held = []
    yield (_framed(b"".join(held)) if held else b"") + b"0\r\n\r\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return b"data: " + _dumped({**_CHUNK, "choices": [choice], "usage": None}) + b"\n\n"


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
