"""Worked examples: they fit the schema they are made from, and differ in count."""

from __future__ import annotations

import datetime
import enum
import json
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from instructor.local.few_shot import CHARACTERS, examples


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    city: str


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, le=20)
    weight: float | None
    address: Address
    tags: list[str]
    colour: Colour
    born: datetime.date
    kind: Literal["person"] = "person"
    member: bool


class People(BaseModel):
    tasks: list[Person]


class Tree(BaseModel):
    value: Annotated[int, Field(gt=1000)]
    left: Tree | None = None
    kids: list[Tree] = []


class Words(BaseModel):
    tasks: list[str]


class Pair(BaseModel):
    tasks: list[Address | Tree]


@pytest.mark.parametrize("model", [Address, Person, People, Tree, Words, Pair])
def test_the_examples_fit_the_schema(model: type[BaseModel]) -> None:
    made = examples(model.model_json_schema())
    assert made
    for text, answer in made:
        assert text
        model.model_validate_json(answer)


def test_every_value_is_said() -> None:
    for text, answer in examples(Address.model_json_schema()):
        assert all(value in text for value in json.loads(answer).values())


def test_lists_differ_in_count_and_no_row_comes_twice() -> None:
    lists = [json.loads(answer)["tasks"] for _, answer in examples(Words.model_json_schema())]
    assert len({len(items) for items in lists}) >= 3
    rows = [item for items in lists for item in items]
    assert len(set(rows)) == len(rows)


def test_a_scalar_has_no_examples() -> None:
    assert examples({"type": "object", "properties": {"content": {"type": "string"}}}) == []
    assert examples({"type": "object"}) == []


def test_a_large_schema_has_few_examples() -> None:
    wide = TypeAdapter(dict).json_schema() | {
        "properties": {f"field_number_{number}": {"type": "string"} for number in range(40)}
    }
    made = examples(wide)
    assert len(made) == 1
    assert sum(len(part) for part in made[0]) < 3 * CHARACTERS
