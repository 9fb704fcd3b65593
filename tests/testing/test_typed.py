"""`answer` of the user's own typed values: whatever is asked for, it comes back equal, by one request."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal, cast

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, computed_field
from typing_extensions import TypedDict

from harness import Harness, asking
from instructor import Maybe, Mode
from instructor.testing import Asked, Reply, answer, content, tools
from instructor.testing.faults import Write, plan


class Cat(BaseModel):
    lives: int


class Dog(BaseModel):
    barks: bool
    born: date = date(2020, 1, 2)


class Puppy(BaseModel):
    barks: bool
    born: date = date(2024, 1, 2)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Named(BaseModel):
    model_config = ConfigDict(extra="forbid")
    full: str = Field(validation_alias="fullName", serialization_alias="full_name")
    age: int = Field(validation_alias=AliasChoices("years", "age"))
    colour: Colour = Colour.RED
    pets: dict[Colour, list[Cat]] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def initial(self) -> str:
        return self.full[0]


class Content(BaseModel):
    """A model whose only field is called as the key that other values stand under."""

    content: str


class Owner(BaseModel):
    pet: Cat | Dog
    others: list[Cat | Dog]


class Row(TypedDict):
    name: str


@dataclass
class Point:
    x: int
    y: Decimal


class Cats(RootModel[list[Cat]]):
    pass


class OwnKind(BaseModel):
    kind: Literal["own"] = "own"
    lives: int


class OtherKind(BaseModel):
    kind: Literal["other"] = "other"
    lives: int


CAT, DOG, PUPPY = Cat(lives=9), Dog(barks=True), Puppy(barks=True)
NAMED = Named.model_validate({"fullName": "Ann", "years": 3, "colour": "blue", "pets": {"red": [{"lives": 1}]}})
KITTY = {"lives": 9}
VALUES = [
    (Cat, CAT, KITTY),
    (Named, NAMED, {"fullName": "Ann", "years": 3, "colour": "blue", "pets": {"red": [{"lives": 1}]}}),
    (Content, Content(content="x"), {"content": "x"}),
    (
        Owner,
        Owner(pet=DOG, others=[CAT]),
        {"pet": {"barks": True, "born": "2020-01-02"}, "others": [KITTY]},
    ),
    (Point, Point(1, Decimal("2.5")), {"x": 1, "y": "2.5"}),
    (Row, {"name": "Ann"}, {"name": "Ann"}),
    (Cats, Cats([CAT]), {"content": [KITTY]}),
    (Maybe(Cat), Maybe(Cat)(result=CAT), {"result": KITTY, "error": False, "message": None}),
    (int, 5, {"content": 5}),
    (float, 0.5, {"content": 0.5}),
    (bool, True, {"content": True}),
    (str, "five", {"content": "five"}),
    (str, "two\nlines", {"content": "two\nlines"}),
    (date, date(2024, 5, 6), {"content": "2024-05-06"}),
    (Colour, Colour.BLUE, {"content": "blue"}),
    (Level, Level.LOW, {"content": 1}),
    (Literal["a", "b"], "b", {"content": "b"}),
    (Cat | Dog, DOG, {"content": {"kind": "Dog", "barks": True, "born": "2020-01-02"}}),
    (Dog | Puppy, PUPPY, {"content": {"kind": "Puppy", "barks": True, "born": "2024-01-02"}}),
    (OwnKind | OtherKind, OtherKind(lives=1), {"content": {"kind": "other", "lives": 1}}),
    (Cat | None, None, {"content": None}),
    (Cat | None, CAT, {"content": KITTY}),
    (int | str, "five", {"content": "five"}),
    (list[Cat], [CAT, Cat(lives=8)], {"tasks": [KITTY, {"lives": 8}]}),
    (list[int], [1, 2], {"tasks": [1, 2]}),
    (list[str], ["a", "b"], {"tasks": ["a", "b"]}),
    (list[Colour], [Colour.RED], {"tasks": ["red"]}),
    (list[Cat | Dog], [CAT], {"tasks": [{"kind": "Cat", "lives": 9}]}),
    (list[list[int]], [[1], [2, 3]], {"tasks": [[1], [2, 3]]}),
    (Iterable[Dog | Puppy], [PUPPY], {"tasks": [{"kind": "Puppy", "barks": True, "born": "2024-01-02"}]}),
    (tuple[int, str], (1, "a"), {"content": [1, "a"]}),
    (set[int], {1}, {"content": [1]}),
]


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA])
@pytest.mark.parametrize(("kind", "value", "sent"), VALUES)
async def test_a_value_comes_back(
    harness: Harness, scripted_server: Any, kind: Any, value: Any, sent: Any, mode: Mode
) -> None:
    client = harness.client(scripted_server([answer(value)]), mode)
    found, completion = await harness.result(client.create_with_completion(**asking(response_model=kind)))
    assert (list(found) if isinstance(value, list) else found) == value
    message = completion.choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments if message.tool_calls else message.content) == sent


@pytest.mark.parametrize(
    "wrong", [answer([CAT, DOG], corrupt_item=1), answer([CAT, cast("Any", Dog).model_construct()])]
)
async def test_a_wrong_item_of_a_stream(harness: Harness, scripted_server: Any, wrong: Reply) -> None:
    server = scripted_server([wrong, answer(DOG)])
    stream = harness.client(server).create_iterable(**asking(response_model=Cat | Dog))
    assert await harness.items(stream) == [CAT, DOG]
    assert stream.report.repaired == 1


async def test_parallel_tools(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(DOG, CAT)])
    calls = await harness.create(harness.client(server, Mode.PARALLEL_TOOLS), Iterable[Cat | Dog])
    assert list(calls) == [DOG, CAT]


def sent(reply: Reply, **body: Any) -> Any:
    """Return the text that a reply has for a request."""
    (step,) = plan(reply, Asked(1, "POST", "/v1/chat/completions", "", {}, body, b"")).steps
    assert isinstance(step, Write)
    message = json.loads(step.data)["choices"][0]["message"]
    return message["tool_calls"][0]["function"]["arguments"] if "tool_calls" in message else message["content"]


@pytest.mark.parametrize("raw", ['{"content": "x"', "[1, 2]", '"x"'])
def test_a_text_that_begins_as_json_does_is_sent_as_it_is(raw: str) -> None:
    schema = {"type": "object", "properties": {"content": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "Response", "parameters": schema}}
    assert sent(answer(raw), tools=[tool]) == raw
    assert json.loads(sent(answer("x"), tools=[tool])) == {"content": "x"}


@pytest.mark.parametrize("reply", [answer(CAT), tools(CAT), content(CAT)])
def test_without_a_schema_a_value_is_json(reply: Reply) -> None:
    assert json.loads(sent(reply, messages=[{"role": "user", "content": 'no {"properties"'}])) == KITTY
