"""Items out of lists: the same ones, in order, for every cutting of the text, each at the character that closes it."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from documents import OBJECTS, PROSE, SEEDS, VALUES, WORDS, cuts, instances, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from instructor.parsing.items import ItemReader, Slice

SIBLINGS = st.dictionaries(WORDS.filter(lambda key: key != "tasks"), VALUES, max_size=2)
SIZES = [1, 2, 3, 4, 7, 64, 10_000]


def read(pieces: list[str], **how: Any) -> tuple[list[Slice], ItemReader]:
    items = ItemReader(**how)
    found = [slice_ for piece in pieces for slice_ in items.feed(piece)]
    found += items.close()
    assert items.looked <= 2 * sum(map(len, pieces))
    return found, items


def texts(text: str, size: int, **how: Any) -> tuple[list[str], ItemReader]:
    found, items = read([text[at : at + size] for at in range(0, len(text), size)], **how)
    return [item.text + "~" * item.loose for item in found], items


@st.composite
def lists_in_text(draw: st.DrawFn, values: list[Any], prose: list[str]) -> str:
    """Write a list in one of the ways that models have: wrapped, bare, fenced, with prose around."""
    inner = write(values, draw(SEEDS))
    if draw(st.booleans()):
        before, after = draw(SIBLINGS), draw(SIBLINGS)
        members = [
            *(f"{write(k, draw(SEEDS))}:{write(v, draw(SEEDS))}" for k, v in before.items()),
            f'"tasks" : {inner}',
            *(f"{write(k, draw(SEEDS))}:{write(v, draw(SEEDS))}" for k, v in after.items()),
        ]
        inner = "{" + ",".join(members) + "}"
    if draw(st.booleans()):
        inner = f"```json\n{inner}\n```\n"
    return f"{draw(st.sampled_from(prose))}{inner}{draw(st.sampled_from(prose))}"


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=st.lists(OBJECTS, max_size=6))
def test_objects_equal_the_parsed_whole(data: st.DataObject, values: list[Any]) -> None:
    text = data.draw(lists_in_text(values, PROSE))
    found, items = read(data.draw(cuts(text)), opens="{")
    assert [json.loads(item.text) for item in found] == values
    assert items.closed
    assert not items.rest


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=st.lists(VALUES, max_size=6))
def test_items_of_any_kind_equal_the_parsed_whole(data: st.DataObject, values: list[Any]) -> None:
    text = data.draw(lists_in_text(values, ["", "Here you are:\n", "\ufeff", "It's \"done\n"]))
    found, items = read(data.draw(cuts(text)))
    assert [json.loads(item.text) for item in found] == values
    assert items.closed


@settings(max_examples=100, deadline=None)
@given(data=st.data(), known=instances())
def test_models_equal_the_validated_whole(data: st.DataObject, known: tuple[type[BaseModel], list[Any]]) -> None:
    model, values = known
    text = data.draw(lists_in_text(values, PROSE))
    found, _ = read(data.draw(cuts(text)), opens="{")
    whole = [model.model_validate_json(json.dumps(value), strict=True) for value in values]
    assert [model.model_validate_json(item.text, strict=True) for item in found] == whole


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=st.lists(OBJECTS.filter(lambda o: "tasks" not in o), min_size=1, max_size=5))
def test_one_object_a_line(data: st.DataObject, values: list[Any]) -> None:
    text = "\n".join(write(value, data.draw(SEEDS)) for value in values)
    found, items = read(data.draw(cuts(text)))
    assert [(json.loads(item.text), item.loose) for item in found] == [(value, True) for value in values]
    assert items.closed


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=st.lists(VALUES, max_size=4))
def test_a_text_cut_anywhere_gives_the_first_items_and_no_wrong_one(data: st.DataObject, values: list[Any]) -> None:
    text = data.draw(lists_in_text(values, ["", "Here you are:\n"]))
    whole, _ = read([text])
    for end in range(len(text)):
        found, items = read([text[:end]])
        assert found == whole[: len(found)]
        if "]" not in text[:end]:
            assert not items.closed


@settings(max_examples=150, deadline=None)
@given(data=st.data(), text=st.text(st.sampled_from("{}[]\",:\\ \n1ta/*'#<-"), max_size=60))
def test_any_text_gives_the_same_items_for_any_cutting(data: st.DataObject, text: str) -> None:
    whole, one = read([text])
    found, other = read(data.draw(cuts(text)))
    assert found == whole
    assert (other.closed, other.rest, other.listed) == (one.closed, one.rest, one.listed)


MARKED = ["- ", "* ", "1. ", "2) ", "(3) ", "> ", "**Ann:** ", "- **Ann**: ", "- [ ] ", "- [x] ", "`", "- `"]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=st.lists(OBJECTS.filter(lambda o: "tasks" not in o), min_size=1, max_size=5))
def test_one_object_a_line_with_a_mark_before_it(data: st.DataObject, values: list[Any]) -> None:
    lines = [data.draw(st.sampled_from(MARKED)) + write(value, data.draw(SEEDS)) for value in values]
    found, items = read(data.draw(cuts("\n".join(lines))), opens="{")
    assert [(json.loads(item.text), item.loose) for item in found] == [(value, True) for value in values]
    assert items.closed


@settings(max_examples=100, deadline=None)
@given(
    data=st.data(), values=st.lists(OBJECTS.filter(bool), max_size=5), times=st.integers(1, 2), wrapped=st.booleans()
)
def test_a_string_that_holds_a_list(data: st.DataObject, values: list[Any], times: int, wrapped: bool) -> None:
    text = json.dumps({"tasks": values} if wrapped else values, ensure_ascii=data.draw(st.booleans()))
    for _ in range(times):
        text = json.dumps(text, ensure_ascii=data.draw(st.booleans()))
    pieces = data.draw(cuts(text))
    items = ItemReader(opens="{")
    found = [slice_ for piece in pieces for slice_ in items.feed(piece)] + items.close()
    assert [json.loads(item.text) for item in found] == values
    assert items.closed


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=st.lists(OBJECTS, min_size=1, max_size=5), wrapped=st.booleans())
def test_lists_as_python_writes_them(data: st.DataObject, values: list[Any], wrapped: bool) -> None:
    text = str({"tasks": values} if wrapped else values)
    found, items = read(data.draw(cuts(text)), opens="{")
    assert [ast.literal_eval(item.text) for item in found] == values
    assert items.closed


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=st.lists(OBJECTS, max_size=5))
def test_remarks_between_items_are_no_items(data: st.DataObject, values: list[Any]) -> None:
    remarks = st.sampled_from(["", '# [1] "it\'s" {x} ]\n', "//]}\n", "/* # ] */", "#\n#]\n"])
    written = [data.draw(remarks) + write(value, data.draw(SEEDS)) + data.draw(remarks) for value in values]
    text = '{"tasks": [' + ",".join(written) + data.draw(remarks) + "]}"
    found, items = read(data.draw(cuts(text)), opens="{")
    assert [json.loads(item.text) for item in found] == values
    assert items.closed


PARTS = [
    '{"tasks":',
    '{"t": 1, "tasks":',
    '"t"',
    "1",
    "2",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\n",
    " see ",
    "<think>",
    "</think>",
    "</Thinking>",
    "<",
    "[THINK]",
    "[/THINK]",
    "◁think▷",
    "<|channel|>analysis",
    "<|end|>",
    "- ",
    "**A:**",
    "# ",
    "'",
    "\\",
    '\\"',
    '"{\\"tasks\\": [1, {\\"a',
]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), parts=st.lists(st.sampled_from(PARTS), max_size=14), own=st.booleans())
def test_lists_in_doubt_give_the_same_items_for_any_cutting(data: st.DataObject, parts: list[str], own: bool) -> None:
    rivals = frozenset({"t", "tasks"} if own else ())
    whole, one = read(["".join(parts)], rivals=rivals)
    found, other = read(data.draw(cuts("".join(parts))), rivals=rivals)
    assert found == whole
    assert (other.closed, other.rest, other.listed) == (one.closed, one.rest, one.listed)


def test_an_item_is_handed_out_at_the_very_character_that_closes_it() -> None:
    text = '{"tasks": [{"a": [1]}, "x", 12, null]}'
    items = ItemReader()
    at = {item.text: text[: end + 1] for end, c in enumerate(text) for item in items.feed(c)}
    assert at['{"a": [1]}'].endswith('{"a": [1]}')
    assert at['"x"'].endswith('"x"')
    assert at["12"].endswith("12,")
    assert at["null"].endswith("null]")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("text", "found", "closed"),
    [
        pytest.param('{"tasks":[{"a":1}]}{"tasks":[{"a":2}]}[{}]', ['{"a":1}', '{"a":2}', "{}"], True, id="several"),
        pytest.param('{"t\\u0061sks":[{"a":1}]}', ['{"a":1}'], True, id="escaped key"),
        pytest.param('{"n":"\\"tasks\\": [{", "tasks":[{"a":1}]}', ['{"a":1}'], True, id="key inside a string"),
        pytest.param('{"o":{"tasks":[{"x":1}]},"tasks":[{"a":1}]}', ['{"a":1}'], True, id="key inside a sibling"),
        pytest.param('{"o":[{"x":[1]}],"s":"]}","tasks":[{"a":1}],"p":[{}]}', ['{"a":1}'], True, id="siblings"),
        pytest.param('{"tasks":[{"a":1} {"a":2},,{"a":3},]}', ['{"a":1}', '{"a":2}', '{"a":3}'], True, id="commas"),
        pytest.param('{"tasks":[null, true {"a":1} [{}] "s" -1.5e3]}',
                     ["null", "true", '{"a":1}', "[{}]", '"s"', "-1.5e3"], True, id="wrong kinds"),
        pytest.param('{"tasks":[{"a":"x\ny"}]}', ['{"a":"x\ny"}'], True, id="raw line end"),
        pytest.param('{"tasks":[{"a":[1,2},{"a":3}]}', ['{"a":[1,2}', '{"a":3}'], True, id="bracket left open"),
        pytest.param('{"tasks":[{"a":"x"]},{"a":3}]}', ['{"a":"x"]}', '{"a":3}'], True, id="bracket too many"),
        pytest.param('{"tasks":[{"a":1}},{"a":2}]}', ['{"a":1}', '{"a":2}'], True, id="brace too many"),
        pytest.param('{"tasks":[{"a":1}}\nThat is all', ['{"a":1}'], False, id="bracket of the list forgotten"),
        pytest.param("[{'a': 'it is \"so\"'}, {'a': 'b'}]", ["{'a': 'it is \"so\"'}", "{'a': 'b'}"], True, id="quotes"),
        pytest.param('{"tasks":[{"a":1}, // {first}\n /* ] */ {"a":2}]}', ['{"a":1}', '{"a":2}'], True, id="remarks"),
        pytest.param('{"tasks":[]}', [], True, id="empty"),
        pytest.param("There is nothing [1] to {tell}.", [], False, id="prose only"),
        pytest.param('{"a":1}\n {"a":2}\n', ['{"a":1}~', '{"a":2}~'], True, id="lines"),
        pytest.param('{"a":1} {"a":2}, {"a":3}', ['{"a":1}~', '{"a":2}~', '{"a":3}~'], True, id="one line"),
        pytest.param('{"a":1}\n{"a":', ['{"a":1}~'], False, id="line cut"),
        pytest.param('so {"a":1} and {"tasks":[{"a":2}]}', ['{"a":2}'], True, id="object inside a line"),
        pytest.param('```json\n[{"a":1},\n{"a":2}]\n```', ['{"a":1}', '{"a":2}'], True, id="fence"),
        pytest.param('use {"} here. {"tasks": [{"a":1}]}', ['{"a":1}'], True, id="quote in prose"),
        pytest.param('{"why\n: 1}\n{"a":1}', ['{"a":1}~'], True, id="no key goes over lines"),
        pytest.param('{"so" said} {"a":1}', [], False, id="no line of objects"),
        pytest.param('{{"a":1}}', [], False, id="braces of a template"),
        pytest.param("{}", ["{}~"], True, id="empty object"),
    ],
)  # fmt: skip
def test_oddities_of_lists_of_objects(text: str, found: list[str], closed: bool, size: int) -> None:
    got, items = texts(text, size, opens="{")
    assert got == found
    assert items.closed is closed


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[1, 2 3,]", ["1", "2", "3"]),
        ("The numbers are [1, -2.5].", ["1", "-2.5"]),
        ("see [1 of 3] and [not] or [nullable, x]: [4]", ["4"]),
        ('list ["x" is, not] then ["y", "z"]', ['"y"', '"z"']),
        ("neither [1, 2] nor [3], but [4, 5]", ["4", "5"]),
        ("[1] and [2] say:\n[3, 4]", ["3", "4"]),
        ("[3, 4] as in [1, 2]", ["3", "4"]),
        ("[5]", ["5"]),
        ("so [1, [2], 3]", ["1", "[2]", "3"]),
        ('["y" "z"]', ['"y"', '"z"']),
        ('{"tasks": ["a]", "b\\"]"]}', ['"a]"', '"b\\"]"']),
        ('{"tasks": [1, ...]}', ["1", "..."]),
        ("[[1], [2, [3]]]", ["[1]", "[2, [3]]"]),
    ],
)
def test_oddities_of_lists_of_scalars(text: str, found: list[str], size: int) -> None:
    assert texts(text, size)[0] == found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('{"tasks":[{"a":1},{"b":[1, "x', '{"b":[1, "x'),
        ('{"tasks":[{"a":1}, "x', '"x'),
        ('{"tasks":[{"a":1},{', "{"),
        ('{"tasks":[{"a":1},', ""),
        ('{"tasks":[12', "12"),
        ('{"a": 1, "b": [', '{"a": 1, "b": ['),
    ],
)
def test_rest_is_the_text_of_the_unfinished_item(text: str, rest: str, size: int) -> None:
    _, items = texts(text, size)
    assert items.rest == rest
    assert not items.closed


@pytest.mark.parametrize("text", ["[" * 50_000 + "}" * 50_000, '{"a":' * 50_000 + "]" * 50_000, '{"' * 50_000])
def test_brackets_that_do_not_match_cost_no_more_than_their_number(text: str) -> None:
    _, items = texts(text, 4)
    assert items.looked <= 2 * len(text)


@pytest.mark.parametrize("size", [3, 1000, 10**6])
@pytest.mark.parametrize(
    "item",
    [{f"k{n}": "}]" for n in range(2000)}, {"a": '"\\' * 2000 + "x" * 200 + '"]}'}, {"a": ["x" * 41, "y" * 40] * 600}],
    ids=["many strings", "many escapes", "long strings"],
)
def test_an_item_may_hold_more_than_one_step_of_the_scanner_takes(item: Any, size: int) -> None:
    text = json.dumps({"tasks": [item, {"b": 1}]})
    found, items = texts(text, size)
    assert found == [json.dumps(item), '{"b": 1}']
    assert items.closed


def test_the_key_is_the_callers() -> None:
    text = '{"tasks": [1], "people": [{"a": 1}]}'
    assert texts(text, 3, key="people", opens="{")[0] == ['{"a": 1}']
