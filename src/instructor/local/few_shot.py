"""Worked examples made from a schema: short texts, each with the JSON that is read from it.

Shown as earlier turns they keep a very small model from running away, which the schema itself in the prompt does not.
The number of items differs from one to the next, or it would copy the count; so does the wording.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from instructor.core.types import Json
from instructor.schema.json_schema import lookup

TURNS = (
    (2, "My first one, {0.who}, {0.does}, my second, {1.who} ({1.clause}), is here too."),
    (1, "We met {0.who}, {0.clause}."),
    (3, "The list is {0.who}, {0.clause}, and {1.who}, {1.longer}, and {2.who}, who {2.does}."),
    (1, "Now {0.who} {0.does}."),
)
"""How many items each example has, and how they are described."""
ONE = (1, 3, 1)
"""The turns of an answer that is no list."""
CHARACTERS = 2400
"""What all examples together may take of the prompt, the first one always given."""

_NAMES = ("Hugo", "Grace", "Oliver", "Peter", "Lily", "Zoe", "Walter")
_KINDS: tuple[tuple[str, Sequence[Any]], ...] = (
    (r"mail", [f"{name.lower()}@example.com" for name in _NAMES]),
    (r"phone", ("555 0134", "555 0172", "555 0118", "555 0151", "555 0169", "555 0107", "555 0126")),
    (r"url|link|website", [f"https://example.com/{name.lower()}" for name in _NAMES]),
    (r"city|town|place|location", ("Oslo", "Lima", "Cairo", "Quito", "Perth", "Turin", "Leeds")),
    (r"country|nation", ("Norway", "Peru", "Egypt", "Ecuador", "Australia", "Italy", "England")),
    (r"job|occupation|profession|role", ("baker", "pilot", "nurse", "farmer", "singer", "judge", "sailor")),
    (r"colou?r", ("green", "white", "purple", "black", "orange", "pink", "brown")),
    (
        r"title|product|item|book|film|movie",
        ("Long River", "Silver Lamp", "Old Harbor", "Wild Oak", "Stone", "Sand", "Snow"),
    ),
    (r"company|employer|organi[sz]ation", ("Norvik", "Altamar", "Brixel", "Corda", "Delmont", "Everest", "Fjord")),
    (r"year", (1987, 2003, 1964, 1998, 2011, 1975, 2018)),
    (r"name|person|author|user|who|customer", _NAMES),
)
_WORDS = ("oak", "river", "candle", "garden", "silver", "winter", "harbor")
_NUMBERS = (52, 38, 71, 44, 3, 16, 29)
_FORMATS = {
    "date": "{0}-05-1{1}",
    "time": "1{1}:30:00",
    "date-time": "{0}-05-1{1}T10:30:00",
    "email": "{2}@example.com",
    "uri": "https://example.com/{2}",
    "duration": "P{1}D",
    "ipv4": "10.0.0.{1}",
    "uuid": "12345678-1234-4234-8234-12345678900{1}",
}
_PHRASES: tuple[tuple[str, str, str, str], ...] = (
    (r"(^|_)age$", "is {v} years old", "{v}", "aged {v}"),
    (r"job|occupation|profession|role", "works as a {v}", "a {v}", "a {v}"),
    (r"city|town|country|place|location", "lives in {v}", "from {v}", "from {v}"),
    (r"year", "dates from {v}", "of {v}", "of {v}"),
    (r"author", "was written by {v}", "by {v}", "by {v}"),
)
"""A field's phrase as what one does or is, as a short clause, and as a longer one."""


Path = tuple[int, ...]
"""The objects that a part lies in."""


