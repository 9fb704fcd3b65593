"""JSON Schemas as JSON: references are followed, parts are found and changed. Nothing here knows a Python type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from instructor.core.types import Json

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
ANY_START = '{["-0123456789tfn'


def lookup(root: Json, reference: str) -> Any:
    """Return what a reference such as `#/$defs/User` leads to in `root`; None if it leads nowhere."""
    node: Any = root if reference.startswith("#") else None
    for part in reference.split("/")[1:]:
        node = node.get(_unescaped(part)) if isinstance(node, dict) else None
    return node


def definition(node: Json, root: Json) -> Json:
    """Return the definition that a schema refers to, or the schema itself if it is no reference."""
    if not isinstance(node.get("$ref"), str):
        return node
    found = lookup(root, node["$ref"])
    return found if isinstance(found, dict) else {}


def references(node: Any) -> Iterator[str]:
    """Yield every `$ref` in a schema, without following any."""
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference
    if isinstance(node, (dict, list)):
        for part in node.values() if isinstance(node, dict) else node:
            yield from references(part)


def reached(node: Any, defs: Json) -> set[str]:
    """Return the names of all definitions that a schema refers to, itself or through others."""
    found: set[str] = set()
    pending = list(references(node))
    while pending:
        name = name_in(pending.pop())
        if name not in found:
            found.add(name)
            pending += references(defs.get(name, {}))
    return found


def name_in(reference: str) -> str:
    """Return the name of the definition that a reference leads to."""
    return _unescaped(reference.rsplit("/", 1)[-1])


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def alternatives(schema: Json) -> Iterator[Json]:
    """Yield the schemas that a value may match: references are followed, unions are opened.

    A reference back to a schema that is already open yields nothing: it adds no alternative.
    """
    pending: list[tuple[Json, frozenset[str]]] = [(schema, frozenset())]
    while pending:
        node, opened = pending.pop()
        members = next((node[key] for key in ("anyOf", "oneOf", "allOf") if node.get(key)), ())
        reference = node.get("$ref")
        if isinstance(reference, str):
            if reference not in opened:
                pending.append((definition(node, schema), opened | {reference}))
        elif members:
            pending += [(member, opened) for member in reversed(members)]
        else:
            yield node


def demands(schema: Json) -> bool:
    """Return whether a value must have something that few others have: a required field, if it is an object."""
    return all(node.get("required") or node.get("type") != "object" for node in alternatives(schema))


def may_have_any_key(schema: Json) -> bool:
    """Return whether an object of this schema may have keys that the schema does not name."""
    if "type" not in schema:
        return not schema.get("properties")
    return bool(schema.get("additionalProperties") or "patternProperties" in schema)


def parameters(schema: Json) -> Json:
    """Leave out what is sent beside the schema: its title and description. `required` is always there, sorted."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "description") and value != {}}
    return {**kept, "properties": kept.get("properties", {}), "required": sorted(kept.get("required", ()))}


def with_part(schema: Json, path: tuple[str, ...], change: Callable[[Json, Json], Json]) -> Json:
    """Change the part of a schema at `path`; definitions that nothing refers to any more are left out.

    `change` receives the part and the whole schema, in which references are looked up.
    """

    def changed(node: Json, rest: tuple[str, ...]) -> Json:
        return {**node, rest[0]: changed(node[rest[0]], rest[1:])} if rest else change(node, schema)

    made, defs = changed(schema, path), schema.get("$defs", {})
    kept = reached({**made, "$defs": {}}, defs)
    return {**made, "$defs": {name: part for name, part in defs.items() if name in kept}}


def starts(schema: Json) -> str:
    """Return the characters with which JSON text of this schema may begin."""
    found = [_starts(node) for node in alternatives(schema)]
    return "".join(sorted(set().union(*found))) if found and all(found) else ANY_START


def _starts(node: Json) -> set[str]:
    if "enum" in node or "const" in node:
        values = node.get("enum", [node.get("const")])
        return {c for value in values for c in _STARTS.get(_PYTHON.get(type(value), ""), ANY_START)}
    kinds = node.get("type", ())
    return {c for kind in ([kinds] if isinstance(kinds, str) else kinds) for c in _STARTS.get(kind, ANY_START)}
