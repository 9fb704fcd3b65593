"""The names of OpenTelemetry's conventions for generative AI, and their values for a request and its reply.

There are two sets of names, and none is stable yet. The older ones, of version 1.36 of the conventions, are the
default. The newest ones (of November 2026) are used if the variable OTEL_SEMCONV_STABILITY_OPT_IN has the word
`gen_ai_latest_experimental`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from instructor import redaction
from instructor.core.types import Json, Reply
from instructor.usage import Usage

OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
LATEST = "gen_ai_latest_experimental"
OLDER_SCHEMA = "https://opentelemetry.io/schemas/1.36.0"

_PROVIDERS = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertexai": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""The conventions' names of providers, where ours are others."""
_OLDER_PROVIDERS = {**_PROVIDERS, "azure_openai": "az.ai.openai", "xai": "xai"}
_GENERATES = ("google", "vertexai")

_OPTIONS = {
    **dict.fromkeys(
        ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens", "maxOutputTokens"), "max_tokens"
    ),
    **dict.fromkeys(("temperature",), "temperature"),
    **dict.fromkeys(("top_p", "topP", "p"), "top_p"),
    **dict.fromkeys(("top_k", "topK", "k"), "top_k"),
    **dict.fromkeys(("frequency_penalty", "frequencyPenalty"), "frequency_penalty"),
    **dict.fromkeys(("presence_penalty", "presencePenalty"), "presence_penalty"),
    **dict.fromkeys(("seed", "random_seed"), "seed"),
}
"""What a request's arguments are called, wherever they mean a number that the conventions have."""
_STOPS = ("stop", "stop_sequences", "stopSequences")
_NESTED = ("config", "inferenceConfig", "generation_config")
_SYSTEM = ("system", "instructions", "system_instruction")
_FINISH = {"tool": "tool_call", "filter": "content_filter", None: "error"}


def wants_latest() -> bool:
    """Return whether the standard variable asks for the newest names."""
    return LATEST in [word.strip() for word in os.environ.get(OPT_IN, "").split(",")]


def operation(provider: str) -> str:
    """Return the name of the operation that a request to this provider is."""
    return "generate_content" if provider in _GENERATES else "chat"


def identity(provider: str, body: Mapping[str, Any], client: Any, *, latest: bool) -> dict[str, Any]:
    """Return the attributes by which a span is sampled: they are there from its start."""
    found: dict[str, Any] = {"gen_ai.operation.name": operation(provider)}
    if latest:
        found["gen_ai.provider.name"] = _PROVIDERS.get(provider, provider)
    else:
        found["gen_ai.system"] = _OLDER_PROVIDERS.get(provider, provider)
    if isinstance(model := body.get("model", body.get("modelId")), str):
        found["gen_ai.request.model"] = model
    url = getattr(client, "base_url", None)
    if isinstance(host := getattr(url, "host", None), str) and host:
        found["server.address"] = host
        found["server.port"] = getattr(url, "port", None) or (80 if getattr(url, "scheme", "") == "http" else 443)
    return found


def of_request(body: Mapping[str, Any], *, stream: bool, latest: bool) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of what a request asks for."""
    yield "gen_ai.output.type", "json"
    if latest and stream:
        yield "gen_ai.request.stream", True
    yield from _options(body)


def _options(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in body.items():
        if key in _OPTIONS:
            if type(value) is int or type(value) is float:
                yield f"gen_ai.request.{_OPTIONS[key]}", value
        elif key in _STOPS:
            words = [value] if isinstance(value, str) else value
            if isinstance(words, Sequence) and words and all(isinstance(word, str) for word in words):
                yield "gen_ai.request.stop_sequences", list(words)
        elif key in _NESTED and isinstance(value, Mapping):
            yield from _options(value)


def of_reply(reply: Reply, head: Json) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a reply. `head` is the response, or the first event of its stream."""
    yield "gen_ai.response.finish_reasons", [finish_reason(reply)]
    for part in (head, head.get("response"), head.get("message")):
        if isinstance(part, Mapping):
            model = part.get("model", part.get("modelVersion", part.get("model_version")))
            name = part.get("id", part.get("responseId", part.get("response_id")))
            if isinstance(name, str):
                yield "gen_ai.response.id", name
            if isinstance(model, str):
                yield "gen_ai.response.model", model


