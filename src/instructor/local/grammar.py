"""A JSON Schema as a grammar that llama.cpp can hold a model to (LLGuidance's dialect).

A grammar that does not compile is dropped by llama.cpp without a word, and the model then writes what it likes. So
only keywords that are known to compile pass; the rest is left to validation. Spaces are fixed: freedom of layout
costs a third of the tokens and lets a small model write blanks for ever.
"""

from __future__ import annotations

import json
import re
from typing import Any

from instructor.core.types import Json
from instructor.exceptions import ProviderError
from instructor.schema.json_schema import lookup, references

_KEPT = {
    *("type", "enum", "const", "$ref", "required", "additionalProperties"),
    *("minItems", "maxItems", "minLength", "maxLength", "pattern", "format"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
DEPTH = 200
"""So many levels of a schema are compiled; each takes stack."""
_LISTS = ("anyOf", "allOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r"}
_FORMATS = {"date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}


def grammar(schema: Json) -> str:
    """Write the grammar of all documents that the schema allows."""
    return "%llguidance {}\nstart: %json " + json.dumps(
        {
            **fit(schema),
            "x-guidance": {
                "whitespace_flexible": False,
                "item_separator": ", ",
                "key_separator": ": ",
                "lenient": True,
            },
        }
    )


def fit(schema: Json) -> Json:
    """Rewrite the schema with what the grammar compiler understands."""
    fitted: Json = _fit(schema)
    for ref in references(fitted):
        if lookup(fitted, ref) is None:
            raise ProviderError("local", f"the schema refers to {ref!r}, which is not in it", schema)
    return fitted


def _fit(node: Any, depth: int = 0) -> Any:
    if depth > DEPTH:
        raise ValueError(f"the schema must not be nested deeper than {DEPTH} levels")
    depth += 1
    if not isinstance(node, dict):
        return node if isinstance(node, bool) else {}
    kept: Json = {key: value for key, value in node.items() if key in _KEPT}
    for key in _MAPS:
        if key in node:
            kept[key] = {name: _fit(one, depth) for name, one in node[key].items()}
    for key in _LISTS:
        if node.get(key):
            kept[key] = [_fit(one, depth) for one in node[key]]
    if node.get("oneOf"):  # "exactly one" is validation's business: the compiler refuses members that overlap
        kept["anyOf"] = [*kept.get("anyOf", []), *(_fit(one, depth) for one in node["oneOf"])]
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            kept[key] = _fit(node[key], depth)
    if "properties" in kept and "additionalProperties" not in kept:
        kept["additionalProperties"] = False
    if kept.get("format") not in _FORMATS:
        kept.pop("format", None)
    if "pattern" in kept:
        pattern = _plain(kept.pop("pattern"))
        if pattern is not None:
            kept["pattern"] = pattern
    return kept


def _plain(pattern: str) -> str | None:
    """Spell a pattern's classes out in ASCII; None where it looks around or back, which no automaton can."""
    if re.search(r"\(\?(?!:)|\\[1-9bBkAZz]", pattern):
        return None
    out, inside, at = [], False, 0
    while at < len(pattern):
        one = pattern[at : at + 2] if pattern[at] == "\\" else pattern[at]
        at += len(one)
        if one == "[":
            inside = True
        elif one == "]":
            inside = False
        if one[0] == "\\" and one[1:] in _CLASSES:
            one = _CLASSES[one[1:]] if inside else f"[{_CLASSES[one[1:]]}]"
        out.append(one)
    return "".join(out)
