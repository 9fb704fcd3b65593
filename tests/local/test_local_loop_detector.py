"""The loop detector: it ends loops, and leaves alone what only looks like one."""

from __future__ import annotations

import json

import pytest

from instructor.local.loop_detector import BLANKS, DIGITS, LoopDetector

PEOPLE = [{"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}, {"name": "Cid", "age": 3}]


def fed(text: str, size: int = 3, *, as_json: bool = True) -> str | None:
    detector = LoopDetector(json=as_json)
    return next((why for at in range(0, len(text), size) if (why := detector.feed(text[at : at + size]))), None)


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("round_", [PEOPLE[:1], PEOPLE[:2], PEOPLE])
def test_three_equal_rounds_of_items_are_a_loop(round_: list[dict[str, object]], size: int) -> None:
    assert fed(json.dumps({"tasks": round_ * 2}), size) is None
    assert fed(json.dumps({"tasks": round_ * 3}), size) == "items"


def test_a_loop_that_begins_late_is_found() -> None:
    assert fed(json.dumps({"tasks": [*PEOPLE, *PEOPLE[:1] * 3]})) == "items"


def test_equal_items_of_different_lists_are_no_loop() -> None:
    assert fed(json.dumps([{"kids": [{"name": "Ann"}], "at": place} for place in range(6)])) is None


def test_a_text_that_speaks_of_brackets_is_no_structure() -> None:
    assert fed(json.dumps({"tasks": ['{"a": 1}, {"a": 1}, {"a": 1}, \\"']})) is None


def test_endless_blanks_and_digits() -> None:
    assert fed('{"a": 1,' + " \n" * BLANKS) == "blanks"
    assert fed('{"a": ' + "1234567890" * (DIGITS // 10 + 1)) == "digits"
    assert fed(json.dumps(PEOPLE, indent=8)) is None


@pytest.mark.parametrize("as_json", [True, False])
def test_a_text_that_repeats_a_phrase_for_ever(as_json: bool) -> None:
    assert fed('{"a": "' + "to be or not " * 30, as_json=as_json) == "text"
    assert fed("".join(f"line {number} of a poem, " for number in range(30)), as_json=as_json) is None
