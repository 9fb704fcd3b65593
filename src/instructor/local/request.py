"""An OpenAI chat-completions body as what llama.cpp is asked for. Pure.

A tool that must be called, a response format and a schema in the prompt all come to the same thing: an answer
that the grammar of a schema holds to. A schema that stands in the prompt is taken out of it, because so small a model
copies from it; worked examples take its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from instructor.core import prompts
from instructor.core.types import Json
from instructor.local.few_shot import examples
from instructor.local.fields import BadRequest, check, schema_of
from instructor.local.grammar import grammar

MAX_TOKENS = 1024
"""The answer's length where the request sets none: half of what a slot holds."""
SYSTEM = "You turn the user's text into JSON."
_PASSED = ("temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logit_bias")
_JSON = {"type": "object"}
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_MOST = 50
"""The longest list that is asked for by a number. More would not fit into the answer."""
_READS: Json = {"temperature": 0}
_INVENTS: Json = {"temperature": 0.7, "frequency_penalty": 0.3}
"""What is passed for a list that is made up, unless the request says otherwise: at 0 all items are the same."""
_COUNT = re.compile(
    r"\b(?:make|invent|create|generate|imagine|suggest|produce|think|come|give|list|name|write)\b(?:\s+(?:up|me|us|of|a|an|list|with|out))*"
    rf"\s+(?P<count>\d\d?|{'|'.join(_NUMBERS)})\s+(?!(?:year|month|week|day|hour|minute|percent)s?\b|[aA]nd\b|[oO]r\b)[a-z]",
    re.IGNORECASE,
)
"""A verb that asks for something new, and directly after it how many: "Make two up people", "a list of 5 users"."""


@dataclass(frozen=True, slots=True)
class LocalRequest:
    """What llama.cpp is asked for, and how its text is to be handed on."""

    body: Json
    schema: Json | None
    tool: str | None = None
    """The one tool that is called."""
    several: bool = False
    """Whether the text is a list of calls, each with its tool's name."""
    model: str = "local"
    usage: bool = True


def read_request(body: Mapping[str, Any]) -> LocalRequest:
    """Read a body; a BadRequest names the field that is wrong, a ProviderError says what else cannot be done."""
    check(body)
    messages: list[Json] = body["messages"]
    tools = _tools(body)
    requested, schema = _requested(messages)
    tool, several = None, False
    if tools:
        choice = body.get("tool_choice")
        single = len(tools) == 1 and choice not in (None, "auto")
        tool, several = (next(iter(tools)), False) if single else (None, True)
        with schema_of("tools"):
            schema = tools[tool] if tool else _calls(tools, many=body.get("parallel_tool_calls") is not False)
    else:
        schema = _format(body.get("response_format"), schema)
    count = requested_count(requested)
    if schema is not None and count:
        schema = _with_count(schema, count)
    request: Json = {key: body[key] for key in _PASSED if body.get(key) is not None}
    for key, value in (_INVENTS if count else _READS).items():
        request.setdefault(key, value)
    request.setdefault("seed", 1)
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    request["max_tokens"] = limit or MAX_TOKENS
    request["timings_per_token"] = True
    with schema_of("tools" if tools else "response_format"):
        request["messages"] = _turns(requested, schema)
        if schema is not None:
            request["grammar"] = grammar(schema)
    options = body.get("stream_options") or {}
    usage = not body.get("stream") or bool(options.get("include_usage"))
    return LocalRequest(request, schema, tool, several, str(body.get("model") or "local"), usage)


def requested_count(turns: Sequence[Json]) -> int | None:
    """Return how many items the last turn asks for; None if it names no number.

    Numbers in a text to read from do not count: only one that directly follows a verb such as "make up" or "list".
    """
    found = _COUNT.search(turns[-1]["content"]) if turns and turns[-1]["role"] == "user" else None
    if found is None:
        return None
    word = found["count"].lower()
    count = int(word) if word.isdigit() else _NUMBERS.index(word) + 2
    return count if 1 < count <= _MOST else None


def _with_count(schema: Json, count: int) -> Json:
    """Return the schema of one list with just so many items. Bounds of the schema's own, and other schemas, stay."""
    fields: Json = schema.get("properties") or {}
    key, listed = next(iter(fields.items()), ("", None))
    if len(fields) != 1 or not isinstance(listed, dict) or listed.get("type") != "array":
        return schema
    if listed.get("minItems", 0) > count or listed.get("maxItems", count) < count:
        return schema
    return {**schema, "properties": {key: {**listed, "minItems": count, "maxItems": count}}}


