"""Messages, whose form all dialects read, and changes to a conversation: every function gives new ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from instructor.core.types import Json, Message, Reply, ToolCall

SYSTEM_ROLES = ("system", "developer")


def extended(message: Message, text: str) -> Json:
    """Add a paragraph to a message, whether its content is a text or a list of parts."""
    content: Any = message.get("content")
    if isinstance(content, (list, tuple)):
        return {**message, "content": [*content, {"type": "text", "text": text}]}
    return {**message, "content": f"{content}\n\n{text}" if content else text}


def with_system(messages: Sequence[Message], text: str) -> list[Message]:
    """Add a text to the system's message, which is made where there is none."""
    if messages and messages[0].get("role") in SYSTEM_ROLES:
        return [extended(messages[0], text), *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def with_last_user(messages: Sequence[Message], text: str) -> list[Message]:
    """Add a text to the user's last word; a new one where somebody else spoke last."""
    if messages and messages[-1].get("role") == "user":
        return [*messages[:-1], extended(messages[-1], text)]
    return [*messages, {"role": "user", "content": text}]


def spoken(reply: Reply, notes: str, wrong: Json) -> list[Message]:
    """Write a reply, and the notes that answer it: as the result of each call, marked as `wrong`, or as a message."""
    messages: list[Message] = []
    if reply.calls:
        messages.append({"role": "assistant", "content": reply.text, "tool_calls": [called(c) for c in reply.calls]})
    elif reply.text.strip():
        messages.append({"role": "assistant", "content": reply.text})
    answers = [{"role": "tool", "tool_call_id": c.id, "name": c.name, "content": notes, **wrong} for c in reply.calls]
    return [*messages, *(answers or [{"role": "user", "content": notes}])]


def called(call: ToolCall) -> Json:
    """Write a tool call."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def call_of(call: Mapping[str, Any]) -> ToolCall:
    """Read a tool call."""
    function = call.get("function") or {}
    return ToolCall(call.get("id") or "", function.get("name") or "", as_text(function.get("arguments") or ""))


def as_object(arguments: str) -> Json:
    """Read a tool call's arguments for a wire that wants an object; what is none is put under a key, to be seen."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return {"invalid_json": arguments}
    return value if isinstance(value, dict) else {"value": value}


def as_text(arguments: Any) -> str:
    """Write a tool call's arguments, which some wires have as an object, as the text that most have."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False, default=str)
