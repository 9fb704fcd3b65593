"""Changing a conversation without touching the caller's: every function gives new messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from instructor.engine.call import Json, Message

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


def as_object(arguments: str) -> Json:
    """Read a tool call's arguments for a wire that wants an object; what is none is put under a key, to be seen."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return {"invalid_json": arguments}
    return value if isinstance(value, dict) else {"value": value}
