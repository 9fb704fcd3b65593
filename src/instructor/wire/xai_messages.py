"""Messages and tools as xAI's wire has them: protobuf's JSON, with the names of the .proto files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from instructor.engine.call import Json, Message

OURS = "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL"
"""Calls of other types are the provider's own, and made already."""


def from_proto(message: Any) -> Json:
    """Give a message that the SDK made as a dict, its role by the name that all wires have."""
    from google.protobuf.json_format import MessageToDict  # the SDK's; a message of its making is at hand

    made: Json = MessageToDict(message, preserving_proto_field_name=True)
    return {**made, "role": str(made.get("role")).removeprefix("ROLE_").lower()}


def message_of(message: Message) -> Json:
    """Write a message; what it has beside role, content and calls stays."""
    role = str(message.get("role") or "user")
    made: Json = {key: value for key, value in message.items() if key not in ("role", "content", "tool_calls")}
    made.update(role=f"ROLE_{role.upper()}", content=content_of(message.get("content")))
    if message.get("tool_calls"):
        made["tool_calls"] = [{**call, "type": OURS} for call in message["tool_calls"]]
    return made


def content_of(content: Any) -> list[Json]:
    """Write a content, a text or a list of parts, as parts."""
    if not content:
        return []
    if isinstance(content, str):
        return [{"text": content}]
    return [_part(part) if isinstance(part, Mapping) else {"text": str(part)} for part in content]


def _part(part: Mapping[str, Any]) -> Json:
    """Write a part of a message: OpenAI's two kinds are translated, this wire's own stay."""
    if part.get("type") == "text":
        return {"text": part["text"]}
    if part.get("type") != "image_url":
        return dict(part)
    image = part["image_url"] if isinstance(part["image_url"], Mapping) else {"url": part["image_url"]}
    return {"image_url": {"image_url": image["url"], "detail": f"DETAIL_{str(image.get('detail') or 'auto').upper()}"}}


def tool_of(name: str, description: str, schema: Json) -> Json:
    """Write a tool, whose schema is a text on this wire."""
    return {"function": {"name": name, "description": description, "parameters": json.dumps(schema)}}


def users_tool(tool: Any) -> Any:
    """Translate a tool as OpenAI's wire has it; what the SDK's functions made stays."""
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        return tool
    function = tool["function"]
    return tool_of(function["name"], function.get("description") or "", function.get("parameters") or {})