def of_usage(usage: Usage, *, latest: bool) -> Iterator[tuple[str, int]]:
    """Yield the tokens of a request, if the provider reported them. Estimates are no usage."""
    if usage.exact:
        yield "gen_ai.usage.input_tokens", usage.input_tokens
        yield "gen_ai.usage.output_tokens", usage.output_tokens
        if latest and usage.cached_tokens:
            yield "gen_ai.usage.cache_read.input_tokens", usage.cached_tokens
        if latest and usage.reasoning_tokens:
            yield "gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens


def finish_reason(reply: Reply) -> str:
    """Return why a reply ended, in the conventions' words: `error` if its last event never came."""
    if reply.finish == "other":
        return reply.reason or "other"
    return _FINISH.get(reply.finish, str(reply.finish))


# Content, which is written only if it was asked for.


def content_of(body: Mapping[str, Any], turns_key: str, reply: Reply) -> Iterator[tuple[str, str]]:
    """Yield what was sent and what came, as the newest names have it: JSON texts."""
    if instructions := _instructions(body):
        yield "gen_ai.system_instructions", _json(instructions)
    yield "gen_ai.input.messages", _json([_message(turn) for turn in _turns(body, turns_key)])
    yield "gen_ai.output.messages", _json([{**_answer(reply), "finish_reason": finish_reason(reply)}])


def events_of_content(body: Mapping[str, Any], turns_key: str, reply: Reply) -> Iterator[tuple[str, Json]]:
    """Yield what was sent and what came, as the older names have it: events, each with its body."""
    if instructions := _instructions(body):
        yield "gen_ai.system.message", {"content": _texts(instructions)}
    for turn in _turns(body, turns_key):
        message = _message(turn)
        role = {"model": "assistant", "developer": "system"}.get(message["role"], message["role"])
        yield f"gen_ai.{role}.message", _older(message)
    yield "gen_ai.choice", {"index": 0, "finish_reason": finish_reason(reply), "message": _older(_answer(reply))}


def _older(message: Json) -> Json:
    calls = [
        {"id": part["id"], "type": "function", "function": {"name": part["name"], "arguments": part["arguments"]}}
        for part in message["parts"]
        if part["type"] == "tool_call"
    ]
    return {"content": _texts(message["parts"]), **({"tool_calls": calls} if calls else {})}


def _texts(parts: list[Json]) -> str:
    return "\n".join(part["content"] for part in parts if part["type"] == "text")


def _turns(body: Mapping[str, Any], turns_key: str) -> Iterator[Mapping[str, Any]]:
    turns = body.get(turns_key)
    if isinstance(turns, str):
        yield {"role": "user", "content": turns}
    elif isinstance(turns, Sequence):
        yield from (turn for turn in map(_plain, turns) if isinstance(turn, Mapping))


def _message(turn: Mapping[str, Any]) -> Json:
    parts = list(_parts(turn.get("content", turn.get("parts"))))
    for call in turn.get("tool_calls") or ():
        function = _mapping(_mapping(_plain(call)).get("function"))
        parts.append(_call(_mapping(_plain(call)).get("id"), function.get("name"), function.get("arguments")))
    return {"role": str(turn.get("role") or turn.get("type") or "user"), "parts": parts}


def _parts(content: Any) -> Iterator[Json]:
    """Yield the parts of a turn. Of those that are not text, only their kind is written: they may be files."""
    if isinstance(content, str):
        yield {"type": "text", "content": redaction.text(content)}
    elif isinstance(content, Sequence):
        for part in map(_plain, content):
            if isinstance(part, str):
                yield {"type": "text", "content": redaction.text(part)}
            elif isinstance(text := _mapping(part).get("text"), str):
                yield {"type": "text", "content": redaction.text(text)}
            else:
                kind = _mapping(part).get("type") or next(iter(_mapping(part)), "other")
                yield {"type": str(kind)}


def _answer(reply: Reply) -> Json:
    text = [{"type": "text", "content": redaction.text(reply.text)}] if reply.text else []
    return {
        "role": "assistant",
        "parts": [*text, *(_call(call.id, call.name, call.arguments) for call in reply.calls)],
    }


def _call(name: Any, function: Any, arguments: Any) -> Json:
    written = arguments if isinstance(arguments, str) else _json(arguments)
    return {
        "type": "tool_call",
        "id": str(name or ""),
        "name": str(function or ""),
        "arguments": redaction.text(written),
    }


def _instructions(body: Mapping[str, Any]) -> list[Json]:
    for part in (body, *(_mapping(body.get(name)) for name in _NESTED)):
        for key in _SYSTEM:
            if part.get(key):
                return list(_parts(part[key]))
    return []


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)
