"""JSON Schema, cut to what a wire's constrained decoding takes: one compiler, and a row of facts for each subset.

A subset is a list of what passes. What does not pass, and only narrows values (a length, a range, a pattern), is left
out and listed as a loss: validation checks it anyway. What cannot be left out without changing the shape (an object
with keys of any name, say) is an obstacle, and the schema has no form for that wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from instructor.core.types import Json
from instructor.schema.json_schema import name_in, reached

_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_ITEMS = frozenset({"minItems", "maxItems"})
_DATES = frozenset({"date-time", "time", "date", "duration"})
_FORMATS = _DATES | {"email", "hostname", "ipv4", "ipv6", "uuid"}
_SHAPE = frozenset({"type", "enum", "description", "required"})
_SAYS_NOTHING = frozenset({"default", "deprecated", "discriminator", "examples", "readOnly", "title", "writeOnly"})
_MAKES_MORE = frozenset(
    {"$defs", "additionalProperties", "anyOf", "const", "format", "items", "oneOf", "prefixItems", "properties"}
)
_LOOKS_AROUND = re.compile(r"\(\?(?!:)|\\[1-9bB]")


@dataclass(frozen=True, slots=True)
class Subset:
    """What the constrained decoding of a wire takes."""

    keywords: frozenset[str]
    """The keywords that narrow values, of those that pass."""
    formats: frozenset[str]
    closed: bool = True
    """Objects have `additionalProperties: false`."""
    all_required: bool = False
    """Objects list all of their keys as required."""
    free_keys: bool = False
    """Objects may have keys of any name."""
    tuples: bool = False
    recursion: Literal["yes", "optional", "no"] = "yes"
    """Whether a type may hold itself: anywhere, or only in fields that may be left out."""
    unions: bool = True
    """Only that something may be null can be said without."""
    one_item: bool = False
    """`minItems` may be 0 or 1 only."""
    constants: bool = True
    """`const` passes; otherwise it is an enum of one value."""
    anchors: bool = True
    """A pattern may have `^` and `$`."""


OPENAI = Subset(_NUMBERS | _ITEMS | {"pattern"}, _FORMATS, all_required=True)
"""developers.openai.com, "Structured model outputs", supported schemas."""
ANTHROPIC = Subset(frozenset({"pattern", "minItems"}), _FORMATS | {"uri"}, recursion="no", one_item=True)
"""platform.claude.com, "Structured outputs", JSON Schema limitations."""
BEDROCK = ANTHROPIC
"""docs.aws.amazon.com, Bedrock user guide, "Structured outputs": the same."""
GEMINI = Subset(
    _ITEMS | {"minimum", "maximum"},
    _DATES,
    closed=False,
    free_keys=True,
    tuples=True,
    recursion="optional",
    constants=False,
)
"""ai.google.dev, `GenerationConfig.responseJsonSchema`."""
COHERE = Subset(
    frozenset({"pattern"}),
    frozenset({"date-time", "uuid", "date", "time"}),
    closed=False,
    free_keys=True,
    unions=False,
    anchors=False,
)
"""docs.cohere.com, "Structured outputs", unsupported schema features."""
XAI = Subset(
    _NUMBERS | {"pattern"},
    frozenset({"date", "time", "date-time", "email", "uuid", "ipv4"}),
    free_keys=True,
    recursion="no",
)
"""docs.x.ai, "Structured Outputs", JSON Schema support. Lengths are refused; tools' schemas are held to as well."""


class Fitted(NamedTuple):
    """A schema in a wire's form, None where it has none, and what was lost or stands in the way: `what @ path`."""

    schema: Json | None
    losses: list[str]
    obstacles: list[str]


def fit(schema: Json, subset: Subset) -> Fitted:
    """Cut a schema to a subset."""
    return _Fitting(schema, subset).fitted()


