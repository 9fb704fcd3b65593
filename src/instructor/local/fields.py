"""Checks of an OpenAI chat-completions body, field by field. Pure: a wrong one is an error that names it."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from instructor.exceptions import ProviderError


class BadRequest(ProviderError):
    """A request that cannot be answered, and the field that is wrong in it."""

    def __init__(self, param: str, message: str) -> None:
        self.param = param
        super().__init__("local", message)


def check(body: Mapping[str, Any]) -> None:
    """Raise a BadRequest for the first field that has a wrong type or value."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong("messages", messages, "a list of messages that is not empty")
    for at, message in enumerate(messages):
        _check_message(f"messages[{at}]", message)
    for name, (fits, wanted) in _FIELDS.items():
        value = body.get(name)
        if value is not None and not fits(value):
            raise _wrong(name, value, wanted)
    for at, tool in enumerate(body.get("tools") or ()):
        _check_tool(f"tools[{at}]", tool)
    _check_format(body.get("response_format"))


@contextmanager
def schema_of(param: str) -> Iterator[None]:
    """Turn what a malformed schema leads to into a BadRequest."""
    try:
        yield
    except ProviderError:
        raise
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError, RecursionError) as error:
        raise BadRequest(param, f"{param} must hold a JSON Schema that can be read, and does not: {error}") from error


def _check_message(name: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise _wrong(name, message, "an object with a role and a content")
    if not isinstance(message.get("role"), str):
        raise _wrong(f"{name}.role", message.get("role"), "a string")
    content = message.get("content")
    if content is not None and not isinstance(content, (str, list)):
        raise _wrong(f"{name}.content", content, "a string or a list of parts")
    for at, part in enumerate(content if isinstance(content, list) else ()):
        _check_part(f"{name}.content[{at}]", part)
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise _wrong(f"{name}.tool_calls", calls, "a list of tool calls")
    for at, call in enumerate(calls or ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("arguments"), (str, type(None))):
            raise _wrong(f"{name}.tool_calls[{at}]", call, "an object with a function, its arguments as a string")


def _check_part(name: str, part: Any) -> None:
    if not isinstance(part, dict) or part.get("type") not in ("text", "input_text"):
        raise _wrong(name, part, "an object of type 'text' (the embedded model reads text only)")
    if not isinstance(part.get("text"), (str, type(None))):
        raise _wrong(f"{name}.text", part["text"], "a string")


def _check_tool(name: str, tool: Any) -> None:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise _wrong(name, tool, "an object with a function that has a name")
    _check_schema(f"{name}.function.parameters", function.get("parameters") or {})


def _check_format(wanted: Any) -> None:
    kind = wanted.get("type") if isinstance(wanted, dict) else wanted
    if kind not in (None, "text", "json_object", "json_schema"):
        raise _wrong("response_format", wanted, "of type 'text', 'json_object' or 'json_schema'")
    if kind == "json_schema":
        requested = wanted.get("json_schema") if isinstance(wanted, dict) else None
        if not isinstance(requested, dict) or not isinstance(requested.get("schema"), dict):
            raise _wrong("response_format.json_schema", requested, "an object with a schema, which is an object")
        _check_schema("response_format.json_schema.schema", requested["schema"])


def _check_schema(name: str, schema: Any) -> None:
    """Look at the keywords that are read: what is in no schema is refused with the path to it."""
    todo = [(name, schema)]
    while todo:
        name, node = todo.pop()
        if isinstance(node, bool):
            continue
        if not isinstance(node, dict):
            raise _wrong(name, node, "a JSON Schema, which is an object")
        for key, (kinds, wanted) in _KEYWORDS.items():
            if key in node and not isinstance(node[key], kinds):
                raise _wrong(f"{name}.{key}", node[key], wanted)
        for key in ("properties", "$defs", "definitions", "patternProperties"):
            todo += [(f"{name}.{key}.{inner}", part) for inner, part in node.get(key, {}).items()]
        for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            todo += [(f"{name}.{key}[{at}]", part) for at, part in enumerate(node.get(key, ()))]
        todo += [(f"{name}.{key}", node[key]) for key in ("items", "additionalProperties") if key in node]


_OBJECT, _LIST, _COUNT = (dict, "an object"), (list, "a list"), (int, "an integer")
_KEYWORDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("properties", "$defs", "definitions", "patternProperties"), _OBJECT),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems", "enum", "required"), _LIST),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _COUNT),
    **dict.fromkeys(("pattern", "format", "$ref"), (str, "a string")),
    **dict.fromkeys(("minimum", "maximum"), ((int, float), "a number")),
    "type": ((str, list), "a string or a list of strings"),
}


def _wrong(name: str, value: Any, wanted: str) -> BadRequest:
    return BadRequest(name, f"{name} must be {wanted}, got {name}={_shown(value)}")


def _shown(value: Any) -> str:
    """Show the beginning of a value, however deep or long it is."""
    return reprlib.repr(value)[:200]


def _integer(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and math.isfinite(value) and least <= value <= most


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _is_bias(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_number(-1e6, 1e6), value.values()))


def _is_choice(value: Any) -> bool:
    if isinstance(value, dict):
        function = value.get("function")
        return isinstance(function, dict) and isinstance(function.get("name"), str)
    return value in ("auto", "required", "none")


_INT = 2**31 - 1
_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "model": (lambda value: isinstance(value, str), "a string"),
    "stream": (_is_bool, "true or false"),
    "stream_options": (
        lambda value: isinstance(value, dict) and isinstance(value.get("include_usage"), (bool, type(None))),
        "an object with include_usage, true or false",
    ),
    "n": (lambda value: type(value) is int and value == 1, "1 (one choice is all there is)"),
    "max_tokens": (_integer(1, _INT), "a positive integer"),
    "max_completion_tokens": (_integer(1, _INT), "a positive integer"),
    "temperature": (_number(0, 100), "a number from 0 on"),
    "top_p": (_number(0, 1), "a number from 0 to 1"),
    "presence_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "frequency_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "seed": (_integer(-(2**63), 2**63 - 1), "an integer"),
    "stop": (_is_stop, "a string or a list of strings"),
    "logit_bias": (_is_bias, "an object of numbers"),
    "tools": (lambda value: isinstance(value, list), "a list of tools"),
    "tool_choice": (_is_choice, "'auto', 'required', 'none' or an object that names a function"),
    "parallel_tool_calls": (_is_bool, "true or false"),
    "response_format": (lambda value: isinstance(value, (dict, str)), "an object with a type"),
}
"""The fields that are read, but for the messages: what fits them, and how that is said."""
