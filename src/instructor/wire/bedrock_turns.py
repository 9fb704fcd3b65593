"""Messages as the turns of the Converse wire."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from instructor.engine.call import Json, Message, ToolCall
from instructor.exceptions import ConfigurationError
from instructor.wire.messages import as_object

_DATA_URI = re.compile(r"data:image/(\w+);base64,(.*)", re.DOTALL)


def alternating(turns: Iterable[Json]) -> list[Json]:
    """Join what one side says in a row: the wire wants the two to take turns."""
    joined: list[Json] = []
    for turn in turns:
        if joined and joined[-1]["role"] == turn["role"]:
            joined[-1] = {**joined[-1], "content": [*joined[-1]["content"], *turn["content"]]}
        else:
            joined.append(turn)
    return joined


def turn_of(message: Message) -> Json:
    """Write a message as this wire has it, where a tool's result is a block of the user's."""
    if message.get("role") == "tool":
        result = {"toolUseId": message.get("tool_call_id"), "content": blocks(message.get("content"))}
        return {"role": "user", "content": [{"toolResult": result}]}
    uses: list[Json] = [
        use(ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    ]
    return {**_without_calls(message), "content": [*blocks(message.get("content")), *uses]}


def _without_calls(message: Message) -> Json:
    return {key: value for key, value in message.items() if key not in ("tool_calls", "name")}


def blocks(content: Any) -> list[Json]:
    """Write a content, a text or a list of parts, as blocks."""
    if not content:
        return []
    if isinstance(content, str):
        return [{"text": content}]
    return [_block(part) if isinstance(part, Mapping) else {"text": str(part)} for part in content]


def _block(part: Mapping[str, Any]) -> Json:
    """Write a part of a message: OpenAI's two kinds are translated, this wire's own stay."""
    if part.get("type") == "text":
        return {"text": part["text"]}
    if part.get("type") != "image_url":
        return dict(part)
    url = part["image_url"]["url"] if isinstance(part["image_url"], Mapping) else part["image_url"]
    found = _DATA_URI.fullmatch(url)
    if found is None:
        raise ConfigurationError(f"This wire takes images as data:image/...;base64,... only, not {url[:80]!r}.")
    kind = found[1].replace("jpg", "jpeg")
    return {"image": {"format": kind, "source": {"bytes": base64.b64decode(found[2])}}}


def use(call: ToolCall) -> Json:
    """Write a tool call as a block of the assistant\'s."""
    return {"toolUse": {"toolUseId": call.id, "name": call.name, "input": as_object(call.arguments)}}
