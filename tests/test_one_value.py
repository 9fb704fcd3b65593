"""One value: what may be around it, which small faults of its syntax are mended, and what is asked for again."""

from __future__ import annotations

import decimal
import json
from collections.abc import Iterable
from typing import Any, Union

import pytest
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import InstructorRetryException, ResponseParsingError
from instructor.parsing import repair
from instructor.testing import ToolCall, answer, tools

TEXTS = (Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON)
ALL = (Mode.TOOLS, *TEXTS)


class User(BaseModel):
    name: str
    age: int | None = None
    tags: list[str] = []


class Place(BaseModel):
    """All of its fields may be missing: any object is valid."""

    city: str | None = None
    street: str | None = None


class Shop(BaseModel):
    title: str


ANN = User(name="Ann")


async def every_way(harness: Harness, scripted_server: Any, kind: Any, texts: list[Any], mode: Mode) -> list[Any]:
    """Ask for a value, whole and streamed in several cuttings; return the values and the servers."""
    found: list[Any] = []
    for chunk in (None, 1, 7, 10_000):
        server = scripted_server([answer(text, chunk=chunk or 10_000) for text in texts])
        client = harness.client(server, mode)
        options = asking(max_retries=len(texts) - 1)
        if chunk is None:
            value = await harness.create(client, kind, **options)
        else:
            *_, value = await harness.items(client.create_partial(response_model=kind, **options))
        found.append((value, server))
    return found


async def is_read(harness: Harness, scripted_server: Any, kind: Any, text: str, value: Any, mode: Mode) -> None:
    for got, server in await every_way(harness, scripted_server, kind, [text], mode):
        assert got == value
        assert len(server.requests) == 1


async def is_asked_again(
    harness: Harness, scripted_server: Any, kind: Any, text: str, right: Any, mode: Mode, *words: str
) -> None:
    for got, server in await every_way(harness, scripted_server, kind, [text, right], mode):
        assert got == (kind(**right) if isinstance(right, dict) and isinstance(kind, type) else got)
        assert len(server.requests) == 2
        told = server.requests[1].messages[-1]["content"]
        for word in words:
            assert word in told


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.MD_JSON])
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ann"}}}',
        '{"name": "Ann"}]}\n',
        '{"name": "Ann"}<|im_end|>',
        '{"name": "Ann"}</s>',
        '{"name": "Ann"}<|eot_id|><|start_header_id|>assistant',
        '{"name": "Ann"} [/INST]',
        '{"name": "Ann"}\n</tool_call>',
        '{"name": "Ann"}<｜end▁of▁sentence｜>',  # noqa: RUF001 - a token of a model's own
        '{"name": "Ann"}\n```',
        '```json\n{"name": "Ann"}\n```\n<|endoftext|>',
        '{"name": "Ann"};',
        'callback({"name": "Ann"});',
        '~~~json\n{"name": "Ann"}\n~~~',
        '{"name": "Ann"}{"name": "Ann"}',
        '{"name": "Ann"}\n{"name":  "Ann",}',
        '\'{"name": "Ann"}\'',
    ],
)
async def test_what_may_follow_a_value(harness: Harness, scripted_server: Any, mode: Mode, text: str) -> None:
    await is_read(harness, scripted_server, User, text, ANN, mode)


@pytest.mark.parametrize("mode", ALL)
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"name": "Ann", "address": {"city": "Paris"}}, "age": 30, "tags": ["a"]}', '"age": 30'),
        ('{"name": "Ann"}}, "age": 30}', '"age": 30'),
        ("{'name': 'Ann'}, 'age': 30}", "'age': 30"),
        ('{"name": "Ann"}, "age": 30', '"age": 30'),
        ('{"name": "Ann"}, age: 30}', "age: 30"),
        ('{"name": "Ann"}{"name": "Bob"}', "Bob"),
        ('{"name": "Ann"},\n{"name": "Ann", "age": 3}', "3"),
        ('{"name": "Ann"}, {"age": 30}', "30"),
        ('{"name": "Ann"} {"name": "Bo', "Bo"),
        ('{"name": "Ann"}\nFor example {"name": "Bob"}', "Bob"),
        ('"name": "Ann", "friend": {"name": "Bob"}', "friend"),
    ],
)
async def test_two_readings_are_asked_about(
    harness: Harness, scripted_server: Any, mode: Mode, text: str, word: str
) -> None:
    right = {"name": "Ann", "age": 30}
    await is_asked_again(harness, scripted_server, User, text, right, mode, word, "one JSON value")


