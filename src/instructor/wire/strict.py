"""Strict JSON Schema, as OpenAI's constrained decoding takes it: closed objects, all of whose keys are required."""

from __future__ import annotations

from typing import Any

from instructor.engine.call import Json

_DROPPED = ("default", "discriminator", "title")


def strict(schema: Json) -> Json | None:
    """Give the strict form of a schema, or None where it has none: an object with keys of any name, say."""
    try:
        closed: Json = _closed(schema, schema.get("$defs", {}))
    except _OpenObjectError:
        return None
    return closed


class _OpenObjectError(Exception):
    """A part of the schema that strict decoding cannot express."""


def _closed(node: Any, defs: Json) -> Any:
    if isinstance(node, list):
        return [_closed(part, defs) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and len(node) > 1:  # a reference stands alone: what is said beside it is said of a copy
        target = defs.get(str(node["$ref"]).rsplit("/", 1)[-1], {})
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {"$ref": node["$ref"]} if _recursive(node["$ref"], target) else _closed({**target, **beside}, defs)
    made: Json = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            made[key] = {name: _closed(part, defs) for name, part in value.items()}
        elif key in ("enum", "const", "required"):
            made[key] = value
        elif key == "oneOf":
            made["anyOf"] = _closed(value, defs)
        elif key not in _DROPPED:
            made[key] = _closed(value, defs)
    if made.get("type") == "object":
        if "properties" not in made or made.get("additionalProperties") not in (None, False, True):
            raise _OpenObjectError
        made["additionalProperties"] = False
        made["required"] = list(made["properties"])
    elif not made or "prefixItems" in made:
        raise _OpenObjectError
    return made


def _recursive(reference: str, target: Json) -> bool:
    return f"'{reference}'" in repr(target)
