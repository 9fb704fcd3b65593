"""The same list once more in one call is a repeat; any other further list is the model's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import cuts
from hypothesis import given, settings
from hypothesis import strategies as st

from instructor.core.types import TEXT, Call, Delta, Valid
from instructor.mode import Mode
from instructor.outputs import list_for

LISTS = st.lists(st.lists(st.sampled_from(["a", "b", '"]}', ""]), max_size=3), min_size=1, max_size=4)


def wrapped(items: list[Any], **style: Any) -> str:
    return json.dumps({"tasks": items}, **style)


def read(kind: Any, texts: list[str], channel: int = 0) -> list[Any]:
    mode = Mode.JSON if channel == TEXT else Mode.TOOLS
    sink = list_for(kind).parser(Call([], list_for(kind), mode, stream=True))
    outcomes = [each for text in texts for each in sink.feed([Delta(channel, text)])] + sink.close(ended=True)
    assert [each.at for each in outcomes] == list(range(len(outcomes)))
    return [each.value for each in outcomes if isinstance(each, Valid)]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), lists=LISTS, channel=st.sampled_from([0, TEXT]))
def test_only_the_first_list_again_is_left_out(data: st.DataObject, lists: list[list[str]], channel: int) -> None:
    indents = data.draw(st.lists(st.sampled_from([None, 1]), min_size=len(lists), max_size=len(lists)))
    text = "".join(wrapped(items, indent=indent) for items, indent in zip(lists, indents, strict=True))
    first, *others = lists
    expected = [*first, *(item for items in others if items != first for item in items)]
    texts = [piece.decode() for piece in data.draw(cuts(text.encode()))]
    assert read(str, texts, channel) == expected


def test_items_of_a_further_list_wait_no_longer_than_they_are_the_same() -> None:
    output = list_for(int)
    sink = output.parser(Call([], output, Mode.TOOLS, stream=True))

    def fed(text: str) -> list[Any]:
        return [each.value for each in sink.feed([Delta(0, text)]) if isinstance(each, Valid)]

    assert fed('{"tasks": [1, 2, 3]}') == [1, 2, 3]
    assert fed('{"tasks": [1, 2, ') == []
    assert fed("4, ") == [1, 2, 4]
    assert fed("5]}") == [5]
    assert fed('{"tasks": [1, 2, 3, ') == []
    assert fed("3, ") == [1, 2, 3, 3]


@pytest.mark.parametrize("other", ["true", "1.0", '"1"', "[1]"])
def test_equal_by_python_is_not_the_same(other: str) -> None:
    assert read(Any, ['{"tasks": [1]}', f'{{"tasks": [{other}]}}']) == [1, json.loads(other)]


def test_what_is_cut_is_no_whole_repeat() -> None:
    assert read(int, ['{"tasks": [1, 2]}', '{"tasks": [1, ']) == [1, 2, 1]


def test_other_calls_are_no_repeats() -> None:
    output = list_for(int)
    sink = output.parser(Call([], output, Mode.TOOLS, stream=True))
    text = wrapped([1, 2])
    found = sink.feed([Delta(0, text), Delta(1, text)]) + sink.close(ended=True)
    assert [each.value for each in found if isinstance(each, Valid)] == [1, 2, 1, 2]