async def test_arguments_hold_no_prose_after_the_value(harness: Harness, scripted_server: Any) -> None:
    text = '{"name": "Ann"} That was Ann.'
    await is_asked_again(harness, scripted_server, User, text, {"name": "Bob"}, Mode.TOOLS, "That was Ann.")


@pytest.mark.parametrize("mode", TEXTS)
@pytest.mark.parametrize(
    "text",
    [
        'The user: {"name": "Ann"} - see [1].',
        'In {braces}: {"name": "Ann"}, not {"x": 1}.',
        '{"name": "Ann"}\n- "name": the name\n- "age": nothing is said of it',
        '{"name": "Ann"}\n\nI left out "age": it is not said.',
    ],
)
async def test_texts_hold_prose(harness: Harness, scripted_server: Any, mode: Mode, text: str) -> None:
    await is_read(harness, scripted_server, User, text, ANN, mode)


async def test_in_markdown_the_fenced_value_counts(harness: Harness, scripted_server: Any) -> None:
    text = '```json\n{"name": "Ann"}\n```\nFor example {"name": "Bob"}'
    await is_read(harness, scripted_server, User, text, ANN, Mode.MD_JSON)
    await is_asked_again(harness, scripted_server, User, text, {"name": "Ann"}, Mode.JSON, "Bob")
    two = f'{text}\n```json\n{{"name": "Bob"}}\n```'
    await is_asked_again(harness, scripted_server, User, two, {"name": "Ann"}, Mode.MD_JSON, "Bob")
    torn = '```json\n{"name": "Ann"}, "age": 30}\n```'
    await is_asked_again(harness, scripted_server, User, torn, {"name": "Ann"}, Mode.MD_JSON, '"age": 30')


# Mending.


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
@pytest.mark.parametrize(
    ("text", "word"),
    [
        (r'{"name": "D:\data\new\table"}', r"\d"),
        (r'{"name": "\d+\b\s"}', r"\d"),
        (r'{"name": "caf\u00e"}', r"\u00e"),
        (r'{"name": "\frac{\alpha}{\beta}"}', r"\a"),
        (r'{"name": "C:\users\ann"}', r"\u"),
        (r'{"name": "\\server\share"}', r"\s"),
        (r'{"name": "C:\dir\"}', r"\d"),
        (r"{'name': 'C:\Temp\new'}", r"\T"),
        (r"{'name': 'caf\xe9'}", r"\x"),
        (r'{"name": "\Delta", "tags": ["a\nb"]}', r"\D"),
    ],
)
async def test_a_faulty_escape_is_asked_about(
    harness: Harness, scripted_server: Any, mode: Mode, text: str, word: str
) -> None:
    words = (f"`{word}`", "backslash twice")
    await is_asked_again(harness, scripted_server, User, text, {"name": "Ann"}, mode, *words)


async def test_a_faulty_escape_in_an_item_is_asked_about(harness: Harness, scripted_server: Any) -> None:
    text = r'{"tasks": [{"name": "Ann"}, {"name": "D:\data\new"}]}'
    for stream in (False, True):
        server = scripted_server([tools(text), tools({"tasks": [{"name": r"D:\data\new"}]})])
        client = harness.client(server)
        if stream:
            got = await harness.items(client.create_iterable(response_model=User, **asking()))
        else:
            got = await harness.create(client, Iterable[User])
        assert got == [ANN, User(name=r"D:\data\new")]
        assert r"`\d`" in server.requests[1].messages[-1]["content"]


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"name": "\d+\w"}', User(name=r"\d+\w")),
        (r'{"name": "it\'s"}', User(name="it's")),
        ('{"name":"x","tags":[\n"a"\n,],}', User(name="x", tags=["a"])),
        ("{'name': 'it}s \"x\"', 'tags': ['[', \"it's {\"], 'age': None}", User(name='it}s "x"', tags=["[", "it's {"])),
        ('{name: "Ann", // her name\n age: 3, # years\n /* no */ tags: []}', User(name="Ann", age=3)),
        ('{"name": "a\nb\tc\\nd", "age": 1,, "tags": ["x" "y"]}', User(name="a\nb\tc\nd", age=1, tags=["x", "y"])),
        ('\ufeff{"name": "Ann", "age": None,}', ANN),
    ],
)
async def test_small_faults_are_mended(
    harness: Harness, scripted_server: Any, mode: Mode, text: str, value: Any
) -> None:
    await is_read(harness, scripted_server, User, text, value, mode)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"content": {"name": "Ann", "age": 3,}}', User(name="Ann", age=3)),
        ("{'content': {'title': 'Shop'}}", Shop(title="Shop")),
        ('{"content": {"kind": "User", "name": "Ann", "age": 3.0, },}', User(name="Ann", age=3)),
        ("{'content': {'name': 'Ann', 'kind': 'User'}}", ANN),
        ('"{\\"content\\": {\\"name\\": \\"Ann\\"}}"', ANN),
        ('{"arguments": {"content": {"title": "Shop"}}}', Shop(title="Shop")),
    ],
)
async def test_a_union_is_mended_like_a_model(harness: Harness, scripted_server: Any, text: str, value: Any) -> None:
    older: Any = Union[User, Shop]  # noqa: UP007 - the older spelling is another type
    for kind, mode in ((User | Shop, Mode.TOOLS), (older, Mode.TOOLS), (User | Shop, Mode.JSON)):
        await is_read(harness, scripted_server, kind, text, value, mode)


