"""Typed snapshots: instances of the user's own types, each a prefix of the validated whole."""

from __future__ import annotations

import dataclasses
import json
import pickle
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID, uuid4

import pytest
from documents import MODELS, SEEDS, Known, cuts, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import NotRequired, TypedDict

from instructor.engine.call import TEXT, Call, Delta
from instructor.engine.ports import Bad, Good, Outcome
from instructor.mode import Mode
from instructor.output.growing import Growing, GrowingSink
from instructor.output.one import One

T = TypeVar("T")


def sink(kind: Any, mode: Mode = Mode.TOOLS, **how: Any) -> GrowingSink:
    output = Growing(One(kind))
    return output.sink(Call((), output, mode, **how))


def grow(kind: Any, pieces: list[str], mode: Mode = Mode.TOOLS, **how: Any) -> list[Outcome]:
    reader = sink(kind, mode, **how)
    channel = 0 if mode.by_tool else TEXT
    found = [good for piece in pieces for good in reader.feed([Delta(channel, piece)])]
    assert reader.looked <= 2 * sum(map(len, pieces))
    return found + reader.close()


def values(kind: Any, document: Any, **how: Any) -> list[Any]:
    """Give the snapshots after each character of a document, and the final value."""
    outcomes = grow(kind, list(json.dumps(document)), **how)
    assert all(isinstance(outcome, Good) for outcome in outcomes), outcomes[-1]
    return [outcome.value for outcome in outcomes if isinstance(outcome, Good)]


def is_prefix(part: Any, whole: Any) -> bool:
    if part is None:
        return True
    if isinstance(whole, date):
        return str(whole).startswith(str(part))
    if isinstance(part, BaseModel):
        return type(part) is type(whole) and all(
            name in whole.model_fields_set and is_prefix(getattr(part, name), getattr(whole, name))
            for name in part.model_fields_set
        )
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and is_prefix(v, whole[k]) for k, v in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) <= len(whole) and all(map(is_prefix, part, whole))
    if isinstance(part, str):
        return isinstance(whole, str) and whole.startswith(part)
    return type(part) is type(whole) and bool(part == whole)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), known=MODELS, seed=SEEDS)
def test_snapshots_grow_to_the_validated_whole(data: st.DataObject, known: Known, seed: int) -> None:
    value = data.draw(known.values)
    text = write(value, seed)
    outcomes = grow(known.kind, data.draw(cuts(text)))
    whole = known.kind.model_validate_json(text, strict=True)
    final = outcomes.pop()
    assert final == Good(0, whole, text)
    found = [outcome.value for outcome in outcomes if isinstance(outcome, Good) and not outcome.final]
    assert all(type(snapshot) is known.kind for snapshot in found)
    assert all(is_prefix(old, new) for old, new in pairwise([*found, whole]))


class Address(BaseModel):
    model_config = ConfigDict(frozen=True)
    street: str
    since: date


class Person(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str
    key: UUID = Field(default_factory=uuid4)
    years: int | None = Field(None, validation_alias=AliasChoices("age", "years"))
    home: Address
    addresses: list[Address] = []
    _seen: list[str] = PrivateAttr(default_factory=list)


def constructed(**fields: Any) -> Address:
    return Address.model_construct(set(fields), **{"street": None, "since": None, **fields})


NOWHERE = constructed()

PERSON = {
    "name": "Jo",
    "age": 3,
    "home": {"street": "A", "since": "2020-01-02"},
    "addresses": [{"street": "B", "since": "2021-01-02"}, {"street": "C", "since": "2022-01-02"}],
    "more": [1],
}


def test_a_snapshot_is_an_instance_with_what_is_known() -> None:
    first, *_, last = values(Person, {**PERSON, "key": str(uuid4())})[:-1]
    assert type(first) is Person
    assert [first.name, first.years, first.addresses, first.model_fields_set] == [None, None, [], set()]
    assert [first.home, first._seen, first.model_extra] == [NOWHERE, [], {}]
    assert (last.years, last.model_extra) == (3, {"more": [1]})
    assert last.model_fields_set == {"name", "years", "home", "addresses", "key", "more"}
    assert pickle.loads(pickle.dumps(last)) == last


def test_a_default_is_made_once() -> None:
    assert len({snapshot.key for snapshot in values(Person, PERSON)[:-1]}) == 1


def test_defaults_are_not_shared_between_answers() -> None:
    values(Person, PERSON)[0].addresses.append("mine")
    assert values(Person, PERSON)[0].addresses == []


def test_closed_models_are_validated_and_stay_the_same_objects() -> None:
    snapshots = values(Person, PERSON)[:-1]
    with_home = [snapshot for snapshot in snapshots if type(snapshot.home.since) is date]
    assert len({id(snapshot.home) for snapshot in with_home}) == 1
    assert with_home[0].home == Address(street="A", since=date(2020, 1, 2))
    firsts = [snapshot.addresses[0] for snapshot in snapshots if len(snapshot.addresses) == 2]
    assert len({id(first) for first in firsts}) == 1
    assert type(firsts[0].since) is date


class Order(BaseModel):
    home: Address
    day: date
    orders: list[Order] = []


def test_the_outermost_closed_model_is_validated_with_all_inside_it() -> None:
    inner = {"home": {"street": "A", "since": "2020-01-02"}, "day": "2020-01-03", "orders": []}
    document = {**inner, "orders": [inner]}
    seen = [snapshot.orders[0] for snapshot in values(Order, document)[:-1] if snapshot.orders]
    assert {type(part.home.since) for part in seen if not part.day} == {type(None), str}
    assert seen[-1] == Order.model_validate_json(json.dumps(inner))


class Watched(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def _told(cls, value: int, info: ValidationInfo) -> int:
        assert info.context is not None
        info.context["told"].append(value)
        return value * 10


class Watching(BaseModel):
    parts: list[Watched]
    last: str


def test_a_part_is_validated_once_with_the_calls_context() -> None:
    told: list[int] = []
    *_, before, last = values(Watching, {"parts": [{"n": 1}, {"n": 2}], "last": "x"}, context={"told": told})
    assert [part.n for part in before.parts] == [10, 20]
    assert last == before
    assert told == [1, 2, 1, 2]  # as they closed, and with the whole


@pytest.mark.parametrize(("strict", "count"), [(True, "3"), (False, 3)])
def test_what_is_not_valid_stays_as_it_came(strict: bool, count: Any) -> None:
    class Counted(BaseModel):
        count: int

    class Counts(BaseModel):
        one: Counted
        other: str

    outcomes = grow(Counts, list('{"one": {"count": "3"}, "other": "x"}'), strict=strict)
    snapshot = outcomes[-2]
    assert isinstance(snapshot, Good)
    assert snapshot.value.one.count == count
    assert isinstance(outcomes[-1], Bad if strict else Good)


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
    texts: str | list[str] = ""


ADDRESS = {"street": "A", "since": "2020-01-02"}
DAY = date(2020, 1, 2)
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
            {"kind": "cat", "born": "2020-01-02"},
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
        ("texts", ["a", "b"], ["a", "b"], ["a", "b"]),
    ],
)
def test_each_kind_of_type(field: str, document: Any, while_open: Any, closed: Any) -> None:
    before = {} if field == "point" else {"point": {"x": 1}}
    text = json.dumps({**before, field: document, "end": 1})
    at = text.index(', "end"')
    reader = sink(Zoo)
    reader.feed([Delta(0, text[: at - 1])])
    (shown,) = reader.feed([Delta(0, " ")])
    (done,) = reader.feed([Delta(0, text[at - 1])])
    assert isinstance(shown, Good)
    assert isinstance(done, Good)
    assert getattr(shown.value, field) == while_open
    assert getattr(done.value, field) == closed
    assert type(getattr(done.value, field)) is type(closed)


