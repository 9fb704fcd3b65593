"""An object that stood by itself, in no list: an item, the list under another name than was asked for, or neither.

That it validates proves nothing where every field of an item may be missing: an object is an item if it has a key of
one. Where items may have any keys, it is one unless it looks like a wrapper.
"""

from __future__ import annotations

import json
from typing import Any

from instructor.engine.call import Json
from instructor.engine.ports import Bad, Good, Outcome
from instructor.exceptions import ResponseParsingError
from instructor.output.schema import starts
from instructor.text import loose
from instructor.text.items import ANY_KEY, NESTED

KEY = "tasks"
"""The key of the wrapper that holds the list."""


class Lone:
    """What is known of the keys of an item's type, by its JSON Schema and the keys that we add to it."""

    def __init__(self, name: str, schema: Json, *added: str) -> None:
        self._name = name
        # Free: it may have any keys. Certain: what is valid has a key of an item.
        keys, self._free, self.certain = _known(schema, schema.get("$defs", {}), frozenset())
        self._keys = keys | set(added)
        self._marks = (*((ANY_KEY,) if self._free else ()), *((NESTED,) if _nests(schema) else ()))

    @property
    def rivals(self) -> frozenset[str]:
        """The keys of an item, if one of them is the wrapper's, too."""
        if KEY not in self._keys:
            return frozenset()
        return frozenset((*self._keys, *self._marks))

    def owns(self, outcome: Outcome) -> bool:
        """Whether this is an item, right or wrong, wherever it stood."""
        if isinstance(outcome, Good) and self.certain:
            return True
        value = _parsed(outcome.text)
        if not isinstance(value, dict) or self._shares(outcome, value):
            return True
        return self._free and bool(value) and KEY not in value and _unwrapped(value) is None

    def counts(self, outcome: Outcome) -> bool:
        """Whether this is right, and no stranger among the elements of a list under another name."""
        return isinstance(outcome, Good) and (
            self._free or not isinstance(value := _parsed(outcome.text), dict) or self._shares(outcome, value)
        )

    def line(self, outcome: Outcome) -> Outcome:
        """Give what is known to stand in the place of an item: it is wrong if it has no key of one."""
        if isinstance(outcome, Bad) or self._free or self.owns(outcome):
            return outcome
        error = ResponseParsingError(f"The object has no key of {self._name}.", text=outcome.text)
        return Bad(outcome.at, outcome.text, error)

    def inside(self, outcome: Outcome) -> list[str]:
        """Give the texts of what may be items, of an object that is none but holds just one list of them."""
        value = _parsed(outcome.text)
        found = _unwrapped(value) if isinstance(value, dict) else None
        return [json.dumps(each, ensure_ascii=False) for each in found or ()]

    def under_key(self, outcome: Outcome) -> list[str]:
        """Give the texts of what stands under the wrapper's key, in an object that has a key of an item, too."""
        value = _parsed(outcome.text)
        found = _meant(value.get(KEY)) if isinstance(value, dict) else None
        if isinstance(found, dict):  # one item, without the brackets of the list
            found = [found]
        return [json.dumps(each, ensure_ascii=False) for each in found] if isinstance(found, list) else []

    def may_be(self, outcome: Outcome) -> bool:
        """Whether what looks like a wrapper can be an item all the same."""
        return self._free and isinstance(outcome, Good) and not {KEY}.issuperset(_parsed(outcome.text) or ())

    def _shares(self, outcome: Outcome, value: Json) -> bool:
        if not self._keys.isdisjoint(value):
            return True
        made = outcome.value if isinstance(outcome, Good) else None  # by another alias, or a validator of the user's
        return bool(getattr(made, "model_fields_set", set()) - set(getattr(made, "model_extra", None) or ()))


def _parsed(text: str) -> Any:
    whole = loose.repair(text)
    return None if whole is None else json.loads(whole)


def _unwrapped(value: Json) -> list[Any] | None:
    """Give the one list that an object holds, written as JSON or as a text of it, under one key or under several."""
    while True:
        inner = [_meant(each) for each in value.values()]
        lists = [each for each in inner if isinstance(each, list)]
        if len(lists) == 1:
            return lists[0]
        if len(inner) != 1 or not isinstance(inner[0], dict):
            return None
        if KEY in value and _unwrapped(inner[0]) is None:  # one item, without the brackets of the list
            return [inner[0]]
        value = inner[0]


def _meant(value: Any) -> Any:
    """Read a text that is JSON's object or array."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            pass
    return value


def _nests(schema: Json) -> bool:
    """Whether an item's own list under the wrapper's key may hold objects; where it is not plain, it may."""
    target = schema.get("$defs", {}).get(str(schema.get("$ref", "")).rsplit("/", 1)[-1], schema)
    own = target.get("properties", {}).get(KEY, {})
    return "{" in starts({**own.get("items", {}), "$defs": schema.get("$defs", {})})


def _known(schema: Json, defs: Json, seen: frozenset[str]) -> tuple[set[str], bool, bool]:
    """Give an object's keys, whether it may have others, and whether one of them is required."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = reference.rsplit("/", 1)[-1]
        return (set(), False, True) if name in seen else _known(defs.get(name, {}), defs, seen | {name})
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            parts = [_known(part, defs, seen) for part in schema[key]]
            return set().union(*(part[0] for part in parts)), any(p[1] for p in parts), all(p[2] for p in parts)
    if schema.get("type", "object") != "object" or "enum" in schema or "const" in schema:
        return set(), False, True
    keys = set(schema.get("properties", ()))
    free = (
        not keys if "type" not in schema else bool(schema.get("additionalProperties") or "patternProperties" in schema)
    )
    return keys, free, bool(schema.get("required"))
