"""Growing answers of every kind of type that has parts."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from growth import ADDRESS, DAY, Address, constructed, parser, values
from pydantic import (
    BaseModel,
    Field,
    RootModel,
    create_model,
)
from typing_extensions import NotRequired, TypeAliasType, TypedDict

from instructor.core.types import Delta, Valid
from instructor.outputs.single import Single

T = TypeVar("T")


@dataclasses.dataclass
class Point:
    x: int
    y: int = 3
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    x: int
    day: date


class Row(TypedDict):
    a: int
    day: NotRequired[date]


class Box(BaseModel, Generic[T]):
    inside: T
    more: list[T]


class Cat(BaseModel):
    kind: Literal["cat"]
    born: date


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: str


class Node(BaseModel):
    value: int
    next: Node | None = None


Addresses = RootModel[list[Address]]


Pairs = TypeAliasType("Pairs", dict[str, T], type_params=(T,))
Home = TypeAliasType("Home", Address)


class Zoo(BaseModel):
    point: Point
    fixed: Fixed | None = None
    row: Row | None = None
    box: Box[Address] | None = None
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    either: Cat | Dog | None = None
    root: Addresses | None = None
    node: Node | None = None
    days: set[date] = set()
    pair: tuple[int, date] | None = None
    by_name: dict[str, Address] = {}
    homes: Pairs[Home] = {}
    texts: str | list[str] = ""


CAT = {"kind": "cat", "born": "2020-01-02"}
NODE = Node(value=1, next=Node(value=2))


@pytest.mark.parametrize(
    ("field", "document", "while_open", "closed"),
    [
        ("point", {"x": 1, "tags": ["q"]}, Point(1, 3, ["q"]), Point(1, 3, ["q"])),
        ("fixed", {"x": 1, "day": "2020-01-02"}, Fixed(1, "2020-01-02"), Fixed(1, DAY)),  # type: ignore[arg-type]
        ("row", {"a": 1, "day": "2020-01-02"}, {"a": 1, "day": "2020-01-02"}, {"a": 1, "day": DAY}),
        (
            "box",
            {"inside": ADDRESS, "more": []},
            Box[Address].model_construct(inside=constructed(**ADDRESS), more=[]),
            Box[Address](inside=Address(street="A", since=DAY), more=[]),
        ),
        (
            "either",
            {"kind": "cat", "born": "2020-01-02"},
            Cat.model_construct(kind="cat", born="2020-01-02"),  # type: ignore[arg-type]
            Cat(kind="cat", born=DAY),
        ),
        (
            "node",
            {"value": 1, "next": {"value": 2}},
            Node(value=1, next=Node(value=2)),
            Node(value=1, next=Node(value=2)),
        ),
        ("days", ["2020-01-02"], ["2020-01-02"], {DAY}),
        ("pair", [1, "2020-01-02"], [1, "2020-01-02"], (1, DAY)),
        ("by_name", {"a": ADDRESS}, {"a": Address(street="A", since=DAY)}, {"a": Address(street="A", since=DAY)}),
        ("homes", {"a": ADDRESS}, {"a": Address(street="A", since=DAY)}, {"a": Address(street="A", since=DAY)}),
        ("texts", ["a", "b"], ["a", "b"], ["a", "b"]),
    ],
)
def test_each_kind_of_type(field: str, document: Any, while_open: Any, closed: Any) -> None:
    before = {} if field == "point" else {"point": {"x": 1}}
    text = json.dumps({**before, field: document, "end": 1})
    at = text.index(', "end"')
    reader = parser(Zoo)
    reader.feed([Delta(0, text[: at - 1])])
    (shown,) = reader.feed([Delta(0, " ")])
    (done,) = reader.feed([Delta(0, text[at - 1])])
    assert isinstance(shown, Valid)
    assert isinstance(done, Valid)
    assert getattr(shown.value, field) == while_open
    assert getattr(done.value, field) == closed
    assert type(getattr(done.value, field)) is type(closed)


def test_elements_of_a_discriminated_union_come_when_their_class_is_known() -> None:
    document = {"point": {"x": 1}, "pets": [{"kind": "cat", "born": "2020-01-02"}, {"kind": "dog", "bark": "w"}]}
    kinds = [[type(pet).__name__ for pet in snapshot.pets] for snapshot in values(Zoo, document)]
    assert sorted({tuple(each) for each in kinds}, key=len) == [(), ("Cat",), ("Cat", "Dog")]


def test_a_root_model_grows_inside_its_instance() -> None:
    found = [
        snapshot.root for snapshot in values(Zoo, {"point": {"x": 1}, "root": [ADDRESS, ADDRESS]}) if snapshot.root
    ]
    assert all(type(root) is Addresses for root in found)
    assert [len(root.root) for root in found] == sorted(len(root.root) for root in found)
    assert found[-1] == Addresses([Address(street="A", since=DAY)] * 2)


def test_parts_of_an_answer_under_content_are_validated_as_they_close() -> None:
    found = values(Addresses, {"content": [ADDRESS, ADDRESS]})
    assert {type(grown.root[0].since) for grown in found if len(grown.root) == 2} == {date}


@pytest.mark.parametrize(
    ("kind", "document", "some"),
    [
        (int, 12, 12),
        (list[int], [1, 2], [1]),
        (str, "abc", "ab"),
        (set[int], [1, 2], [1]),
        (Addresses, [ADDRESS], Addresses.model_construct([])),
        (Point, {"x": 1}, Point(None)),  # type: ignore[arg-type]
        (Row, {"a": 1}, {}),
        (Cat | Dog, {"kind": "dog", "bark": "w"}, Dog(kind="dog", bark="")),
    ],
)
def test_answers_of_any_type_grow(kind: Any, document: Any, some: Any) -> None:
    wrapped = Single(kind).wrapped
    found = values(kind, {"content": document} if wrapped else document)
    assert some in found
    assert found[-1] == Single(kind).validate(json.dumps({"content": document} if wrapped else document), strict=True)
    assert type(found[-1]) is not dict or kind is Row


class Street(BaseModel):
    line: str


class House(BaseModel):
    name: str
    streets: list[Street] = []


class Tent(BaseModel):
    name: str


Told: Any = Annotated[House | Tent, Field(description="Where.")]


@pytest.mark.parametrize("kind", [House | Tent, Told | None])
def test_a_union_is_the_member_that_our_tag_names(kind: Any) -> None:
    document = {"content": {"kind": "House", "name": "a", "streets": [{"line": "b"}]}}
    shown = values(kind, document)
    kinds = [type(value) for value in shown]
    assert set(kinds) == {House}
    assert shown[-2] == shown[-1] == House(name="a", streets=[Street(line="b")])
    assert {type(street) for home in shown if isinstance(home, House) for street in home.streets} == {Street}


def test_a_union_without_any_tag_comes_when_it_is_validated() -> None:
    assert values(House | Tent, {"content": {"name": "a", "streets": []}}) == [House(name="a")]


def test_a_tag_that_grows_names_nobody_yet() -> None:
    other: Any = create_model("House", __module__="elsewhere", name=(str, ...), rooms=(int, 0))
    shown = values(House | other, {"content": {"kind": "House_2", "name": "a"}})
    assert {type(value) for value in shown} == {other}
