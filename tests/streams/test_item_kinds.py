"""What an item may be, where a list may stand, and by how many tool calls it may come."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from persons import Person, ids, people, said, stream_of, taken, tasks
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from harness import Harness, asking
from instructor import Mode
from instructor.testing import Scripted, ToolCall, answer, tools


class Shade(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    name: str
    lives: int = 9


class Dog(BaseModel):
    name: str
    breed: str = ""


class Square(BaseModel):
    form: Literal["square"]
    side: float


class Circle(BaseModel):
    form: Literal["circle"]
    radius: float


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Row(TypedDict):
    name: str


Shape = Annotated[Union[Square, Circle], Field(discriminator="form")]  # noqa: UP007 - the old spelling counts too

KINDS: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [1, -2, 30], [1, -2, 30]),
    (float, [1.5, 2, 1e3], [1.5, 2.0, 1000.0]),
    (str, ["a, b", "]}", 'quote " and \\'], ["a, b", "]}", 'quote " and \\']),
    (bool, [True, False], [True, False]),
    (Shade, ["red", "blue"], [Shade.RED, Shade.BLUE]),
    (Literal["x", "y"], ["x", "y", "x"], ["x", "y", "x"]),
    (list[int], [[1, 2], [], [3]], [[1, 2], [], [3]]),
    (Optional[int], [1, None, 3], [1, None, 3]),  # noqa: UP045
    (Optional[Person], [{"id": 1}, None], [Person(id=1), None]),  # noqa: UP045
    (dict[str, int], [{"a": 1}, {}], [{"a": 1}, {}]),
    (datetime.date, ["2024-02-29"], [datetime.date(2024, 2, 29)]),
    (Union[int, str], [1, "one"], [1, "one"]),  # noqa: UP007
    (int | list[str], [1, ["a"]], [1, ["a"]]),
    (Point, [{"x": 1, "y": 2}], [Point(1, 2)]),
    (Row, [{"name": "a"}], [{"name": "a"}]),
    (Square | Circle, [{"form": "circle", "radius": 2}], [Circle(form="circle", radius=2)]),
    (Shape, [{"form": "square", "side": 2}], [Square(form="square", side=2)]),
    (Cat | Dog, [{"kind": "Dog", "name": "Rex"}, {"kind": "Cat", "name": "Tom"}], [Dog(name="Rex"), Cat(name="Tom")]),
    (Cat | Dog, [{"name": "Rex", "breed": "pug"}], [Dog(name="Rex", breed="pug")]),
]


@pytest.mark.parametrize(("kind", "written", "read"), KINDS, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
async def test_any_type_is_an_item(
    harness: Harness, mode: Mode, kind: Any, written: list[Any], read: list[Any]
) -> None:
    text = tasks(*(dump(each) for each in written))
    with Scripted([said(text, mode, chunk=1), answer(text)]) as server:
        client = harness.client(server, mode)
        stream = client.create_iterable(response_model=Iterable[kind], max_retries=0, **asking())
        assert await harness.items(stream) == read
        assert (stream.report.good, stream.report.complete) == (len(read), True)
        assert await harness.create(client, response_model=Iterable[kind], max_retries=0) == read


def dump(value: Any) -> Any:
    return "null" if value is None else value if not isinstance(value, str) else _quoted(value)


def _quoted(value: str) -> str:
    import json

    return json.dumps(value)


async def test_a_union_without_its_tag_is_never_guessed(harness: Harness) -> None:
    with Scripted([tools(tasks({"name": "Tom"}, {"name": "Rex", "breed": "pug"}))]) as server:
        found, error = await taken(harness, stream_of(harness, server, Cat | Dog, max_retries=0))
    assert found == [Dog(name="Rex", breed="pug")]
    assert error is not None
    assert "fits several of Cat, Dog" in str(error)


LAYOUTS = {
    "bare": "[{0}, {1}]",
    "wrapped": '{{"tasks": [{0}, {1}]}}',
    "keys before and after": '{{"note": "[so]", "n": [1], "tasks": [{0}, {1}], "more": {{"id": 5}}}}',
    "fenced": "```json\n[{0},\n{1}]\n```",
    "fenced with a wrapper": 'Here:\n```json\n{{"tasks": [{0}, {1}]}}\n```\nThat is all [of them].',
    "in prose": 'I [the model] found {{some}} people [1]: {{"tasks": [{0}, {1}]}} and [no more].',
    "a line each": "{0}\n{1}\n",
    "trailing comma": "[{0}, {1},]",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
@pytest.mark.parametrize("chunk", [1, 1000])
async def test_the_list_may_stand_anywhere_in_the_text(harness: Harness, layout: str, chunk: int) -> None:
    text = layout.format('{"id": 1}', '{"id": 2}')
    with Scripted([said(text, Mode.MD_JSON, chunk=chunk)]) as server:
        stream = stream_of(harness, server, mode=Mode.MD_JSON, max_retries=0)
        assert ids(await harness.items(stream)) == [1, 2]
    assert stream.report.complete


async def test_a_wrong_line_keeps_its_place_among_lines(harness: Harness) -> None:
    text = '{"id": "x"}\n{"id": 2}\n{"id": "y"}\n{"id": 4}\n'
    with Scripted([said(text, Mode.JSON), said(people(1, 3), Mode.JSON)]) as server:
        places: list[tuple[int, int]] = []
        client = harness.client(server, Mode.JSON)
        client.on("item:good", lambda index, person: places.append((index, person.id)))
        await harness.items(client.create_iterable(response_model=Person, **asking()))
    assert places == [(1, 2), (3, 4), (0, 1), (2, 3)]


async def test_a_wrong_line_is_not_lost_when_the_lines_break_off(harness: Harness) -> None:
    text = '{"id": 1}\n{"id": "x"}\n{"id": 3}\n{"id": 4'
    with Scripted([
        said(text, Mode.JSON, finish="length"),
        said('{"id": 4}\n', Mode.JSON),
        said(people(2), Mode.JSON),
    ]) as server:  # fmt: skip
        assert ids(await harness.items(stream_of(harness, server, mode=Mode.JSON))) == [1, 3, 4, 2]


async def test_objects_in_prose_before_a_cut_are_no_items(harness: Harness) -> None:
    text = 'For example:\n{"page": 1}\nNow the list: {"tas'
    with Scripted([said(text, Mode.JSON, finish="length"), said(people(1), Mode.JSON)]) as server:
        stream = stream_of(harness, server, mode=Mode.JSON)
        assert ids(await harness.items(stream)) == [1]
    assert stream.report.bad == 0


@pytest.mark.parametrize("interleave", [False, True])
@pytest.mark.parametrize("chunk", [1, 5, 100])
async def test_several_tool_calls_all_count(harness: Harness, interleave: bool, chunk: int) -> None:
    calls = [people(1, 2), people(11, 12, 13), people(), people(21)]
    with Scripted([tools(*calls, interleave=interleave, chunk=chunk), tools(*calls)]) as server:
        client = harness.client(server)
        stream = client.create_iterable(response_model=Person, **asking())
        found = ids(await harness.items(stream))
        whole = await harness.create(client, response_model=list[Person])
    assert sorted(found) == ids(whole) == [1, 2, 11, 12, 13, 21]
    assert [each for each in found if each > 10 and each < 20] == [11, 12, 13]
    assert (stream.report.attempts, stream.report.complete) == (1, True)


async def test_all_tool_calls_must_be_whole(harness: Harness) -> None:
    with Scripted([tools(people(1), people(2, 3)[:-9], interleave=True), tools(people(3))]) as server:
        assert sorted(ids(await harness.items(stream_of(harness, server)))) == [1, 2, 3]


PETS = [ToolCall('{"name": "Rex", "breed": "pug"}', "Dog"), ToolCall('{"name": "Tom"}', "Cat")]


@pytest.mark.parametrize("interleave", [False, True])
async def test_parallel_tools_by_stream(harness: Harness, interleave: bool) -> None:
    with Scripted([tools(*PETS, interleave=interleave, chunk=3)]) as server:
        stream = stream_of(harness, server, Iterable[Cat | Dog], Mode.PARALLEL_TOOLS)
        found = await harness.items(stream)
    assert sorted(found, key=lambda pet: pet.name) == [Dog(name="Rex", breed="pug"), Cat(name="Tom")]
    assert stream.report.complete


async def test_parallel_tools_go_wrong_and_break_off_one_by_one(harness: Harness) -> None:
    wrong = ToolCall('{"name": 5}', "Dog")
    half = ToolCall('{"name": "To', "Cat")
    with Scripted([
        tools(PETS[0], wrong, half, finish="length"),
        tools(PETS[1]),
        tools(ToolCall('{"name": "Five"}', "Dog")),
    ]) as server:  # fmt: skip
        stream = stream_of(harness, server, Iterable[Cat | Dog], Mode.PARALLEL_TOOLS)
        assert await harness.items(stream) == [Dog(name="Rex", breed="pug"), Cat(name="Tom"), Dog(name="Five")]
    assert (stream.report.repaired, stream.report.continuations, stream.report.attempts) == (1, 1, 3)
    asked = server.requests[2].messages[1]["tool_calls"]
    assert [(call["function"]["name"], call["function"]["arguments"]) for call in asked] == [("Dog", '{"name": 5}')]


async def test_parallel_tools_whole(harness: Harness) -> None:
    with Scripted([answer(*PETS)]) as server:
        client = harness.client(server, Mode.PARALLEL_TOOLS)
        found = await harness.create(client, response_model=Iterable[Cat | Dog])
    assert found == [Dog(name="Rex", breed="pug"), Cat(name="Tom")]
