"""Growing unions: a member is shown as soon as its class is known, and nothing stands in its place before."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime
from itertools import count
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
from growth import grow, values
from pydantic import BaseModel, Discriminator, Field, RootModel, Tag, create_model
from typing_extensions import TypedDict

from harness import Harness, asking
from instructor.core.types import Valid
from instructor.testing import answer


class Cat(BaseModel):
    kind: Literal["cat"]
    name: str
    born: date | None = None


class Dog(BaseModel):
    kind: Literal["dog", "hound"] = "dog"
    name: str


class Ant(BaseModel):
    what: Literal["ant"] = Field(alias="type")
    name: str


class Bee(BaseModel):
    what: Literal["bee"] = Field(alias="type")
    name: str
    friend: Dog | None = None


class Car(TypedDict):
    kind: Literal["car"]
    name: str


@dataclasses.dataclass
class Boat:
    name: str
    kind: Literal["boat"] = "boat"


class Wood(BaseModel):
    name: str
    trees: int = 0


class Lake(BaseModel):
    name: str
    depth: int = 0


def kind_of(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else value.kind


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
Bug = Annotated[Ant | Bee, Field(discriminator="what")]
Called = Annotated[
    Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")] | Annotated[Dog, Tag("hound")], Discriminator(kind_of)
]
CAT = {"kind": "cat", "name": "Tom", "born": "2020-01-02"}
DOG = {"name": "Rex", "kind": "hound"}
BEE = {"type": "bee", "friend": {"name": "Rex"}, "name": "Maja"}
ANY_PET: Any = Pet
TAGGED: list[tuple[Any, Any]] = [
    (Pet, CAT),
    (Pet, DOG),
    (Cat | Dog, DOG),
    (Called, CAT),
    (Bug, BEE),
    (Pet | Bug, BEE),
    (Pet | Bug, DOG),
    (ANY_PET | None, CAT),
    (str | ANY_PET | int, CAT),
    (Cat | Boat, {"kind": "boat", "name": "Titanic"}),
    (RootModel[Pet], CAT),
]


def classes(kind: Any, document: Any) -> list[list[Any]]:
    """Give what is shown of a field, a list and a dict of a union; None where nothing is shown."""

    one: Any = kind | None
    many: Any = list[kind]
    named: Any = dict[str, kind]
    holder: Any = create_model("Holder", one=(one, None), many=(many, []), named=(named, {}), end=(str, ...))
    found = values(holder, {"one": document, "many": [document] * 2, "named": {"a": document}, "end": "."})
    return [[shown.one, *shown.many, *shown.named.values()] for shown in found]


@pytest.mark.parametrize(("kind", "document"), TAGGED)
def test_a_member_is_an_instance_from_its_first_snapshot(kind: Any, document: Any) -> None:
    rows = classes(kind, document)
    made = type(rows[-1][0])
    assert made not in (dict, type(None))
    assert {type(each) for row in rows for each in row} == {made, type(None)}
    names = {getattr(row[0], "root", row[0]).name for row in rows if row[0] is not None}
    last = list(document)[-1] == "name"  # it grows then, and otherwise it came before the tag
    assert len(names) > 2 if last or document is CAT else names == {document["name"]}
    assert len({len(row) for row in rows}) == 4  # each element is shown when it is known


@pytest.mark.parametrize(("kind", "document"), [case for case in TAGGED if case[0] != RootModel[Pet]])
def test_a_union_that_is_the_answer_is_an_instance_from_its_first_snapshot(kind: Any, document: Any) -> None:
    found = values(kind, {"content": document})
    assert len(found) > 2
    assert {type(shown) for shown in found} == {type(found[-1])} != {dict}


@pytest.mark.parametrize("kind", [Wood | Lake, Cat | Wood, Wood | dict[str, date]])
def test_without_a_tag_a_member_comes_when_it_is_closed(kind: Any) -> None:
    rows = classes(kind, {"name": "Bled", "trees": 3})
    assert {type(each) for row in rows for each in row} == {Wood, type(None)}
    assert {each.name for row in rows for each in row if each} == {"Bled"}


def test_a_tag_of_another_excludes_a_member() -> None:
    """Of a cat and a wood only one can be a dog."""
    rows = classes(Cat | Wood, {"kind": "dog", "name": "Rex"})
    assert {each.name for row in rows for each in row if each} > {"R", "Re", "Rex"}


def test_members_of_typed_dicts_come_with_their_tag() -> None:
    rows = classes(Cat | Car, {"kind": "car", "name": "Mini"})
    assert next(row[0] for row in rows if row[0]) == {"kind": "car", "name": ""}


def test_what_comes_before_the_tag_is_shown_where_it_is_of_its_type() -> None:
    rows = classes(Bug, {"friend": {"name": "Rex"}, "name": "Maja", "type": "bee"})
    shown = [row[0] for row in rows if row[0]]
    assert {type(bee.friend) for bee in shown} == {Dog}  # closed with the rest, and validated at once
    rows = classes(Bug, {"friend": {"name": "Rex"}, "type": "bee", "name": "Maja"})
    shown = [row[0] for row in rows if row[0]]
    assert next(type(bee.friend) for bee in shown) is type(None)
    assert shown[-1].friend == Dog(name="Rex")


def test_the_tag_is_known_when_it_is_closed() -> None:
    class Short(BaseModel):
        kind: Literal["a"]
        name: str

    class Long(BaseModel):
        kind: Literal["ab"]
        name: str

    rows = classes(Short | Long, {"kind": "ab", "name": "x"})
    assert {type(each) for row in rows for each in row} == {Long, type(None)}


class Step(BaseModel):
    name: str
    pet: Pet | None = None


class Plan(BaseModel):
    steps: list[Step] = []
    by_name: dict[str, Step] = {}
    names: list[str] = []
    pair: tuple[Step, int] | None = None
    first: Step | None = None
    title: str = ""
    size: int = 0


@pytest.mark.parametrize(
    "document",
    [
        {"steps": ["a", {"name": "b"}]},
        {"steps": [["a"], {"name": "b"}]},
        {"steps": [None, 3, {"name": "b"}]},
        {"steps": {"a": "b"}},
        {"steps": "abc"},
        {"steps": [{"name": {"a": "b"}, "pet": "x"}]},
        {"steps": [{"name": "b", "pet": {"kind": "cow", "name": "c"}}]},
        {"steps": [{"name": "b", "pet": {"kind": 3, "name": "c"}}]},
        {"by_name": {"a": "b", "c": {"name": "d"}}},
        {"by_name": [{"name": "d"}]},
        {"names": [{"a": "b"}, "c"]},
        {"names": ["a", 3, "c"]},
        {"pair": ["a", {"name": "b"}]},
        {"first": "abc"},
        {"first": [{"name": "b"}]},
        {"title": {"a": "b"}, "size": "abc"},
        {"title": ["a"], "size": [3]},
    ],
)
def test_what_is_of_another_type_is_not_shown(document: Any) -> None:
    shown = [each.value for each in grow(Plan, list(json.dumps(document))) if isinstance(each, Valid)]
    assert shown
    for plan in shown:
        steps = [*plan.steps, *plan.by_name.values(), *([plan.first] if plan.first else []), *(plan.pair or [])[:1]]
        assert {type(step) for step in steps} <= {Step}
        assert {type(step.name) for step in steps} <= {str, type(None)}
        assert {type(step.pet) for step in steps} <= {Cat, Dog, type(None)}
        assert {type(name) for name in plan.names} <= {str}
        assert (type(plan.title), type(plan.size)) == (str, int)
        assert (type(plan.steps), type(plan.by_name)) == (list, dict)
        assert plan.names in ([], [""], ["a"])  # not one in the place of another


# Defaults that are made: one for each answer.


class Note(BaseModel):
    id: UUID = Field(default_factory=uuid4)
    text: str = ""


@dataclasses.dataclass
class Entry:
    text: str
    id: str = dataclasses.field(default_factory=lambda: uuid4().hex)
    made: datetime = dataclasses.field(default_factory=datetime.now)


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    text: str
    id: UUID = dataclasses.field(default_factory=uuid4)


class Frozen(BaseModel, frozen=True):
    text: str
    id: UUID = Field(default_factory=uuid4, alias="ID")


class Book(BaseModel):
    id: UUID = Field(default_factory=uuid4)
    note: Note
    notes: list[Note] = []
    entries: list[Entry] = []
    fixed: Fixed | None = None
    frozen: Frozen | None = None
    pair: tuple[Note, int] | None = None
    either: Note | Wood | None = None
    named: dict[str, Note] = {}
    spare: Note = Field(default_factory=Note)
    root: RootModel[list[Note]] | None = None
    end: str = ""


T = {"text": "abc"}
BOOK = {
    "note": T, "notes": [T, T], "entries": [T, T], "fixed": T, "frozen": T, "pair": [T, 3], "either": T,
    "named": {"a": T}, "root": [T], "end": "xyz",
}  # fmt: skip


def ids(book: Book) -> dict[str, Any]:
    held: dict[str, Any] = {
        "own": book,
        "note": book.note,
        "fixed": book.fixed,
        "frozen": book.frozen,
        "either": book.either,
    }
    held |= {"spare": book.spare, **{f"named {key}": note for key, note in book.named.items()}}
    held |= {f"notes {at}": note for at, note in enumerate(book.notes)}
    held |= {f"entries {at}": entry for at, entry in enumerate(book.entries)}
    held |= {f"pair {at}": part for at, part in enumerate(book.pair or ()) if at == 0}
    held |= {f"root {at}": note for at, note in enumerate(book.root.root if book.root else ())}
    return {name: (part.id, getattr(part, "made", None)) for name, part in held.items() if part is not None}


@pytest.mark.parametrize("document", [BOOK, dict(reversed(BOOK.items())), {"note": {}}, {**BOOK, "id": str(uuid4())}])
def test_a_default_that_is_made_is_one_for_each_answer(document: Any) -> None:
    found = values(Book, document)
    assert "id" in document or found[-2] == found[-1]
    known: dict[str, Any] = {}
    for book in found:
        for name, made in ids(book).items():
            if "id" not in document or name != "own":
                assert known.setdefault(name, made) == made
    assert len(set(known.values())) == len(known)
    assert ids(values(Book, document)[-1]).keys() - {"own"} == known.keys() - {"own"}
    assert ids(values(Book, document)[-1])["note"] != known["note"]  # another answer has others


def test_what_came_is_never_replaced_by_a_default() -> None:
    numbers = count()

    @dataclasses.dataclass
    class Ticket:
        name: Annotated[str, Field(min_length=1)]
        number: int = dataclasses.field(default_factory=lambda: next(numbers))
        word: Annotated[str, Field(pattern="^[A-Z]$|^made")] = dataclasses.field(default_factory=lambda: "made")

    *_, shown, last = values(list[Ticket], {"content": [{"name": "a", "number": 77, "word": "Q"}, {"name": "b"}]})
    assert shown == last
    assert (last[0].number, last[0].word, last[1].word) == (77, "Q", "made")


@pytest.mark.parametrize("chunk", [1, 7, 10**6])
async def test_unions_and_defaults_through_the_sdk(harness: Harness, scripted_server: Any, chunk: int) -> None:
    class Zoo(BaseModel):
        id: UUID = Field(default_factory=uuid4)
        pets: list[Pet]
        star: Wood | Lake

    document = {"pets": [CAT, DOG], "star": {"name": "Bled", "depth": 30}}
    server = scripted_server([answer(document, chunk=chunk)])
    found = await harness.items(harness.client(server).create_partial(Zoo, **asking()))
    assert {type(pet) for zoo in found for pet in zoo.pets or ()} == {Cat, Dog}
    assert {type(zoo.star) for zoo in found} <= {Lake, type(None)}
    assert len({zoo.id for zoo in found}) == 1
    assert found[-1].star == Lake(name="Bled", depth=30)
