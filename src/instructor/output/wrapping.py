"""What a model puts around one value: a key of its own, the tool call that it is, a string of its JSON."""

from __future__ import annotations

import json
import re

from instructor.engine.call import Json
from instructor.text import loose

_KEYS = frozenset({
    "parameters", "arguments", "properties", "input", "params", "args", "kwargs", "function",
    "response", "result", "output", "answer", "data", "json",
})  # fmt: skip
"""Keys under which models put arguments, beside the name of the answer itself."""
_BESIDE = frozenset({"type", "id", "index", "title", "description", "required"})
"""What may stand beside such a key, and is no part of the answer."""
_NAMES = ("name", "tool_name", "tool", "recipient_name")
LEVELS = 4
"""How many such things may stand one in the other."""


_FIRST = re.compile(r'\s*\{\s*"([^"\\]*)"\s*:\s*(?:"([^"\\]*)")?')


class Wrapping:
    """Knows the wrapped forms of one type's answer, by the answer's name and its JSON Schema."""

    def __init__(self, name: str, schema: Json) -> None:
        self._own: frozenset[str] = frozenset(schema["properties"])
        self._free = bool(schema.get("additionalProperties") or "patternProperties" in schema)
        self._names = frozenset({name, f"Partial{name}"})
        self._keys = (_KEYS | {form for each in self._names for form in (each, each.lower(), _snake(each))}) - self._own
        self._quoted = tuple(f'"{key}"' for key in self._keys)

    def suspects(self, text: str) -> bool:
        """Whether a valid text may be a wrapped answer all the same: where every field may be missing, say."""
        first = _FIRST.match(text)  # most texts begin with a key of the answer, and are not looked at any more
        if first is None or first[1] in self._keys:
            return first is not None
        named = first[1] in _NAMES and first[2] in self._names
        return (named or first[1] in _BESIDE) and any(key in text for key in self._quoted)

    def called(self, text: str) -> str | None:
        """Return the arguments of a text that is a call by the answer's name, `{"name": …, "arguments": …}`."""
        first = _FIRST.match(text)
        return self.inside(text, valid=False) if first and first[2] in self._names else None

    def inside(self, text: str, *, valid: bool) -> str | None:
        """Return the text that a wrapped answer holds; None for what is not wrapped.

        `valid`: the text itself is valid, so it is opened only if it cannot be meant as the answer.
        """
        inner = loose.inner(text)
        if inner is not None:
            return inner
        whole = loose.repair(text)
        if whole and whole.startswith("["):  # of one
            return alone if loose.members(alone := whole[1:-1]) else None
        parts = loose.members(whole) if whole else None
        if not parts:
            return None
        called = any(self._is_name(parts.get(key, "")) for key in _NAMES)
        keys = [key for key in parts if key in self._keys]
        beside = parts.keys() - keys
        if len(keys) != 1 or not beside <= (_BESIDE.union(_NAMES) if called else _BESIDE):
            return None
        if valid and not called and (self._free or not self._own.isdisjoint(beside)):
            return None
        inner = parts[keys[0]]
        return inner if inner[:1] in ("{", '"') else None

    def shares(self, text: str) -> bool:
        """Whether an object has a key of the answer."""
        whole = loose.repair(text)
        return not self._own or not self._own.isdisjoint((whole and loose.members(whole)) or ())

    def _is_name(self, written: str) -> bool:
        return written[:1] == '"' and json.loads(written) in self._names


def is_call(text: str) -> bool:
    """Whether a text begins as a call does, with a name."""
    first = _FIRST.match(text)
    return first is not None and first[1] in _NAMES


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")
