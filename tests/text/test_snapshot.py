"""Growing values: each snapshot a prefix of the next, what is closed the same object, no work done twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from documents import OBJECTS, PROSE, SEEDS, VALUES, cuts, write
from hypothesis import given, settings
from hypothesis import strategies as st

from instructor.parsing.snapshot import DEEPEST, Plain, Snapshot


def grow(pieces: list[str], opens: str = "{[") -> tuple[list[Any], Snapshot]:
    reader = Snapshot(Plain(), opens)
    found = [reader.feed(piece) for piece in pieces]
    assert reader.looked <= 2 * sum(map(len, pieces))
    return [value for value in found if value is not None], reader


def is_prefix(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and is_prefix(v, whole[k]) for k, v in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) <= len(whole) and all(map(is_prefix, part, whole))
    if isinstance(part, str):
        return isinstance(whole, str) and whole.startswith(part)
    return type(part) is type(whole) and bool(part == whole)


def keeps(old: Any, new: Any) -> bool:
    """Tell whether all of `old` but its last part, which may be open, is the same objects in `new`."""
    if not old or type(old) is not type(new) or not isinstance(old, (dict, list)):
        return True
    keys = list(old) if isinstance(old, dict) else list(range(len(old)))
    return all(old[key] is new[key] for key in keys[:-1]) and keeps(old[keys[-1]], new[keys[-1]])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), value=OBJECTS, seed=SEEDS, prose=st.sampled_from(PROSE))
def test_snapshots_grow_to_the_parsed_whole(data: st.DataObject, value: Any, seed: int, prose: str) -> None:
    found, reader = grow(data.draw(cuts(f"{prose}{write(value, seed)}\nDone.")), opens="{")
    assert found[-1] == value
    assert reader.closed
    assert all(is_prefix(old, new) and keeps(old, new) for old, new in pairwise([*found, value]) if new is not value)
    assert all(is_prefix(snapshot, value) for snapshot in found)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), value=st.lists(VALUES, max_size=4), seed=SEEDS)
def test_arrays_grow_as_objects_do(data: st.DataObject, value: Any, seed: int) -> None:
    found, reader = grow(data.draw(cuts(write(value, seed))))
    assert found[-1] == value
    assert reader.closed
    assert all(is_prefix(old, new) and keeps(old, new) for old, new in pairwise(found))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), text=st.text(st.sampled_from('{}[]",:\\u \nd83e1ta'), max_size=60))
def test_any_text_ends_in_the_same_value_for_any_cutting(data: st.DataObject, text: str) -> None:
    _, whole = grow([text])
    _, cut = grow(data.draw(cuts(text)))
    assert (cut.value, cut.closed, cut.text) == (whole.value, whole.closed, text)


def test_every_character_is_shown_as_soon_as_it_is_known() -> None:
    text = r'{"a":"x\n\u00e9\ud83d\ude00\\u1","b":-12.5,"c":[true,null]}'
    reader = Snapshot(Plain())
    shown = {text[: end + 1]: reader.feed(c) for end, c in enumerate(text)}
    assert shown["{"] is None
    assert shown['{"'] == {}
    assert shown['{"a":"'] == {"a": ""}
    assert shown['{"a":"x\\'] == {"a": "x"}
    assert shown['{"a":"x\\n\\u00e'] == {"a": "x\n"}
    assert shown['{"a":"x\\n\\u00e9\\ud83d\\ude0'] == {"a": "x\né"}
    assert shown['{"a":"x\\n\\u00e9\\ud83d\\ude00\\\\'] == {"a": "x\né😀\\"}
    whole = "x\né😀\\u1"
    assert shown[text[: text.index("12.5") + 4]] == {"a": whole}
    assert shown[text[: text.index("12.5") + 5]] == {"a": whole, "b": -12.5}
    assert shown[text[: text.index("null") + 4]] == {"a": whole, "b": -12.5, "c": [True]}
    assert shown[text] == json.loads(text)


def test_text_that_changes_nothing_gives_the_same_object() -> None:
    reader = Snapshot(Plain())
    before = reader.feed('{"a": {"b": 1}, ')
    assert reader.feed('"c"') is before
    assert reader.feed(" : 12") is before
    assert reader.feed(",") is not before


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "value", "closed"),
    [
        ('see [1] {x} {"a": 1}', {"a": 1}, True),
        ('{"quoted" is} nice {"a": 1}', {"a": 1}, True),
        ('{"a": 1 "b": [1 2,],}', {"a": 1, "b": [1, 2]}, True),
        ('{"a": "x\ny"}', {"a": "x\ny"}, True),
        ('{"a": 1} {"b": 2}', {"a": 1}, True),
        ('{"a": 1, b: 2}', {"a": 1}, False),
        ('{"a": [1, 2}, "b": 2}', {"a": [1, 2]}, False),
        ('{"a": 1, "b": it, "c": 2}', {"a": 1}, False),
        ('{"a": {}, "b": [], "c": ""}', {"a": {}, "b": [], "c": ""}, True),
        ('{"a": "\\x", "b": 1}', {"a": "\\x", "b": 1}, True),
        ('{"a": [1', {"a": []}, False),
        ("nothing", None, False),
    ],
)
def test_what_cannot_be_read_leaves_the_value_as_it_is(text: str, value: Any, closed: bool, size: int) -> None:
    found, reader = grow([text[at : at + size] for at in range(0, len(text), size)], opens="{")
    assert (found[-1] if found else None) == value
    assert reader.closed is closed


def test_deeper_than_any_validator_goes_nothing_is_shown() -> None:
    found, reader = grow(list('{"a":' * 2 * DEEPEST))
    depth, value = 0, found[-1]
    while value:
        depth, value = depth + 1, value["a"]
    assert depth == DEEPEST - 1
    assert not reader.closed


class Counting(Plain):
    """The plain shape; counts how many containers are shown."""

    def __init__(self) -> None:
        self.shown = 0

    def show(self, parts: Any, /) -> Any:
        self.shown += 1
        return parts

    def close(self, parts: Any, text: str | None, _how: Mapping[str, Any], /) -> Any:
        assert text is None, "nothing here is made from its text"
        return self.show(parts)


def test_a_snapshot_makes_the_open_containers_only() -> None:
    text = json.dumps({"people": [{"name": f"Jason {n}", "tags": ["a", "b"]} for n in range(200)]})
    shape = Counting()
    reader = Snapshot(shape)
    for at in range(0, len(text), 4):
        before = shape.shown
        reader.feed(text[at : at + 4])
        assert shape.shown - before <= 6  # four open at most, and what closes with them


def test_strings_grow_although_snapshots_hold_them() -> None:
    reader = Snapshot(Plain())
    reader.feed('{"a":"')
    held = [reader.feed("é" if n == 30 else "x") for n in range(1, 50)]
    assert [len(snapshot["a"]) for snapshot in held if snapshot] == list(range(1, 50))
    assert held[-1] == {"a": "x" * 29 + "é" + "x" * 19}
