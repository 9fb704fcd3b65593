"""Repairs keep everything that is told, and are made only where the meaning is plain."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import pytest
from documents import OBJECTS, SEEDS, write
from hypothesis import given, settings
from hypothesis import strategies as st

from instructor.text import loose


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('[{"a": 1}, {"b": 2},]', [{"a": 1}, {"b": 2}]),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ("{'a': 'say \"hi\"', 'b': 'it\\'s'}", {"a": 'say "hi"', "b": "it's"}),
        ('{a: 1, b_2: "x"}', {"a": 1, "b_2": "x"}),
        ('{"a": True, "b": None, "c": False}', {"a": True, "b": None, "c": False}),
        ('{"a": "x\ny\tz"}', {"a": "x\ny\tz"}),
        ('{"a": 1, // the first\n"b": /* and */ 2}', {"a": 1, "b": 2}),
        ('\ufeff{"a": 1,}', {"a": 1}),
        ('```json\n{"a": 1,}\n```', {"a": 1}),
        ('{"a": [1, 2}', {"a": [1, 2]}),
        ('{"a": "\\ud83d\\ude00", "b": "\\u00e9",}', {"a": "😀", "b": "é"}),
        ('{"url": "http://x/y", "n": 1.50,}', {"url": "http://x/y", "n": 1.5}),
        ('"x\ny"', "x\ny"),
        ("None", None),
        ('{"a": 1}', {"a": 1}),
    ],
)
def test_small_faults_are_mended(text: str, value: Any) -> None:
    mended = loose.repair(text)
    assert mended is not None
    assert json.loads(mended) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "x',
        '{"a": 1',
        '{"a": [1, 2',
        '{"a": "x}',
        '{"a": "say "hi" now"}',
        '{"a": it}',
        '{"a": }',
        '{"a": 1, "a": 2,}',
        '{"a": "b", "c"}',
        '{"a": 007}',
        '{"a": 1,000}',
        '{"a": 1e999,}',
        '{"a": 0.12345678901234567890123,}',
        '{"a": "x" + "y"}',
        '{"a": 1}}',
        "see above",
        "",
        "{" * 5000 + "}" * 5000,
    ],
)
def test_what_is_not_plain_is_left_alone(text: str) -> None:
    assert loose.repair(text) is None


@settings(max_examples=150, deadline=None)
@given(value=OBJECTS, seed=SEEDS)
def test_valid_json_is_given_as_it_is(value: Any, seed: int) -> None:
    text = write(value, seed)
    assert loose.repair(text) == text


@settings(max_examples=100, deadline=None)
@given(value=OBJECTS, random=st.randoms(use_true_random=False), fault=st.sampled_from([" ", ", ,", ",/* , */"]))
def test_a_repair_of_a_comma_gives_the_value_or_nothing(value: Any, random: Random, fault: str) -> None:
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[^"]', json.dumps(value), re.DOTALL)
    commas = [at for at, token in enumerate(tokens) if token == ","]
    if commas:
        tokens[random.choice(commas)] = fault
    mended = loose.repair("".join(tokens))
    assert mended is None or json.loads(mended) == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', ['{"a": 1}']),
        ("5", ["5"]),
        (' {"a": 1}\n{"a": 2} ', ['{"a": 1}', '{"a": 2}']),
        ('So: {"a": {"b": [1]}} and [2].', ['{"a": {"b": [1]}}', "[2]"]),
        ('```json\n{"a": 1,}\n```\nor {"b": 2}', ['{"b": 2}', '{"a": 1,}']),
        ('<think>{x} [y]</think>{"a": "```"}', ['{"a": "```"}']),
        ('in [0, 1) is {"a": 1}', ['{"a": 1}']),
        ('{"quoted" is} nice {"a": 1}', ['{"a": 1}']),
        ("{'a': 1} {b: 2}", ["{'a': 1}", "{b: 2}"]),
        ('{"a": "x', []),
        ("nothing", []),
    ],
)
def test_values_are_the_whole_ones_with_fenced_ones_last(text: str, found: list[str]) -> None:
    assert loose.values(text) == found


def test_only_the_kinds_that_are_asked_for_count() -> None:
    assert loose.values('[1] {"a": 1}', opens="{") == ['{"a": 1}']