class _Fitting:
    def __init__(self, schema: Json, subset: Subset) -> None:
        self._subset, self._schema = subset, schema
        self._defs: Json = schema.get("$defs", {})
        self._looping = {name for name in self._defs if name in reached(self._defs[name], self._defs)}
        self._losses: dict[str, None] = {}
        self._obstacles: dict[str, None] = {}

    def fitted(self) -> Fitted:
        made = self._node({key: value for key, value in self._schema.items() if key != "$defs"}, "$")
        kept = reached(made, self._defs)
        if self._looping & kept and self._subset.recursion == "no":
            self._bars(f"a type that holds itself: {', '.join(sorted(self._looping & kept))}", "$")
        if kept:
            made["$defs"] = {name: self._node(self._defs[name], name) for name in self._defs if name in kept}
        return Fitted(None if self._obstacles else made, list(self._losses), list(self._obstacles))

    def _loses(self, what: str, path: str) -> None:
        self._losses[f"{what} @ {path}"] = None

    def _bars(self, what: str, path: str) -> None:
        self._obstacles[f"{what} @ {path}"] = None

    def _node(self, node: Any, path: str) -> Json:
        if not isinstance(node, dict):
            node = {}
        if "$ref" in node:
            return self._reference(node, path)
        if "allOf" in node:
            return self._node(_joined(node), path)
        made: Json = {}
        for key, value in node.items():
            if key in _SHAPE or key in self._subset.keywords:
                made[key] = value
        lost = self._narrow(made, node)
        for what in lost:
            self._loses(what, path)
        if lost:  # nobody holds the model to it, so the prompt says it
            made["description"] = "; ".join([*filter(None, [node.get("description")]), *lost])
        self._union(made, node, path)
        if node.get("type") == "object" or "properties" in node:
            self._object(made, node, path)
        if node.get("type") == "array" or "prefixItems" in node:
            self._array(made, node, path)
        if not made.keys() & {"type", "enum", "const", "anyOf"} and not node.keys() & {"anyOf", "oneOf"}:
            self._bars("a value of any type", path)
        return made

    def _reference(self, node: Json, path: str) -> Json:
        """Keep a reference; what is said beside it is said of a copy, for a reference stands alone."""
        name = name_in(str(node["$ref"]))
        beside = {key: value for key, value in node.items() if key != "$ref" and key not in _SAYS_NOTHING}
        if name in self._looping or not beside:
            return {"$ref": node["$ref"]}
        return self._node({**self._defs.get(name, {}), **beside}, path)

    def _narrow(self, made: Json, node: Json) -> list[str]:
        """Keep what narrows the values, as far as the wire takes it; list the rest."""
        subset = self._subset
        lost = [
            f"{key}={value}" if isinstance(value, (str, int, float)) else key
            for key, value in node.items()
            if key not in _SHAPE | _SAYS_NOTHING | _MAKES_MORE | subset.keywords
        ]
        if "const" in node:
            made.update({"const": node["const"]} if subset.constants else {"enum": [node["const"]]})
        if node.get("format") in subset.formats:
            made["format"] = node["format"]
        elif "format" in node:
            lost.append(f"format={node['format']}")
        if "pattern" in made and _LOOKS_AROUND.search(made["pattern"]):
            lost.append(f"pattern={made.pop('pattern')}")
        elif "pattern" in made and not subset.anchors:
            made["pattern"] = str(made["pattern"]).removeprefix("^").removesuffix("$")
        if subset.one_item and made.get("minItems", 0) > 1:
            lost.append(f"minItems={made['minItems']}")
            made["minItems"] = 1
        return lost

    def _union(self, made: Json, node: Json, path: str) -> None:
        members = [*node.get("anyOf", ()), *node.get("oneOf", ())]
        if not members:
            return
        if self._subset.unions:
            made["anyOf"] = [self._node(member, path) for member in members]
            return
        real = [member for member in members if member.get("type") != "null"]
        if len(real) == 1:  # what may be null has two types
            one = self._node({**real[0], **{k: v for k, v in made.items() if k == "description"}}, path)
            if "$ref" in one or "enum" in one:
                self._loses("null", path)
                made.update(one)
            else:
                made.update({**one, "type": [one["type"], "null"] if "type" in one else ["null"]})
        else:
            self._bars("a union", path)

    def _object(self, made: Json, node: Json, path: str) -> None:
        subset, free = self._subset, node.get("additionalProperties")
        fields: Json | None = node.get("properties")
        if fields is not None:
            made["properties"] = {name: self._node(part, f"{path}.{name}") for name, part in fields.items()}
        if isinstance(free, dict) or (fields is None and free is not False):
            if not subset.free_keys:
                self._bars("keys of any name", path)
            elif free:
                made["additionalProperties"] = self._node(free, f"{path}.*") if isinstance(free, dict) else True
            return
        if free is True and not subset.free_keys:
            self._loses("further keys", path)
        if free is True and subset.free_keys:
            made["additionalProperties"] = True
        elif subset.closed or free is False:
            made["additionalProperties"] = False
        if subset.recursion == "optional":
            loops = {name: self._looping & reached(part, {}) for name, part in (fields or {}).items()}
            cyclic = [name for name in made.get("required", ()) if loops.get(name)]
            for name in cyclic if path in self._looping else ():
                self._loses("required", f"{path}.{name}")
                made["required"] = [each for each in made["required"] if each != name]
        if subset.all_required:
            for name in sorted((fields or {}).keys() - set(node.get("required", ()))):
                self._loses("always written", f"{path}.{name}")
            made["required"] = list(fields or {})

    def _array(self, made: Json, node: Json, path: str) -> None:
        parts = node.get("prefixItems")
        if parts is not None:
            if not self._subset.tuples:
                self._bars("a tuple", path)
                return
            made["prefixItems"] = [self._node(part, f"{path}[{at}]") for at, part in enumerate(parts)]
        if "items" in node or parts is None:
            made["items"] = self._node(node.get("items", {}), f"{path}[*]")


def _joined(node: Json) -> Json:
    """Merge the parts of an `allOf` into one schema."""
    made: Json = {key: value for key, value in node.items() if key != "allOf"}
    for part in node["allOf"]:
        for key, value in part.items():
            if key == "properties":
                made[key] = {**value, **made.get(key, {})}
            elif key == "required":
                made[key] = list(dict.fromkeys([*value, *made.get(key, ())]))
            else:
                made.setdefault(key, value)
    return made