class Leaf(NamedTuple):
    """One value of an example, and the name it has in the schema."""

    name: str
    value: Any

    def say(self, form: int) -> str:
        """Return it as a predicate (0), a short clause (1) or a longer one (2)."""
        words = re.sub(r"[_\W]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name)).strip().lower()
        if isinstance(self.value, bool):
            return ("is " if form == 0 else "") + ("" if self.value else "not ") + words
        for pattern, *phrases in _PHRASES:
            if re.search(pattern, self.name.lower()):
                return phrases[form].format(v=self.value)
        return f"has the {words} {self.value}" if form == 0 else f"{words} {self.value}"


class Said(NamedTuple):
    """One item of an example in words."""

    who: str
    does: str
    clause: str
    longer: str


def examples(schema: Json) -> list[tuple[str, str]]:
    """Make the examples: what the user would say, and the JSON that answers it. A single scalar needs none."""
    maker = _Maker(schema)
    root = maker.resolve(schema)
    fields: Json = root.get("properties") or {}
    key = next(iter(fields), "")
    only = maker.resolve(fields[key]) if len(fields) == 1 else None
    if not fields or (only is not None and only.get("type") not in ("array", "object")):
        return []
    listed = only or {}
    many = listed.get("type") == "array" and "items" in listed
    made: list[tuple[str, str]] = []
    row = 0
    for count, telling in TURNS if many else [TURNS[turn] for turn in ONE]:
        node, name = (listed["items"], key) if many else (root, "")
        values = [maker.value(node, name, row + place, ()) for place in range(count)]
        row += count
        said = [_said(list(_leaves(value, name, maker, node))) for value in values]
        answer = {key: values} if many else values[0]
        made.append((_tell(said, telling), json.dumps(answer, ensure_ascii=False)))
        if made[1:] and sum(len(part) for pair in made for part in pair) > CHARACTERS:
            return made[:-1]
    return made


def _tell(said: list[Said], telling: str) -> str:
    if all(one.does for one in said):
        return telling.format(*said)
    names = [one.who for one in said]  # nothing to say of them: a list of words
    return f"{', '.join(names[:-1])} and {names[-1]}." if len(names) > 1 else f"Only {names[0]}."


def _said(row: list[Leaf]) -> Said:
    named = _named(row)
    rest = [leaf for leaf in row if leaf is not named]
    forms = (joint.join(leaf.say(form) for leaf in rest) for form, joint in enumerate((" and ", ", ", ", ")))
    return Said(str(named.value) if named else "one", *forms)


def _named(row: list[Leaf]) -> Leaf | None:
    texts = [leaf for leaf in row if isinstance(leaf.value, str)]
    return next((leaf for leaf in texts if re.search(r"name|title", leaf.name.lower())), texts[0] if texts else None)


def _leaves(value: Any, name: str, maker: _Maker, node: Any) -> Iterator[Leaf]:
    """List what an example's value says; what its schema fixes is not said."""
    node = maker.resolve(node)
    if "const" in node or value is None:
        return
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, key, maker, (node.get("properties") or {}).get(key, {}))
    elif isinstance(value, list) and value and not any(isinstance(part, (dict, list)) for part in value):
        yield Leaf(name, " and ".join(str(part) for part in value))
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, name, maker, node.get("items", {}))
    else:
        yield Leaf(name, value)


class _Maker:
    """Makes values that fit a schema's parts."""

    def __init__(self, schema: Json) -> None:
        self._schema = schema

    def resolve(self, node: Any) -> Json:
        """Follow references, and choose among alternatives: the first that is not null."""
        for _ in range(16):  # a reference may lead to itself
            if not isinstance(node, dict):
                return {}
            choices = node.get("anyOf") or node.get("oneOf") or node.get("allOf")
            if "$ref" in node:
                node = lookup(self._schema, node["$ref"])
            elif choices:
                node = next((one for one in choices if one.get("type") != "null"), choices[0])
            else:
                return node
        return {}

    def value(self, node: Any, name: str, row: int, above: Path) -> Any:
        members = (node.get("anyOf") or node.get("oneOf") or []) if isinstance(node, dict) else []
        objects = [one for one in members if self.resolve(one).get("type") == "object"]
        node = self.resolve(objects[row % len(objects)] if objects else node)
        kind = node.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if "const" in node:
            return node["const"]
        if node.get("enum"):
            return node["enum"][row % len(node["enum"])]
        if kind == "object" or "properties" in node:
            return self._object(node, row, above)
        if kind == "array":
            return self._array(node, name, row, above)
        if kind == "boolean":
            return row % 2 == 0
        if kind in ("integer", "number"):
            return self._number(node, name, row)
        return None if kind == "null" else self._text(node, name, row)

    def _object(self, node: Json, row: int, above: Path) -> Json:
        path = (*above, id(node))
        fields: Json = node.get("properties") or {}
        needed = node.get("required", ())
        return {
            key: self.value(part, key, row, path)
            for key, part in fields.items()
            if not self._again(part, path) or (key in needed and path.count(id(node)) == 1)
        }

    def _array(self, node: Json, name: str, row: int, above: Path) -> list[Any]:
        if node.get("prefixItems"):
            return [self.value(part, name, row, above) for part in node["prefixItems"]]
        items = node.get("items", {})
        if self._again(items, above):
            return []
        count = min(max(node.get("minItems", 0), 1 + row % 2), node.get("maxItems", 2))
        return [self.value(items, name, row + place, above) for place in range(count)]

    def _again(self, node: Any, above: Path) -> bool:
        """Return whether a part is an object that it lies in: a tree would go on for ever."""
        return id(self.resolve(node)) in above

    def _number(self, node: Json, name: str, row: int) -> int | float:
        drawn = _drawn(name)
        number: int = drawn[row % len(drawn)] if drawn and isinstance(drawn[0], int) else _NUMBERS[row % len(_NUMBERS)]
        low: Any = node.get("minimum", node.get("exclusiveMinimum"))
        high: Any = node.get("maximum", node.get("exclusiveMaximum"))
        if (low is not None and number <= low) or (high is not None and number >= high):
            least = low if low is not None else high - 10
            middle: float = (least + (high if high is not None else least + 20)) / 2
            return round(middle) if node["type"] == "integer" else round(middle, 3)
        return number if node["type"] == "integer" else number + 0.5

    def _text(self, node: Json, name: str, row: int) -> str:
        if node.get("format") in _FORMATS:
            return _FORMATS[node["format"]].format(1980 + _NUMBERS[row % 7] % 40, row % 9 + 1, _NAMES[row % 7].lower())
        drawn = _drawn(name) or _WORDS
        return str(drawn[row % len(drawn)])


def _drawn(name: str) -> Sequence[Any]:
    return next((pool for pattern, pool in _KINDS if re.search(pattern, name.lower())), ())
