"""Messages as the Anthropic wire has them: the system's text apart, a tool's result a block of the user's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine.call import Json, Message, Reply
from instructor.wire.messages import SYSTEM_ROLES, as_object

_DATA = re.compile(r"data:(?P<media_type>[\w/.+-]+);base64,(?P<data>.*)", re.DOTALL)


def hoisted(messages: Sequence[Message], system: Any) -> tuple[list[Json], list[Json]]:
    """Give the blocks of the system's text, those of `system` first, and the turns of the others."""
    told = blocks(system)
    turns: list[Json] = []
    for message in messages:
        if message.get("role") in SYSTEM_ROLES:
            told += blocks(message.get("content"))
        else:
            turns.append(_turn(message))
    return told, turns


def blocks(content: Any) -> list[Json]:
    """Write a content, whether it is a text or a list, as blocks; a block of this wire's stays as it is."""
    if not content:
        return []
    return [_block(part) for part in ([content] if isinstance(content, (str, Mapping)) else content)]


def said(reply: Reply) -> list[Json]:
    """Write what a model said."""
    text: list[Json] = [{"type": "text", "text": reply.text}] if reply.text.strip() else []
    return text + [_use(call.id, call.name, call.arguments) for call in reply.calls]


def said_plainly(reply: Reply) -> list[Json]:
    """Write what a model said as text, its tool calls too."""
    text = "\n".join(filter(str.strip, [reply.text, *(call.arguments for call in reply.calls)]))
    return [{"type": "text", "text": text}] if text else []


def _turn(message: Message) -> Json:
    content = message.get("content")
    if message.get("role") == "tool":
        result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": content}
        return {"role": "user", "content": [result]}
    calls = message.get("tool_calls") or ()
    if calls:
        uses = [_use(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls]
        return {"role": "assistant", "content": [*blocks(content), *uses]}
    return {**message, "content": content if isinstance(content, str) else blocks(content)}


def _use(call_id: str, name: str, arguments: str) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": as_object(arguments)}


def _block(part: Any) -> Json:
    if not isinstance(part, Mapping):
        return {"type": "text", "text": str(part)}
    if part.get("type") != "image_url":
        return dict(part)
    image = part["image_url"]
    url = image["url"] if isinstance(image, Mapping) else image
    data = _DATA.fullmatch(url)
    source = {"type": "base64", **data.groupdict()} if data else {"type": "url", "url": url}
    kept = {key: value for key, value in part.items() if key == "cache_control"}
    return {"type": "image", "source": source, **kept}
