"""Typed snapshots: instances of the user's own types, each a prefix of the validated whole."""

from __future__ import annotations

import json
import pickle
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from documents import MODELS, SEEDS, Known, cuts, write
from growth import ADDRESS, DAY, NOWHERE, Address, constructed, grow, parser, values
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from instructor.core.types import TEXT, Delta, Invalid, Valid
from instructor.mode import Mode


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
    assert final == Valid(0, whole, text)
    found = [outcome.value for outcome in outcomes if isinstance(outcome, Valid) and not outcome.final]
    assert all(type(snapshot) is known.kind for snapshot in found)
    assert all(is_prefix(old, new) for old, new in pairwise([*found, whole]))


class Person(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str
    key: UUID = Field(default_factory=uuid4)
    years: int | None = Field(None, validation_alias=AliasChoices("age", "years"))
    home: Address
    addresses: list[Address] = []
    _seen: list[str] = PrivateAttr(default_factory=list)


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


@pytest.mark.parametrize(("strict", "count"), [(True, None), (False, 3)])
def test_what_is_of_another_kind_is_shown_when_it_is_validated(strict: bool, count: Any) -> None:
    class Counted(BaseModel):
        count: int

    class Counts(BaseModel):
        one: Counted
        other: str

    outcomes = grow(Counts, list('{"one": {"count": "3"}, "other": "x"}'), strict=strict)
    snapshot = outcomes[-2]
    assert isinstance(snapshot, Valid)
    assert snapshot.value.one.count == count
    assert isinstance(outcomes[-1], Invalid if strict else Valid)


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
    assert isinstance(snapshots[-1], Valid)
    assert isinstance(last, Invalid)
    assert "larger" in str(last.error)


def test_each_delta_with_text_gives_one_snapshot() -> None:
    reader = parser(Address)
    assert reader.feed([Delta(0, '{"')]) == [Valid(0, NOWHERE, "", final=False)]
    assert len(reader.feed([Delta(0, "street"), Delta(0, ""), Delta(0, '":"x'), Delta(TEXT, "not this")])) == 2


def test_the_first_tool_call_with_arguments_counts() -> None:
    reader = parser(Address)
    reader.feed([Delta(0, "", id="1", name="Address")])
    assert reader.started
    assert not reader.closed
    reader.feed([Delta(1, json.dumps(ADDRESS)[:9]), Delta(2, '{"street": "no'), Delta(1, json.dumps(ADDRESS)[9:])])
    assert reader.closed
    assert reader.close() == [Valid(0, Address(street="A", since=DAY), json.dumps(ADDRESS))]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('Here [1] {you} are:\n```json\n{"street": "A", "since": "2020-01-02"}\n```\nBye', False),
        ('{"street": "A", "since": "2020-01-02",}', True),
    ],
)
def test_text_with_prose_or_small_faults(text: str, mended: bool) -> None:
    *snapshots, last = grow(Address, list(text), mode=Mode.MD_JSON)
    assert last == Valid(0, Address(street="A", since=DAY), text, mended=mended)
    assert isinstance(snapshots[-1], Valid)
    assert snapshots[-1].value == constructed(**ADDRESS)


@pytest.mark.parametrize("text", ['{"street": "A", "si', "I would rather not."])
def test_an_answer_without_end_is_bad(text: str) -> None:
    reader = parser(Address, Mode.JSON)
    reader.feed([Delta(TEXT, text)])
    (last,) = reader.close()
    assert isinstance(last, Invalid)
    assert last.text == text
    assert not reader.closed


def test_no_answer_gives_no_outcome() -> None:
    reader = parser(Address)
    assert reader.feed([Delta(TEXT, "Well,")]) == []
    assert reader.close() == []
    assert not reader.started
