"""Arguments of a call that come value by value, with their paths, are the text that they are told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from instructor.providers.google.dialect import Arguments, Calls

KEYS = st.text(min_size=1, max_size=5)
LEAVES = st.none() | st.booleans() | st.integers(-9999, 9999) | st.just(0.5) | st.text(max_size=12)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1, max_size=3),
    max_leaves=8,
)


def told(value: Any, path: str, size: int) -> Iterator[dict[str, Any]]:
    """Tell of a value as the wire does, a text in pieces of `size` characters."""
    if isinstance(value, dict):
        for key, part in value.items():
            quoted = key.replace("\\", "\\\\").replace("'", "\\'")
            yield from told(part, f"{path}.{key}" if key.isidentifier() else f"{path}['{quoted}']", size)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from told(part, f"{path}[{at}]", size)
    elif isinstance(value, str):
        pieces = [value[at : at + size] for at in range(0, len(value), size)] or [""]
        for at, piece in enumerate(pieces, 1):
            yield {"jsonPath": path, "stringValue": piece, **({"willContinue": True} if at < len(pieces) else {})}
    elif value is None:
        yield {"jsonPath": path, "nullValue": "NULL_VALUE"}
    else:
        yield {"jsonPath": path, ("boolValue" if isinstance(value, bool) else "numberValue"): value}


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.integers(1, 5))
def test_values_by_their_paths_are_the_text(value: dict[str, Any], size: int) -> None:
    arguments = Arguments()
    text = "".join(map(arguments.write, told(value, "$", size))) + arguments.close()
    assert json.loads(text) == value


def test_a_text_that_goes_on_and_then_does_not() -> None:
    arguments = Arguments()
    begun = arguments.write({"jsonPath": "$.a", "stringValue": "x", "willContinue": True})
    other = arguments.write({"jsonPath": "$.b", "boolValue": True})
    assert json.loads(begun + other + arguments.close()) == {"a": "x", "b": True}


def test_calls_are_numbered_whole_or_not() -> None:
    calls = Calls()
    parts: list[dict[str, Any]] = [
        {"functionCall": {"name": "a", "args": {"x": 1}}},
        {"functionCall": {"name": "b", "willContinue": True}, "thoughtSignature": "c2ln"},
        {"functionCall": {"partialArgs": [{"jsonPath": "$.y", "numberValue": 2.0}], "willContinue": True}},
        {"functionCall": {}},
        {"functionCall": {"name": "c"}},
    ]
    read = [calls.read(part) for part in parts]
    assert [(delta.channel, delta.name, delta.id) for delta in read] == [
        (0, "a", "called"),
        (1, "b", "signature:c2ln"),
        (1, None, None),
        (1, None, None),
        (2, "c", "called"),
    ]
    assert [delta.text for delta in read] == ['{"x": 1}', "", '{"y": 2', "}", "{}"]