def test_elements_of_a_discriminated_union_are_dicts_until_they_close() -> None:
    document = {"point": {"x": 1}, "pets": [{"kind": "cat", "born": "2020-01-02"}, {"kind": "dog", "bark": "w"}]}
    kinds = [[type(pet).__name__ for pet in snapshot.pets] for snapshot in values(Zoo, document)]
    assert ["dict", "dict"] not in kinds
    assert ["Cat", "dict"] in kinds
    assert kinds[-1] == ["Cat", "Dog"]


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
        (Cat | Dog, {"kind": "dog", "bark": "w"}, {"kind": "do"}),
    ],
)
def test_answers_of_any_type_grow(kind: Any, document: Any, some: Any) -> None:
    wrapped = One(kind).wrapped
    found = values(kind, {"content": document} if wrapped else document)
    assert some in found
    assert found[-1] == One(kind).validate(json.dumps({"content": document} if wrapped else document), strict=True)
    assert type(found[-1]) is not dict or kind is Row


def test_a_validator_of_the_whole_speaks_at_the_end() -> None:
    class Sure(BaseModel):
        a: int
        b: int

        @model_validator(mode="after")
        def _check(self) -> Sure:
            if self.a > self.b:
                raise ValueError("a is larger than b")
            return self

    *snapshots, last = grow(Sure, list('{"a": 2, "b": 1}'))
    assert isinstance(snapshots[-1], Good)
    assert isinstance(last, Bad)
    assert "larger" in str(last.error)


def test_each_delta_with_text_gives_one_snapshot() -> None:
    reader = sink(Address)
    assert reader.feed([Delta(0, '{"')]) == [Good(0, NOWHERE, "", final=False)]
    assert len(reader.feed([Delta(0, "street"), Delta(0, ""), Delta(0, '":"x'), Delta(TEXT, "not this")])) == 2


def test_the_first_tool_call_with_arguments_counts() -> None:
    reader = sink(Address)
    reader.feed([Delta(0, "", id="1", name="Address")])
    assert not reader.started
    reader.feed([Delta(1, json.dumps(ADDRESS)[:9]), Delta(2, '{"street": "no'), Delta(1, json.dumps(ADDRESS)[9:])])
    assert reader.closed
    assert reader.close() == [Good(0, Address(street="A", since=DAY), json.dumps(ADDRESS))]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('Here [1] {you} are:\n```json\n{"street": "A", "since": "2020-01-02"}\n```\nBye', False),
        ('{"street": "A", "since": "2020-01-02",}', True),
    ],
)
def test_text_with_prose_or_small_faults(text: str, mended: bool) -> None:
    *snapshots, last = grow(Address, list(text), mode=Mode.MD_JSON)
    assert last == Good(0, Address(street="A", since=DAY), text, mended=mended)
    assert isinstance(snapshots[-1], Good)
    assert snapshots[-1].value == constructed(**ADDRESS)


@pytest.mark.parametrize("text", ['{"street": "A", "si', "I would rather not."])
def test_an_answer_without_end_is_bad(text: str) -> None:
    reader = sink(Address, Mode.JSON)
    reader.feed([Delta(TEXT, text)])
    (last,) = reader.close()
    assert isinstance(last, Bad)
    assert last.text == text
    assert not reader.closed


def test_no_answer_gives_no_outcome() -> None:
    reader = sink(Address)
    assert reader.feed([Delta(TEXT, "Well,")]) == []
    assert reader.close() == []
    assert not reader.started
