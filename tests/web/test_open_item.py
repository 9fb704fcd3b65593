"""The item that is being written now, however its text is cut."""

from __future__ import annotations

import json
from typing import Any

import jiter
from hypothesis import given, settings
from hypothesis import strategies as some

from instructor.web.open_item import OpenItem

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(alphabet='ab{}[]",:\\ 😀', max_size=8),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.text(alphabet='a"{[', max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
ITEMS = some.lists(some.dictionaries(some.text(alphabet="abc", min_size=1, max_size=3), VALUES, max_size=3), max_size=4)
PIECES = some.lists(some.integers(1, 9), min_size=1, max_size=40)


def pieces_of(text: str, sizes: list[int]) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        size = sizes[len(found) % len(sizes)]
        found.append(text[at : at + size])
        at += size
    return found


def whole(prefix: str) -> Any:
    return jiter.from_json(prefix.encode(), partial_mode="trailing-strings")


@given(ITEMS, PIECES, some.sampled_from(['{{"tasks": {}}}', "{}", "Here: {}.", '{{"n": 1, "tasks": {}, "more": [1]}}']))
@settings(max_examples=400, deadline=None)
def test_a_list_however_it_is_cut(items: list[dict[str, Any]], sizes: list[int], form: str) -> None:
    text = form.format(json.dumps(items, ensure_ascii=False))
    start = text.index("[")
    reader, seen = OpenItem(many=True), ""
    for piece in pieces_of(text, sizes):
        reader.feed(piece)
        seen += piece
        value = reader.value()
        if value is not None:
            so_far = whole(seen[start:])
            assert value == so_far[-1]
            assert len(so_far) <= len(items)
    assert reader.value() is None


@given(some.dictionaries(some.text(max_size=4), VALUES, max_size=4), PIECES)
@settings(max_examples=200, deadline=None)
def test_one_value_however_it_is_cut(item: dict[str, Any], sizes: list[int]) -> None:
    reader, seen = OpenItem(many=False), ""
    for piece in pieces_of(json.dumps(item, ensure_ascii=False), sizes):
        reader.feed(piece)
        seen += piece
        value = reader.value()
        assert value is None or value == whole(seen)
    assert reader.value() is None


def test_a_long_item_is_read_again_only_when_it_has_grown() -> None:
    """All reads together look at a bounded number of characters for each that came."""
    reader, looked_at, size = OpenItem(many=True), 0, 200_000
    for piece in ['{"tasks": [{"text": "', *["x" * 10] * (size // 10)]:
        reader.feed(piece)
        value = reader.value()
        if value:
            looked_at += len(value["text"])
    assert size < looked_at < 10 * size
