"""A type's JSON Schema, with the name and the description that a model sees."""

from __future__ import annotations

import enum
import inspect
import re
import types
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError

from instructor.core.types import Json
from instructor.exceptions import ConfigurationError

_STARTS = {
    "object": "{",
    "array": "[",
    "string": '"',
    "integer": "-0123456789",
    "number": "-0123456789",
    "boolean": "tf",
    "null": "n",
}
_PYTHON = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_VALUES = (str, int, float, bytes, list, tuple, dict, set, BaseModel, enum.Enum)
ANY_START = '{["-0123456789tfn'


def adapter_for(kind: Any) -> TypeAdapter[Any]:
    """Compile what validates a type; a ConfigurationError says why a type cannot be a response model."""
    if isinstance(kind, _VALUES) or (is_dataclass(kind) and not inspect.isclass(kind)):
        raise ConfigurationError(
            f"{kind!r} is a value, not a type: give its class, {type(kind).__name__!r}, as response model."
        )
    if inspect.isroutine(kind):
        raise _unfit(kind, "It is a function.")
    try:
        return TypeAdapter(kind)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError, TypeError) as error:
        raise _unfit(kind, str(error).split("\n", 1)[0]) from error


def _unfit(kind: Any, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{kind!r} cannot be a response model: {reason} Give a pydantic model, a dataclass, a TypedDict, "
        "or any other type that pydantic.TypeAdapter takes."
    )


def name_of(kind: Any) -> str:
    """Name a type as people would: `User`, `AOrB` for a union of A and B."""
    origin = get_origin(kind)
    if origin is Annotated:
        return name_of(get_args(kind)[0])
    if origin is Union or origin is types.UnionType:
        return "Or".join(name_of(member) for member in get_args(kind))
    if origin is Literal:
        return "Literal"
    if kind is None or kind is type(None):
        return "None"
    return str(getattr(kind, "__name__", None) or getattr(origin, "__name__", None) or kind)


def legal(name: str) -> str:
    """Make a name that every wire accepts: letters, digits, `_` and `-`, at most 64."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64] or "Response"


def schema_of(adapter: TypeAdapter[Any]) -> Json:
    """Return the JSON Schema with its root opened up: a recursive model's root is otherwise a bare reference."""
    try:
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise ConfigurationError(f"This response model has no JSON Schema: {error.message}") from error
    root = schema.get("$ref")
    if isinstance(root, str):
        schema = {**schema["$defs"][root.rsplit("/", 1)[-1]], "$defs": schema["$defs"]}
    return schema


def demands(schema: Json) -> bool:
    """Return whether a value must have something that few others have: a field, where it is an object."""

    def one(node: Json, seen: tuple[str, ...]) -> bool:
        root = node.get("$ref")
        if isinstance(root, str):
            name = root.rsplit("/", 1)[-1]
            return name in seen or one(schema["$defs"][name], (*seen, name))
        members = node.get("anyOf") or node.get("oneOf")
        if members:
            return all(one(member, seen) for member in members)
        return bool(node.get("required")) if node.get("type") == "object" else True

    return one(schema, ())


def described(schema: Json, kind: Any) -> Json:
    """Fill in what the docstring says of fields that have no description of their own."""
    text = inspect.getdoc(kind) if inspect.isclass(kind) else None
    properties = schema.get("properties")
    if not text or not properties or ":" not in text or text == inspect.getdoc(BaseModel):  # which is inherited
        return schema
    import docstring_parser  # it takes 4 ms, and few docstrings describe fields

    said = {p.arg_name: p.description for p in docstring_parser.parse(text).params if p.description}
    filled = {
        key: {**value, "description": said[key]} if key in said and "description" not in value else value
        for key, value in properties.items()
    }
    return {**schema, "properties": filled}


def parameters(schema: Json) -> Json:
    """Leave out what is sent beside the schema: its title and description. `required` is always there, sorted."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "description") and value != {}}
    return {**kept, "properties": kept.get("properties", {}), "required": sorted(kept.get("required", ()))}


def with_part(schema: Json, path: tuple[str, ...], change: Callable[[Json, Json], Json]) -> Json:
    """Change the part of a schema at `path`; definitions that nothing refers to any more are left out."""
    defs = schema.get("$defs", {})

    def changed(node: Json, rest: tuple[str, ...]) -> Json:
        return {**node, rest[0]: changed(node[rest[0]], rest[1:])} if rest else change(node, defs)

    made = changed(schema, path)
    kept: set[str] = set()
    pending = _references({key: value for key, value in made.items() if key != "$defs"})
    while pending:
        name = pending.pop()
        if name not in kept:
            kept.add(name)
            pending |= _references(defs[name])
    return {**made, "$defs": {name: part for name, part in defs.items() if name in kept}}


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    own = {str(node["$ref"]).rsplit("/", 1)[-1]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(_references, node.values()))


def starts(schema: Json) -> str:
    """Collect the characters with which JSON text of this schema may begin."""
    found = _starts(schema, schema.get("$defs", {}), frozenset())
    return "".join(sorted(found)) if found else ANY_START


def _starts(schema: Json, defs: Json, seen: frozenset[str]) -> set[str]:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = reference.rsplit("/", 1)[-1]
        return set() if name in seen else _starts(defs.get(name, {}), defs, seen | {name})
    for key in ("anyOf", "oneOf"):
        if key in schema:
            parts = [_starts(part, defs, seen) for part in schema[key]]
            return set().union(*parts) if all(parts) else set()
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return {c for value in values for c in _STARTS.get(_PYTHON.get(type(value), ""), ANY_START)}
    kinds = schema.get("type", ())
    return {c for kind in ([kinds] if isinstance(kinds, str) else kinds) for c in _STARTS.get(kind, ANY_START)}