@pytest.mark.parametrize(
    "text", ['{"content": {"name": "Ann" "x}', "{'content': {'name': it}}", '{"content": {,}', "{"]
)
async def test_a_union_that_cannot_be_mended_is_asked_about(harness: Harness, scripted_server: Any, text: str) -> None:
    right = {"content": {"kind": "User", "name": "Ann"}}
    for got, server in await every_way(harness, scripted_server, User | Shop, [text, right], Mode.TOOLS):
        assert got == ANN
        assert len(server.requests) == 2


# What a value is put into.

NESTED = json.dumps(json.dumps({"name": "Ann"}))


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
@pytest.mark.parametrize(
    "text",
    [
        NESTED,
        json.dumps(NESTED),
        NESTED[1:-1],
        f" {NESTED}\n",
        f"{NESTED}<|im_end|>",
        f"{NESTED[1:-1]}</s>",
        f"```json\n{NESTED}\n```",
        '"{\\"name\\": \\"Ann\\",}"',
        *(
            f'{{"{key}": {{"name": "Ann"}}}}'
            for key in ("parameters", "arguments", "properties", "input", "User", "user")
        ),
        "{'arguments': {'name': 'Ann',}}",
        f'{{"arguments": {NESTED}}}',
        '{"name": "User", "arguments": {"name": "Ann"}}',
        '[{"name": "Ann"}]',
        '[{"name": "User", "arguments": {"name": "Ann"}}]',
        '{"type": "object", "properties": {"name": "Ann"}}',
        f'{{"type": "function", "function": {{"name": "User", "arguments": {NESTED}}}}}',
    ],
)
async def test_what_one_value_is_put_into(harness: Harness, scripted_server: Any, mode: Mode, text: str) -> None:
    await is_read(harness, scripted_server, User, text, ANN, mode)


@pytest.mark.parametrize("key", ["parameters", "arguments", "properties", "input", "Place", "place"])
async def test_a_value_without_required_fields_is_not_empty(harness: Harness, scripted_server: Any, key: str) -> None:
    text = json.dumps({key: {"city": "Paris"}})
    await is_read(harness, scripted_server, Place, text, Place(city="Paris"), Mode.TOOLS)


async def test_a_key_of_the_answers_own_is_not_opened(harness: Harness, scripted_server: Any) -> None:
    class Tool(BaseModel):
        name: str | None = None
        arguments: dict[str, str]
        input: str | None = None

    value = {"name": "Tool", "arguments": {"arguments": "x"}}
    await is_read(harness, scripted_server, Tool, json.dumps(value), Tool(**value), Mode.TOOLS)


async def test_the_error_is_that_of_the_value_inside(harness: Harness, scripted_server: Any) -> None:
    text = '{"parameters": {"name": 5}}'
    await is_asked_again(harness, scripted_server, User, text, {"name": "Ann"}, Mode.TOOLS, "valid string @ $.name")


# Integers.


class Counted(BaseModel):
    n: int
    other: int | None = Field(default=None, validation_alias=AliasChoices("o", "other"))
    either: int | str = ""
    many: list[int] = []
    named: dict[str, int] = {}
    ratio: float = 0.5
    both: float | int = 0
    price: decimal.Decimal = decimal.Decimal(0)
    text: str = ""


