"""Lists in other forms than were asked for, read without a second request: lines, strings, Python's own."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel
from readings import BARE, PEOPLE, WRAPPED, A, B, Person, read_in_all_ways

from harness import Harness, asking
from instructor import Mode
from instructor.parsing.items import ItemReader
from instructor.testing import Scripted, content

LINES = [
    "- {}\n- {}",
    "* {}\n* {}\n",
    "+ {}\n+ {}",
    "• {}\n• {}",
    "-{}\n-{}",
    "1. {}\n2. {}",
    "1) {}\n2) {}",
    "(1) {}\n(2) {}",
    "[1] {}\n[2] {}",
    "a) {}\nb) {}",
    "> {}\n> {}",
    "| {} |\n| {} |",
    "- [ ] {}\n- [x] {}",
    "**Ann:** {}\n**Bob:** {}",
    "- **Ann**: {}\n- **Bob**: {}",
    "1. **Ann** -- {}\n2. **Bob** -- {}",
    "### 1. {}\n### 2. {}",
    "1. `{}`\n2. `{}`",
    "data: {}\n\ndata: {}\n\n",
    "Here they are:\n\n  - {} (the first)\n  - {}\n\nThat is all.",
    "<|start|>assistant<|channel|>final<|message|>{}\n{}<|return|>",
    "{} and {}",
    "{}; {}",
    "\u2192 {}\n\u2192 {}",
    "\u2705 {}\n\u2705 {}",
    "1\ufe0f\u20e3 {}\n2\ufe0f\u20e3 {}",
    "| 1 | {} |\n| 2 | {} |",
    "Ann: {}\nBob: {}",
    "Item 1: {}\nItem 2: {}",
    "<person>{}</person>\n<person>{}</person>",
]


@pytest.mark.parametrize("form", LINES)
async def test_lines_with_a_mark_before_the_object(harness: Harness, form: str) -> None:
    text = form.replace("{}", A, 1).replace("{}", B, 1)
    assert await read_in_all_ways(harness, text, Person, Mode.JSON) == PEOPLE


@pytest.mark.parametrize("line", ["1.1.", "**--**", "__a__:", "a. ", "and ", "<|a|>b", "## ", "1)"])
def test_a_line_that_only_begins_like_one_of_a_list(line: str) -> None:
    reader = ItemReader()
    assert [*reader.feed((line * 100)[:110] + f"xx {A}"), *reader.close()] == []


@pytest.mark.parametrize(
    "form",
    [
        '{{"name": "IterablePerson", "arguments": {}}}',
        '{{"name": "IterablePerson", "parameters": {}}}',
        '<tool_call>\n{{"name": "IterablePerson", "arguments": {}}}\n</tool_call>',
        '<tool_call>{{"name": "IterablePerson", "arguments": {}}}</tool_call>',
    ],
)
async def test_a_call_that_came_as_a_text(harness: Harness, form: str) -> None:
    class Person(BaseModel):
        name: str
        age: int | None = None

    found = await read_in_all_ways(harness, form.format(WRAPPED), Person, Mode.JSON)
    assert found == [Person(name="Ann", age=1), Person(name="Bob", age=2)]


@pytest.mark.parametrize(
    "form",
    [
        '{{"name": "Person", "arguments": {}}}\n{{"name": "Person", "arguments": {}}}',
        '[{{"name": "Person", "parameters": {}}}, {{"name": "Person", "parameters": {}}}]',
        '{{"tasks": [{{"name": "Person", "arguments": {}}}, {{"name": "Person", "arguments": {}}}]}}',
        '[{{"name": "IterablePerson", "arguments": {{"tasks": [{}, {}]}}}}]',
    ],
)
async def test_items_that_are_calls(harness: Harness, form: str) -> None:
    class Person(BaseModel):
        name: str
        age: int | None = None

    found = await read_in_all_ways(harness, form.format(A, B), Person, Mode.JSON)
    assert found == [Person(name="Ann", age=1), Person(name="Bob", age=2)]


async def test_one_object_after_a_name_may_be_an_example(harness: Harness) -> None:
    text = 'They look like this: {"name": "Jane", "age": 3}. I found none.'
    await is_asked_again(harness, text)
    await is_asked_again(harness, f'Schema: {{"name": "string", "age": 1}}\nAnswer: {A}')


async def is_asked_again(harness: Harness, text: str) -> None:
    with Scripted([content(text), content(WRAPPED)]) as server:
        stream = harness.client(server, Mode.JSON).create_iterable(response_model=Person, **asking())
        assert await harness.items(stream) == PEOPLE


async def test_lines_of_items_with_an_empty_list_of_their_own(harness: Harness) -> None:
    class Plan(BaseModel):
        tasks: list[str] = []
        done: bool = False

    text = '{"done": true, "tasks": ["a"]}\n{"tasks": []}'
    assert await read_in_all_ways(harness, text, Plan, Mode.JSON) == [Plan(tasks=["a"], done=True), Plan()]


COMMENTS = [
    f"[{A}, # the first\n{B}]",
    f"[{A}, #the first\n{B} # the last ]}}\n]",
    f'{{"tasks": [\n# one [1] "x\n{A},\n# two {{x}} it\'s\n{B}\n]}}',
    f"# the list [1]\n{BARE}",
    f'{{"tasks": [{A}, {B}] # all ]\n}}',
    f'[{{"name": "Ann", # she said "}}\n"age": 1}}, {B}]',
    f'[{{"name": "Ann", // she\'s "}}\n"age": 1}}, {B}]',
    f'[{{"name": "Ann", /* }} " */ "age": 1}}, {B}]',
]


@pytest.mark.parametrize("text", COMMENTS)
async def test_a_comment_is_no_item(harness: Harness, text: str) -> None:
    assert await read_in_all_ways(harness, text, Person, Mode.JSON) == PEOPLE


STRINGS = [
    json.dumps(WRAPPED),
    json.dumps(BARE),
    json.dumps(json.dumps(json.loads(WRAPPED), indent=2)),
    json.dumps(json.dumps(WRAPPED)),
    json.dumps(json.dumps(json.dumps(WRAPPED))),
    json.dumps({"tasks": WRAPPED}),
    json.dumps({"arguments": WRAPPED}),
    json.dumps({"tasks": [A, B]}),
    json.dumps(WRAPPED)[1:-1],
]


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
@pytest.mark.parametrize("text", STRINGS)
async def test_a_string_that_holds_the_list(harness: Harness, text: str, mode: Mode) -> None:
    assert await read_in_all_ways(harness, text, Person, mode) == PEOPLE


@pytest.mark.parametrize("form", ["```json\n{}\n```", "Here:\n{}", "{}\n"])
async def test_a_string_that_holds_the_list_in_prose(harness: Harness, form: str) -> None:
    text = form.replace("{}", json.dumps(WRAPPED))
    assert await read_in_all_ways(harness, text, Person, Mode.JSON) == PEOPLE


@pytest.mark.parametrize(
    "prose", ['G{\\"o}del says:', '{\\"O}sterreich\n', r"$\frac{\nu}{\text{x}}$:", '[{\\"o}]\n', "{'tis so}: "]
)
async def test_what_only_looks_like_it_costs_nothing(harness: Harness, prose: str) -> None:
    assert await read_in_all_ways(harness, prose + WRAPPED, Person, Mode.JSON) == PEOPLE


NAMES = ["A}nn", "A]nn", 'A"nn', "A,nn", "{", "[", "it's", "it's }", '}"]', 'it\'s "so" }', "# no", "http://x", "x\\"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["bare", "wrapped", "lines"])
async def test_lists_as_python_writes_them(harness: Harness, name: str, form: str) -> None:
    values = [{"name": name, "age": 1}, {"name": "Bob", "age": 2}]
    text = {"bare": str(values), "wrapped": str({"tasks": values}), "lines": "\n".join(map(str, values))}[form]
    assert await read_in_all_ways(harness, text, Person, Mode.JSON) == [Person(**value) for value in values]


@pytest.mark.parametrize("form", ["{}", "Here: {}", "{{'tasks': {}}}"])
async def test_strings_as_python_writes_them(harness: Harness, form: str) -> None:
    text = form.format(NAMES)
    assert await read_in_all_ways(harness, text, str, Mode.JSON) == NAMES


async def test_an_example_in_a_sentence_is_no_item(harness: Harness) -> None:
    text = f'An answer looks like this: {{"name": "Jane", "age": 3}}.\n{WRAPPED}'
    assert await read_in_all_ways(harness, text, Person, Mode.JSON) == PEOPLE
