"""Repairs keep everything that is told, and are made only where the meaning is plain."""

from __future__ import annotations

import ast
import json
import re
from random import Random
from typing import Any

import pytest
from documents import OBJECTS, SEEDS, write
from hypothesis import given, settings
from hypothesis import strategies as st

from instructor.parsing import fuzzy, repair


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
        ('{"a":[1,\n""\n],"b":1,}', {"a": [1, ""], "b": 1}),
        ('{,"a": 1,,"b": [,2,,3,],}', {"a": 1, "b": [2, 3]}),
        ('[1 2 "a" "b"\n{"c": 3}{"d": 4}]', [1, 2, "a", "b", {"c": 3}, {"d": 4}]),
        ("{1: 'a', \"b\": +.5, c$: -1e2}", {"1": "a", "b": 0.5, "c$": -100}),
        ('{"a": 1]}', {"a": 1}),
        (r'{"a": "\d+\w \"b\" \u00e9"}', {"a": r'\d+\w "b" é'}),
        ('{"a": "x\r\n\x00\x1f"}', {"a": "x\r\n\x00\x1f"}),
        ("{'a': [\"it's ]\", '\"}{', '# no', '/* no */']}", {"a": ["it's ]", '"}{', "# no", "/* no */"]}),
        ('{"a": 12345678901234567890123,}', {"a": 12345678901234567890123}),
    ],
)
def test_small_faults_are_mended(text: str, value: Any) -> None:
    mended = fuzzy.repair(text)
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
        '{"a": {"b": 1], "c": 2}}',
        '["a""b"]',
        '["say "1" now"]',
        '{"a": 1 "b"}',
        "{'a': 'it's'}",
        "{'a': ('b', 'c')}",
        '{"a": 1 // "b": 2}',
        r'{"a": "D:\data\new"}',
        r'{"a": "\d+\b"}',
        r'{"a": "caf\u00e"}',
        r'{"a": "\\server\share"}',
        r"{'a': '\x41'}",
        r"{'a': '\ud83d'}",
        "see above",
        "",
        "{" * 5000 + "}" * 5000,
    ],
)
def test_what_is_not_plain_is_left_alone(text: str) -> None:
    assert fuzzy.repair(text) is None


@settings(max_examples=150, deadline=None)
@given(value=OBJECTS, seed=SEEDS)
def test_valid_json_is_given_as_it_is(value: Any, seed: int) -> None:
    text = write(value, seed)
    assert fuzzy.repair(text) == text


@settings(max_examples=100, deadline=None)
@given(value=OBJECTS, random=st.randoms(use_true_random=False), fault=st.sampled_from([" ", ", ,", ",/* , */"]))
def test_a_repair_of_a_comma_gives_the_value_or_nothing(value: Any, random: Random, fault: str) -> None:
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[^"]', json.dumps(value), re.DOTALL)
    commas = [at for at, token in enumerate(tokens) if token == ","]
    if commas:
        tokens[random.choice(commas)] = fault
    mended = fuzzy.repair("".join(tokens))
    assert mended is None or json.loads(mended) == value


@settings(max_examples=200, deadline=None)
@given(value=OBJECTS)
def test_what_python_writes_is_read_as_python_reads_it(value: Any) -> None:
    text = repr(value)
    mended = fuzzy.repair(text)
    if mended is None:
        assert re.search(r"\\|\d\.\d|\de|inf|nan", text)  # escapes of Python's own, or a number that a float is not
    else:
        assert json.loads(mended) == ast.literal_eval(text)


@settings(max_examples=200, deadline=None)
@given(
    inside=st.lists(
        st.sampled_from(["a", " ", "\\\\", r"\"", r"\n", r"\t", r"\b", r"\d", r"\w", r"\u00e9", r"\u00g", "é", "/"])
    )
)
def test_backslashes_are_read_in_one_way_or_not_at_all(inside: list[str]) -> None:
    text = f'{{"a": "{"".join(inside)}",}}'
    foreign = not {r"\d", r"\w", r"\u00g"}.isdisjoint(inside)
    mended = fuzzy.repair(text)
    if not foreign:
        assert mended is not None
        assert json.loads(mended) == json.loads(text.replace(",}", "}"))
    elif mended is not None:
        assert {"\\\\", r"\n", r"\t", r"\b", r"\u00g"}.isdisjoint(inside)
        assert json.loads(mended)["a"] == "".join(inside).replace(r"\"", '"').replace(r"\u00e9", "é")


@pytest.mark.parametrize(
    ("unit", "before", "after"),
    [
        ("{'name': 'it}s \\'x\\'', \"b\": [1,],}, ", "[", "]"),
        ("{a: ", "", ""),
        ("{a: /* ", "", ""),
        ("{a: '", "", ""),
        ('{"a" b} ', "", ""),
        ("[[", "", "}" * 500),
        ("{a: [", "", "}" * 500),
        ("x \\d ' \" { [ ", "", ""),
        ("``` {'a': 1 ", "", ""),
        ("{'a': 1} ", "", ""),
        ("# ", "{'a': 1 ", "x}"),
        ("<|a|>", "{'a': 1}", "x"),
    ],
)
def test_the_work_grows_as_the_text_does(monkeypatch: pytest.MonkeyPatch, unit: str, before: str, after: str) -> None:
    read: list[repair.Mender] = []
    begin = repair.Mender.__init__

    def beginning(self: repair.Mender, text: str, place: int = 0) -> None:
        read.append(self)
        begin(self, text, place)

    monkeypatch.setattr(repair.Mender, "__init__", beginning)
    for count in (100, 1_000, 5_000):
        text = before + unit * count + after
        read.clear()
        fuzzy.left_over(text, found) if (found := fuzzy.found(text)) else fuzzy.repair(text)
        fuzzy.inner(text)
        assert sum(each.looked for each in read) <= 12 * len(text) + 100


def test_a_text_longer_than_the_limit_is_not_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "{'a': 1}"
    assert fuzzy.repair(text) == '{"a":1}'
    monkeypatch.setattr(repair, "LIMIT", len(text) - 1)
    with pytest.raises(repair.Unclear) as unclear:
        fuzzy.mended(text)
    assert unclear.value.long
    assert fuzzy.repair('{"a": 1, "b": 2}') == '{"a": 1, "b": 2}'


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
        ("So: {'a': \"it's }\", 'b': '\"['} ok {c: 3}", ["{'a': \"it's }\", 'b': '\"['}", "{c: 3}"]),
        ('{"a": "x', []),
        ("nothing", []),
    ],
)
def test_values_are_the_whole_ones_with_fenced_ones_last(text: str, found: list[str]) -> None:
    assert fuzzy.values(text) == found


def test_only_the_kinds_that_are_asked_for_count() -> None:
    assert fuzzy.values('[1] {"a": 1}', opens="{") == ['{"a": 1}']
