"""The user's own typed values as the JSON that a request asks for.

A client asks for an object. So a list stands under the key `tasks`, and a value that is not an object under `content`.
Members of a union that their fields do not tell apart have a tag beside their fields: `kind`. The schema in the request
says which of these it wants. It is found wherever the wire puts it, in a prompt as well.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

_LISTS = (list, tuple, set, frozenset)
_JSON = json.JSONDecoder()


def to_json(value: Any) -> Any:
    """Return a value as JSON. Fields of models have the names that validation reads: their aliases."""
    if isinstance(value, Enum):
        return to_json(value.value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(each) for key, each in value.items()}
    if isinstance(value, _LISTS):
        return [to_json(each) for each in value]
    if fields := getattr(type(value), "model_fields", None):
        if set(fields) == {"root"}:
            return to_json(value.root)
        named = {_key(name, field): vars(value)[name] for name, field in fields.items() if name in vars(value)}
        return to_json({**named, **(value.model_extra or {})})
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    from pydantic_core import to_jsonable_python  # dates, decimals and so on; a script of JSON goes without pydantic

    return to_jsonable_python(value)


def as_requested(value: Any, schema: Mapping[str, Any] | None) -> Any:
    """Return a value as the JSON that a schema asks for. Strings and mappings stay as they are."""
    if isinstance(value, Enum):
        value = value.value
    if schema is None or isinstance(value, Mapping):
        return to_json(value)
    properties = schema["properties"]
    for key in ("tasks", "content"):
        if set(properties) != {key} or set(properties) == set(_keys(value)):
            continue
        if isinstance(value, str) and (value[:1] in ("{", "[", '"') or not _takes_text(properties[key], schema)):
            return value
        values = [value] if key == "tasks" and not isinstance(to_json(value), list) else value
        return {key: _tagged(values, properties[key], schema)}
    return _tagged(value, schema, schema)


def requested_schema(body: Mapping[str, Any], tool: str) -> Mapping[str, Any] | None:
    """Return the schema that a request has for a tool or, without a tool, for its answer; None if there is none."""
    declared = _declared(body, tool) if tool else ()
    for part, texts in (*((each, True) for each in declared), (body, False), (body, True)):
        for schema in _schemas(part, texts=texts):
            return schema
    return None


def _key(name: str, field: Any) -> str:
    """Return what a field is called in the JSON that it is validated from."""
    alias = getattr(field.validation_alias, "choices", [field.validation_alias])[0]
    return alias if isinstance(alias, str) else name


def _keys(value: Any) -> Sequence[str]:
    fields = getattr(type(value), "model_fields", None) or getattr(type(value), "__dataclass_fields__", {})
    return list(to_json(value)) if fields and isinstance(to_json(value), dict) else []


def _tagged(value: Any, schema: Any, root: Mapping[str, Any]) -> Any:
    """Return a value as JSON, with the tags that the schema has for members of unions."""
    schema = _resolved(schema, root)
    if isinstance(value, _LISTS):
        return [_tagged(each, schema.get("items", {}), root) for each in value]
    plain = to_json(value)
    if isinstance(value, Mapping) or not isinstance(plain, dict):
        return plain
    tags: list[tuple[bool, dict[str, Any]]] = []
    for member in _members(schema, root):
        properties = member.get("properties", {})
        fixed = {key: _only(_resolved(part, root)) for key, part in properties.items() if key not in plain}
        tag = {key: mark for key, mark in fixed.items() if isinstance(mark, str)}
        if plain.keys() <= properties.keys() and set(member.get("required", ())) <= plain.keys() | tag.keys():
            tags.append((type(value).__name__ in (*tag.values(), member.get("title")), tag))
    found = max(tags, key=lambda each: each[0], default=(False, {}))[1]
    return {**found, **plain}


def _members(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [_resolved(part, root) for key in ("anyOf", "oneOf") for part in schema.get(key, ())]


def _only(schema: Mapping[str, Any]) -> Any:
    """Return the one value that a schema allows, or None."""
    values = schema.get("enum", ())
    return schema.get("const", values[0] if len(values) == 1 else None)


def _takes_text(schema: Any, root: Mapping[str, Any]) -> bool:
    schema = _resolved(schema, root)
    kinds = schema.get("type")
    texts = "string" in (kinds if isinstance(kinds, list) else [str(kinds).lower()])
    return (
        texts
        or any(isinstance(each, str) for each in (_only(schema), *schema.get("enum", ())))
        or any(_takes_text(member, root) for member in _members(schema, root))
    )


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema that a reference names. A schema that is a boolean says nothing."""
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        place: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            place = place.get(step, {})
        schema = place
    return schema if isinstance(schema, Mapping) else {}


def _declared(part: Any, name: str) -> Iterator[Any]:
    """Yield the parts of a request that have this name."""
    if isinstance(part, Mapping) and part.get("name") == name:
        yield part
    elif isinstance(part, (Mapping, list)):
        for each in part.values() if isinstance(part, Mapping) else part:
            yield from _declared(each, name)


def _schemas(part: Any, *, texts: bool) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas of objects in a part of a request; with `texts` also those in strings."""
    if isinstance(part, str) and texts and '"properties"' in part:
        part = list(_decoded(part))
    if isinstance(part, Mapping) and isinstance(part.get("properties"), Mapping):
        yield part
    elif isinstance(part, (Mapping, list)):
        for each in part.values() if isinstance(part, Mapping) else part:
            yield from _schemas(each, texts=texts)


def _decoded(text: str) -> Iterator[Any]:
    """Yield the JSON objects in a text."""
    at = text.find("{")
    while at >= 0:
        try:
            value, at = _JSON.raw_decode(text, at)
            yield value
        except ValueError:
            at += 1
        at = text.find("{", at)
