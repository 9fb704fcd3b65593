"""A chat completion asked for with the bare SDK, and what is read from it."""

from __future__ import annotations

from typing import Any

from harness import Harness
from instructor.testing import Scripted

TEXT = '{"tasks": [{"name": "Jörg", "age": 10}, {"name": "Žofie €", "age": 30}]}'
ASK: dict[str, Any] = {
    "model": "scripted",
    "messages": [{"role": "user", "content": "Extract."}],
    "tools": [{"type": "function", "function": {"name": "People", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "People"}},
}


async def stream(harness: Harness, client: Any, into: list[Any], **options: Any) -> None:
    request = {**ASK, **options}
    await harness.collect(client.chat.completions.create(stream=True, **request), into)


async def chunks(harness: Harness, server: Scripted, **options: Any) -> list[Any]:
    found: list[Any] = []
    await stream(harness, harness.sdk(server), found, **options)
    return found


def arguments(chunks: list[Any]) -> dict[int, str]:
    """Join the arguments of each tool call."""
    found: dict[int, str] = {}
    for call in (call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()):
        found[call.index] = found.get(call.index, "") + call.function.arguments
    return found


def finish(chunks: list[Any]) -> str | None:
    return next((c.finish_reason for chunk in reversed(chunks) for c in chunk.choices if c.finish_reason), None)
