"""Messages and options as the Gemini wire and its SDK have them."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from instructor.engine.call import Json, Message
from instructor.exceptions import ConfigurationError
from instructor.wire.messages import SYSTEM_ROLES

_BESIDE = ("model", "stream")
_NAMES = {
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "n": "candidate_count",
    "stop": "stop_sequences",
}
_ROLES = {"user": "user", "assistant": "model", "model": "model", "tool": "user", "function": "user"}
_CAPITAL = re.compile(r"(?<=[a-z0-9])[A-Z]")


def messages_of(messages: Any) -> Any:
    """Give every form of messages that the SDK takes as dicts with a role and a content."""
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        messages = [messages]
    return [_message(message) for message in messages]


def _message(message: Any) -> Any:
    if isinstance(message, str):
        return {"role": "user", "content": message}
    if hasattr(message, "model_dump"):
        dumped = _dumped(message)
        message = dumped if "parts" in dumped else {"parts": [_file_or_part(dumped)]}
    if isinstance(message, Mapping) and "parts" in message:
        rest = {key: value for key, value in message.items() if key != "parts"}
        return {"role": "user", **rest, "content": list(message["parts"])}
    return message


def config_of(messages: Sequence[Message], options: Mapping[str, Any]) -> tuple[Json, Json]:
    """Fold the options of a call, and the system's text, into one config; what stands beside it comes second."""
    config: Json = {}
    beside = {key: value for key, value in options.items() if key in _BESIDE}
    for name in ("generation_config", "config"):
        config |= _fields(options.get(name))
    for name, value in options.items():
        if name not in ("config", "generation_config", "system", *_BESIDE):
            config |= _fields({name: value})
    system = _parts(config.pop("system_instruction", None)) + _parts(options.get("system"))
    for message in messages:
        if message.get("role") in SYSTEM_ROLES:
            system += _parts(message.get("content"))
    if system:
        texts = [part.get("text") for part in system]
        whole = all(isinstance(text, str) and len(part) == 1 for text, part in zip(texts, system, strict=True))
        config["system_instruction"] = "\n\n".join(map(str, texts)) if whole else {"parts": system}
    return config, beside


def _fields(given: Any) -> Json:
    """Give a config's fields by the SDK's names, whichever of its forms it came in."""
    fields = dict(given or {})
    if hasattr(given, "model_dump"):  # the SDK's class: its fields as they are, a user's functions among them
        fields = {name: value for name, value in fields.items() if value is not None}
    named = {_CAPITAL.sub(lambda found: f"_{found[0].lower()}", name): value for name, value in fields.items()}
    named = {_NAMES.get(name, name): value for name, value in named.items()}
    if isinstance(named.get("stop_sequences"), str):
        named["stop_sequences"] = [named["stop_sequences"]]
    return named


def contents_of(messages: Sequence[Message]) -> list[Json]:
    """Write the turns of a conversation; what follows each other in one turn of this wire is put together."""
    contents: list[Json] = []
    names: dict[str, str] = {}
    for message in messages:
        role = message.get("role")
        if role in SYSTEM_ROLES:
            continue
        if role not in _ROLES:
            raise ConfigurationError(f"The role {role!r} is none of {', '.join((*SYSTEM_ROLES, *_ROLES))}.")
        calls = message.get("tool_calls") or ()
        names |= {call["id"]: call["function"]["name"] for call in calls if call.get("id")}
        if role in ("tool", "function"):
            name = message.get("name") or names.get(message.get("tool_call_id") or "") or ""
            response = {"name": name, "response": {"result": message.get("content")}}
            if contents and any("functionResponse" in part for part in contents[-1]["parts"]):  # to one turn's calls
                contents[-1]["parts"].append({"functionResponse": response})
                continue
            parts: list[Json] = [{"functionResponse": response}]
        else:
            parts = _parts(message.get("content")) + [_called(call) for call in calls]
        contents.append({"role": _ROLES[role], "parts": parts})
    return contents


def with_user_text(contents: Sequence[Json], text: str) -> list[Json]:
    """Add a text to the user's last turn; a new one where the model spoke last."""
    if contents[-1]["role"] == "user":
        return [*contents[:-1], {**contents[-1], "parts": [*contents[-1]["parts"], {"text": text}]}]
    return [*contents, {"role": "user", "parts": [{"text": text}]}]


def _called(call: Mapping[str, Any]) -> Json:
    function = call["function"]
    arguments = function.get("arguments") or "{}"
    return {"functionCall": {"name": function["name"], "args": json.loads(arguments)}}


def _parts(content: Any) -> list[Json]:
    """Write a content as parts: a text, an object of the SDK's, a dict, or a list of them."""
    if content is None:
        return []
    if hasattr(content, "model_dump"):
        content = _dumped(content)
    if isinstance(content, Mapping) and "parts" in content:
        content = content["parts"]
    several: Iterable[Any] = content if isinstance(content, (list, tuple)) else [content]
    return [_part(part) for part in several]


def _part(part: Any) -> Json:
    if isinstance(part, str):
        return {"text": part}
    if hasattr(part, "model_dump"):
        return _file_or_part(_dumped(part))
    if not isinstance(part, Mapping):
        raise ConfigurationError(f"{part!r} is no part of a message: a text, a dict or a types.Part is.")
    kind = part.get("type")
    if kind == "text":
        return {"text": part["text"]}
    if kind == "image_url":
        return _linked(part["image_url"]["url"] if isinstance(part["image_url"], Mapping) else part["image_url"])
    if kind == "input_audio":
        audio = part["input_audio"]
        return {"inlineData": {"mimeType": f"audio/{audio['format']}", "data": audio["data"]}}
    return dict(part)


def _linked(url: str) -> Json:
    if url.startswith("data:"):
        kind, _, data = url.removeprefix("data:").partition(";base64,")
        return {"inlineData": {"mimeType": kind, "data": data}}
    return {"fileData": {"fileUri": url, "mimeType": mimetypes.guess_type(url)[0] or "image/jpeg"}}


def _file_or_part(dumped: Json) -> Json:
    if "uri" not in dumped:
        return dumped
    return {"fileData": {"fileUri": dumped["uri"], "mimeType": dumped.get("mimeType")}}


def _dumped(given: Any) -> Json:
    dumped: Json = given.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped
