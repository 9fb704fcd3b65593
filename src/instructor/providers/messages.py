"""Messages, whose form all dialects read, and changes to a conversation: every function gives new ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from instructor.core.tool_names import with_ids
from instructor.core.types import Json, Message, Reply, ToolCall

SYSTEM_ROLES = ("system", "developer")
_ID_KEYS = ("id", "call_id", "tool_call_id", "tool_use_id", "toolUseId")
"""Where the wires have the ids of a conversation's calls."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


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


def tool_names(tool: Any) -> Iterator[str]:
    """Yield the names of tools, in whichever form the SDK takes them: dicts, objects or functions."""
    if isinstance(tool, (list, tuple)):
        for each in tool:
            yield from tool_names(each)
    elif isinstance(tool, Mapping):
        name = tool.get("name")
        yield from (name,) if isinstance(name, str) else tool_names(list(tool.values()))
    elif hasattr(tool, "model_dump"):
        yield from tool_names(tool.model_dump(exclude_none=True))
    elif callable(tool):
        yield getattr(tool, "__name__", "")


def with_valid_ids(calls: Sequence[ToolCall], conversation: Any) -> list[ToolCall]:
    """Return the calls as they can be sent after a conversation: with ids of their own, and with names that fit."""
    named = [call._replace(name=_NOT_IN_NAMES.sub("_", call.name)[:64] or "unnamed") for call in calls]
    return with_ids(named, _ids(conversation))


def _ids(part: Any) -> Iterator[str]:
    if isinstance(part, (list, tuple)):
        for each in part:
            yield from _ids(each)
    elif isinstance(part, Mapping):
        for key, value in part.items():
            if key in _ID_KEYS and isinstance(value, str):
                yield value
            elif not isinstance(value, str):
                yield from _ids(value)
