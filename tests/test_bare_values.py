"""One value that comes without its wrapper, or with parts as JSON text, is read without a request."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from typing import Any, Literal, NewType

import pytest
from pydantic import BaseModel, RootModel, TypeAdapter
from typing_extensions import TypeAliasType, TypedDict

from harness import Harness
from instructor import Mode
from instructor.exceptions import InstructorRetryException
from instructor.testing import content, tools


class User(BaseModel):
    name: str
    age: int


class Dog(BaseModel):
    barks: bool


class Team(BaseModel):
    lead: User
    members: list[User]
    note: str = ""


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int


class Place(TypedDict):
    x: int


USER = {"name": "a", "age": 1}
TEXT = json.dumps(USER)
Numbers = TypeAliasType("Numbers", list[int])
Root = RootModel[list[int]]
Age = NewType("Age", int)
BARE: list[tuple[Any, str, Any]] = [
    (int, "42", 42),
    (float, "3.5", 3.5),
    (bool, "true", True),
    (str, '"hello"', "hello"),
    (Age, "3", 3),
    (Literal["yes", "no"], '"yes"', "yes"),
    (Literal["yes", "no"], "yes", "yes"),
    (Color, '"red"', Color.RED),
    (Color, "red", Color.RED),
    (datetime.date, "2024-01-02", datetime.date(2024, 1, 2)),
    (User | None, TEXT, User(**USER)),
    (User | None, "null", None),
    (User | Dog, '{"barks": true}', Dog(barks=True)),
    (set[int], "[1, 2]", {1, 2}),
    (tuple[int, str], '[1, "a"]', (1, "a")),
    (dict[str, int], '{"a": 1}', {"a": 1}),
    (Root, "[1, 2]", Root([1, 2])),
    (list, "[1]", [1]),
    (Any, '{"a": 1}', {"a": 1}),
    (int | str, "5", 5),
]
WRAPPED: list[tuple[Any, Any, Any]] = [
    (Point, {"x": 1}, Point(1)),
    (Place, {"x": 1}, {"x": 1}),
    (Numbers, {"tasks": [1, 2]}, [1, 2]),
    (TypeAdapter(int), {"content": 5}, 5),
    (TypeAdapter(list[int]), {"tasks": [5]}, [5]),
]


def reply(mode: Mode, text: str) -> Any:
    return tools(text) if mode is Mode.TOOLS else content(text)


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.MD_JSON], ids=lambda mode: mode.name)
async def test_a_value_without_its_wrapper(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    texts = [text for _, text, _ in BARE]
    server = scripted_server([reply(mode, text) for text in texts for _ in range(2)], strict=False)
    client = harness.client(server, mode)
    for kind, _, expected in BARE:
        got = await harness.create(client, kind, max_retries=0)
        assert (got, type(got)) == (expected, type(expected)) or list(got) == expected
        stream = await harness.create(client, kind, max_retries=0, stream=True)
        values = await harness.items(stream)
        assert values[-1] == expected


@pytest.mark.parametrize(("kind", "given", "expected"), WRAPPED)
async def test_other_types(harness: Harness, scripted_server: Any, kind: Any, given: Any, expected: Any) -> None:
    client = harness.client(scripted_server([tools(given)]))
    assert await harness.create(client, kind, max_retries=0) == expected


async def test_a_bare_value_in_a_fence(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([content("```json\n42\n```"), content("```\n[1, 2]\n```")]), Mode.MD_JSON)
    assert await harness.create(client, int, max_retries=0) == 42
    assert await harness.create(client, set[int], max_retries=0) == {1, 2}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (str, "I cannot say."),  # any prose would be an answer
        (int, '"42"'),  # strict, as it would be in the wrapper
        (int, "about 42"),
        (dict[str, int], '{"content": 1}'),  # the wrapper, with a wrong value in it
        (dict[str, int], "{}"),  # no arguments at all
        (Literal["yes", "no"], "maybe"),
    ],
)
async def test_what_is_no_bare_value(harness: Harness, scripted_server: Any, kind: Any, text: str) -> None:
    client = harness.client(scripted_server([tools(text)], strict=False))
    with pytest.raises(InstructorRetryException):
        await harness.create(client, kind, max_retries=0)


@pytest.mark.parametrize(
    "given",
    [
        {"lead": TEXT, "members": [USER]},
        {"lead": USER, "members": json.dumps([USER])},
        {"lead": USER, "members": [TEXT]},
        {"lead": TEXT, "members": [TEXT]},
        {"lead": USER, "members": json.dumps([TEXT])},
    ],
)
async def test_parts_that_are_json_text(harness: Harness, scripted_server: Any, given: Any) -> None:
    server = scripted_server([tools(given)] * 2, strict=False)
    client = harness.client(server)
    expected = Team(lead=User(**USER), members=[User(**USER)])
    got = await harness.create(client, Team, max_retries=0)
    assert got == expected
    assert got.report.mended == 1
    assert (await harness.items(await harness.create(client, Team, max_retries=0, stream=True)))[-1] == expected


async def test_a_list_of_parts_that_are_json_text(harness: Harness, scripted_server: Any) -> None:
    given = {"tasks": [{"lead": TEXT, "members": [], "note": "{}"}]}
    server = scripted_server([tools(given)] * 2, strict=False)
    for stream in (False, True):
        got = await harness.create(harness.client(server), list[Team], max_retries=0, stream=stream)
        assert (await harness.items(got) if stream else got) == [Team(lead=User(**USER), members=[], note="{}")]


async def test_a_text_that_is_meant_as_one_stays_one(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools({"lead": TEXT, "members": [], "note": TEXT})], strict=False)
    with pytest.raises(InstructorRetryException, match=r"lead"):  # which of the two is the part is not certain
        await harness.create(harness.client(server), Team, max_retries=0)
    server = scripted_server([tools({"lead": USER, "members": [], "note": TEXT})], strict=False)
    assert (await harness.create(harness.client(server), Team, max_retries=0)).note == TEXT