@pytest.mark.parametrize(
    ("written", "value"),
    [("3.0", 3), ("0.0", 0), ("-0.0", 0), ("1e3", 1000), ("-2.50E1", -25), ("9007199254740993.0", 2**53 + 1)],
)
async def test_an_integer_may_have_a_point(harness: Harness, scripted_server: Any, written: str, value: int) -> None:
    text = f'{{"text": "1.5 \\" 2.0", "ratio": 2.0, "n": {written}, "other": {written}, "either": {written},' + (
        f'"many": [1, {written}], "named": {{"n": {written}}}, "both": 4.0, "price": 1.50}}'
    )
    expected = Counted(
        text='1.5 " 2.0', ratio=2.0, n=value, other=value, either=value, many=[1, value], named={"n": value}, both=4.0,
        price=decimal.Decimal("1.50"),
    )  # fmt: skip
    for mode in (Mode.TOOLS, Mode.JSON):
        for got, server in await every_way(harness, scripted_server, Counted, [text], mode):
            assert got == expected
            assert [type(each) for each in (got.n, got.either, got.many[1], got.both)] == [int, int, int, float]
            assert got.report.mended == 0 if hasattr(got, "report") else True
            assert len(server.requests) == 1


@pytest.mark.parametrize("written", ["3.5", '"3"', "1e400", "1e999999999", "true", "NaN", "0.1"])
async def test_what_is_no_integer_is_asked_about(harness: Harness, scripted_server: Any, written: str) -> None:
    await is_asked_again(
        harness, scripted_server, Counted, f'{{"n": {written}}}', {"n": 3}, Mode.TOOLS, "valid integer @ $.n"
    )


async def test_integers_with_a_point_in_lists_and_calls(harness: Harness, scripted_server: Any) -> None:
    text = '{"tasks": [{"name": "Ann", "age": 3.0}, {"name": "Bob", "age": 1e1}]}'
    expected = [User(name="Ann", age=3), User(name="Bob", age=10)]
    for chunk in (1, 7, 10_000):
        server = scripted_server([tools(text, chunk=chunk)] * 2)
        client = harness.client(server)
        stream = client.create_iterable(response_model=User, **asking(max_retries=0))
        assert await harness.items(stream) == expected
        assert await harness.create(client, Iterable[User], max_retries=0) == expected
    assert await harness.create(harness.client(scripted_server([tools('{"tasks": [1.0, 2]}')])), list[int]) == [1, 2]
    calls = [ToolCall('{"name": "Ann", "age": 3.0}', "User"), ToolCall('{"name": "Bob", "age": 1e1}', "User")]
    server = scripted_server([tools(*calls)])
    got = await harness.create(harness.client(server, Mode.PARALLEL_TOOLS), Iterable[User | Shop], max_retries=0)
    assert got == expected


async def test_integers_with_a_point_in_unions(harness: Harness, scripted_server: Any) -> None:
    for text in ('{"n": 3.0}', '{"kind": "Counted", "n": 3.0}', '{"n": 3.0, "kind": "Counted"}'):
        await is_read(harness, scripted_server, Counted | Shop, f'{{"content": {text}}}', Counted(n=3), Mode.TOOLS)
        server = scripted_server([tools(f'{{"tasks": [{text}]}}')])
        got = await harness.create(harness.client(server), Iterable[Counted | Shop], max_retries=0)
        assert got == [Counted(n=3)]


# Work.


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
async def test_a_text_too_long_to_mend_is_asked_about(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    text = "{'name': '" + "x" * repair.LIMIT + "'}"
    server = scripted_server([answer(text), answer({"name": "Ann"})])
    assert await harness.create(harness.client(server, mode), User) == ANN
    assert f"has {len(text)} characters" in server.requests[1].messages[-1]["content"]
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(scripted_server([answer(text)]), mode), User, max_retries=0)
    assert isinstance(failed.value.__cause__, (ResponseParsingError, ValidationError))


async def test_the_limit_can_be_changed(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "{'name': 'Ann', 'tags': []}"
    monkeypatch.setattr(repair, "LIMIT", len(text))
    await is_read(harness, scripted_server, User, text, ANN, Mode.TOOLS)
    monkeypatch.setattr(repair, "LIMIT", len(text) - 1)
    await is_asked_again(harness, scripted_server, User, text, {"name": "Ann"}, Mode.TOOLS, "too many")


async def test_valid_json_of_any_length_is_read(harness: Harness, scripted_server: Any) -> None:
    name = "x" * 3 * repair.LIMIT
    server = scripted_server([answer(f'```json\n{{"name": "{name}"}}\n```')])
    assert await harness.create(harness.client(server, Mode.MD_JSON), User, max_retries=0) == User(name=name)