def _tools(body: Mapping[str, Any]) -> dict[str, Json]:
    """List the tools that may be called, by name: all, the chosen one, or none."""
    choice = body.get("tool_choice")
    if choice == "none":
        return {}
    tools: dict[str, Json] = {
        tool["function"]["name"]: tool["function"].get("parameters") or _JSON for tool in body.get("tools") or ()
    }
    if isinstance(choice, Mapping):
        name = choice["function"]["name"]
        if name not in tools:
            known = ", ".join(map(repr, tools)) or "no tools"
            raise BadRequest("tool_choice", f"tool_choice names {name!r}; there are {known}")
        return {name: tools[name]}
    return tools


def _calls(tools: dict[str, Json], *, many: bool) -> Json:
    """Make the schema of a list of calls; each tool's own definitions move to the top, under names of their own."""
    definitions: Json = {}
    members = []
    for place, (name, parameters) in enumerate(tools.items()):
        text = re.sub(r'"#/(?:\$defs|definitions)/', f'"#/$defs/t{place}_', json.dumps(parameters))
        own: Json = json.loads(text)
        for key in ("$defs", "definitions"):
            definitions.update({f"t{place}_{inner}": node for inner, node in own.pop(key, {}).items()})
        members.append(_closed({"name": {"const": name}, "arguments": own}))
    calls = {"type": "array", "items": {"anyOf": members}, "minItems": 1, **({} if many else {"maxItems": 1})}
    return {**_closed({"calls": calls}), "$defs": definitions}


def _closed(fields: Json) -> Json:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _format(wanted: Any, requested: Json | None) -> Json | None:
    """Choose the schema of an answer in text: the request's own, else the one that the prompt tells."""
    kind = wanted.get("type") if isinstance(wanted, Mapping) else wanted
    if kind == "json_schema":
        schema: Json = wanted["json_schema"]["schema"]
        return schema
    if kind == "json_object":
        return requested or _JSON
    return requested


def _requested(messages: Sequence[Any]) -> tuple[list[Json], Json | None]:
    """Read the messages as plain turns, and take out the schema that the system's text tells, if it does."""
    turns: list[Json] = []
    schema: Json | None = None
    for message in messages:
        role, text = message.get("role"), _text(message)
        if role in ("system", "developer"):
            text, found = _without_schema(text)
            schema, role = found or schema, "system"
        elif role != "assistant":  # what a tool says, a re-ask's errors, is somebody speaking to the model
            role, text = "user", text.replace(prompts.CODE_BLOCK, "").rstrip()
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] = "\n\n".join(part for part in (turns[-1]["content"], text) if part)
        else:
            turns.append({"role": role, "content": text})
    return turns, schema


def _text(message: Mapping[str, Any]) -> str:
    """Read a message as text; tool calls are the JSON that the model once wrote."""
    calls = [call["function"].get("arguments") or "" for call in message.get("tool_calls") or ()]
    content = message.get("content") or ""
    if isinstance(content, str):
        return "\n".join([*([content] if content else []), *calls])
    return "\n".join([*(part.get("text") or "" for part in content), *calls])


def _without_schema(text: str) -> tuple[str, Json | None]:
    """Find the last JSON Schema in a text, and take it out together with the paragraphs that speak of it."""
    decoder = json.JSONDecoder()
    found: tuple[int, int, Json] | None = None
    at = text.find("{")
    while at >= 0:
        end = at + 1
        try:
            node, end = decoder.raw_decode(text, at)
        except ValueError:
            node = None
        if isinstance(node, dict) and ("properties" in node or "$defs" in node):
            found = (at, end, node)
        at = text.find("{", end)
    if found is None:
        return text, None
    before = [part for part in re.split(r"\n\s*\n|```\w*", text[: found[0]]) if part.strip()]
    after = [part for part in re.split(r"\n\s*\n|```", text[found[1] :]) if part.strip()]
    if before and re.search(r"json|schema", before[-1], re.IGNORECASE):
        before.pop()
    if after and re.search(r"json|schema", after[0], re.IGNORECASE):
        after.pop(0)
    return "\n\n".join(part.strip() for part in (*before, *after)), found[2]


def _turns(turns: list[Json], schema: Json | None) -> list[Json]:
    """Put the worked examples between the system's words and the conversation."""
    if schema is None:
        return turns
    first = turns[0]["role"] == "system"
    said = turns[0]["content"] if first else ""
    opening = [{"role": "system", "content": said or SYSTEM}]
    for text, answer in examples(schema):
        opening += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return opening + turns[1:] if first else opening + turns
