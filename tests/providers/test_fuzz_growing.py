"""Random values that grow, through every wire, with faults at random places: no snapshot lies, and the last is true.

300 cases in `make test`, 5,000 in `make fuzz`. `pytest tests/providers/test_fuzz_growing.py --seed 7 --cases 100` does
the same again, and prints the smallest case that fails.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID, uuid4

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, ValidationError, create_model
from typing_extensions import TypedDict, is_typeddict

from fuzzing import fuzzed
from instructor import Mode
from instructor.exceptions import (
    ConfigurationError,
    IncompleteOutputException,
    InstructorError,
    InstructorRetryException,
)
from instructor.outputs.single import Single
from instructor.testing import strategies as model
from stage import CASES, ENDINGS, UNKNOWN, WIRES, Stage, stage

__all__ = ["stage"]
pytestmark = pytest.mark.slow

ENOUGH = 40


class Colour(Enum):
    RED = "red"
    GREEN = "green"
    ROSE = "rose"


class Place(BaseModel):
    city: str
    zip: int | None = None


class Note(BaseModel):
    id: UUID = Field(default_factory=uuid4)
    text: str
    tags: list[str] = []


class User(BaseModel):
    name: str
    born: date | None = None
    home: Place
    notes: list[Note] = []
    key: str = Field(default_factory=lambda: uuid4().hex)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int
    home: Place | None = None


class Dog(BaseModel):
    kind: Literal["dog", "hound"] = "dog"
    name: str
    notes: list[Note] = []


class Bee(BaseModel):
    what: Literal["bee"] = Field(alias="type")
    names: list[str]


class Ant(BaseModel):
    what: Literal["ant"] = Field(alias="type")
    legs: int = 6


class Row(TypedDict):
    id: int
    when: date


@dataclass
class Point:
    x: int
    label: str | None = None
    tags: list[str] = field(default_factory=list)


class Tree(BaseModel):
    name: str
    left: "Tree | None" = None  # noqa: UP037 - pydantic reads it here
    pets: list[Cat | Dog] = []


Pet: Any = Annotated[Cat | Dog, Field(discriminator="kind")]
Bug = Annotated[Ant | Bee, Field(discriminator="what")]
Notes = RootModel[list[Note]]
PARTS: list[Any] = [
    str, int, bool, float, date, datetime, Colour, Literal["a", "ab", 3], UUID,
    User, Place, Note, Pet, Cat | Dog, Bug, Pet | Bug, Cat | Place, Row, Point, Tree, Notes,
    list[str], list[int], list[date], list[Pet], list[Cat | Place | str | None], list[list[Note]], list[Point],
    dict[str, int], dict[str, Pet], dict[str, date], dict[str, list[str]], tuple[Note, int], tuple[int, ...], set[int],
    Pet | None, str | None, str | Pet | int, list[str] | str, Note | list[Note], Any,
]  # fmt: skip


@st.composite
def models(draw: st.DrawFn) -> Any:
    """Return a model with a few fields of any type."""
    fields: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True)):
        part: Any = draw(st.sampled_from(PARTS))
        many: Any = list[part]
        how: Any = [(part, ...), (part, ...), (part | None, None), (many, Field(default_factory=list))]
        fields[name] = draw(st.sampled_from(how))
    if draw(st.booleans()):
        fields["made"] = (str, Field(default_factory=lambda: uuid4().hex))
    return create_model("Made", **fields)


KINDS = st.sampled_from(PARTS[:-1]) | models() | models()


@dataclass(frozen=True)
class Trial:
    """One case: a provider, a mode, a script, and how the call is made."""

    provider: str
    mode: Mode
    is_async: bool
    retries: int
    script: model.AnswerScript


def documents(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for answers as the request's schema has them: with our tag, where a union has one."""
    one = Single(kind)

    def valid(document: Any) -> bool:
        try:
            one.validate(json.dumps(document))
        except ValidationError:
            return False
        return True

    return model._of(one.schema, one.schema.get("$defs", {}), 0).filter(valid)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    case = CASES[draw(st.sampled_from(WIRES))]
    modes = [mode for mode in case.row.modes if mode is not Mode.PARALLEL_TOOLS]
    kind = draw(KINDS)
    script = draw(model.answers(kind, documents=documents(kind), endings=ENDINGS.get(case.name, model.ENDINGS)))
    script.length, script.unknown = case.length, UNKNOWN.get(case.name, script.unknown)
    return Trial(
        provider=case.name,
        mode=draw(st.sampled_from(modes)),
        is_async=draw(st.booleans()),
        retries=draw(st.sampled_from([ENOUGH, ENOUGH, ENOUGH, 0, 1, 2])),
        script=script,
    )


@fuzzed
@given(trial=trials())
def test_no_snapshot_lies_and_the_last_is_true(stage: Stage, trial: Trial) -> None:
    tried(stage, trial)


def tried(stage: Stage, trial: Trial) -> None:
    """Run one case, and look at each snapshot, at the last, and at what the report says."""
    script = trial.script
    stage.reply = script
    client = stage.client(CASES[trial.provider], trial.mode, trial.is_async)
    shown: list[tuple[int, Any, Any]] = []
    problem: InstructorError | None = None
    report: Any = None
    try:
        stream = client.create_partial(
            response_model=script.kind,
            messages=[{"role": "user", "content": "Extract."}],
            max_retries=trial.retries,
            watchdog=None,
        )
        report = stream.report
        stage.collect(stream, lambda value: shown.append((report.attempts, value, known(value))))
    except ConfigurationError:  # a mode that has no strict form of this type
        reject()
    except (InstructorRetryException, IncompleteOutputException) as error:
        problem, report = error, error.report

    for _, value, _ in shown:
        assert is_declared(value, script.kind), value
    for (attempt, before, was), (next_attempt, after, _) in pairwise(shown):
        assert known(before) == was, "a snapshot changed in the hands of who holds it"
        assert attempt != next_attempt or grows(before, after), (before, after)
    repeats = len(script.requests) - report.attempts
    assert repeats == 0 or (repeats > 0 and trial.provider == "xai")  # whose SDK asks again by itself
    if problem is None:
        assert known(shown[-1][1]) == known(Single(script.kind).validate(json.dumps(script.document)))
        assert report.complete
    else:
        assert not report.complete
        limited = any(turn.ending == "length" for turn in script.turns[: len(script.requests)])
        assert trial.retries < ENOUGH or limited, f"the budget was not used: {problem}"


def fields_of(value: Any) -> dict[str, Any]:
    """Return the types of a record's fields."""
    cls = type(value)
    if isinstance(value, BaseModel):
        return {name: info.rebuild_annotation() for name, info in cls.model_fields.items()}
    return get_type_hints(cls, include_extras=True)


def came(value: Any) -> set[str]:
    """Return the fields of a record that came; of a dataclass those that hold something."""
    if isinstance(value, BaseModel):
        return value.model_fields_set
    return {each.name for each in dataclasses.fields(value) if getattr(value, each.name) is not None}


def is_record(value: Any) -> bool:
    return isinstance(value, BaseModel) or dataclasses.is_dataclass(value)


def known(value: Any) -> Any:
    """Return what a value holds, without its defaults and whatever the order of its keys."""
    if isinstance(value, RootModel):
        return type(value).__name__, known(value.root)
    if is_record(value):
        return type(value).__name__, {name: known(getattr(value, name)) for name in sorted(came(value))}
    if isinstance(value, dict):
        return {key: known(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [known(each) for each in value]
    return repr(sorted(value) if isinstance(value, set) else value)


def grows(before: Any, after: Any) -> bool:
    """Whether a value is a prefix of a later one."""
    if isinstance(before, RootModel):
        return type(after) is type(before) and grows(before.root, after.root)
    if is_record(before):
        return (
            type(after) is type(before)
            and all(
                grows(getattr(before, name), getattr(after, name))
                for name in fields_of(before)
                if name in came(before) or name not in came(after)  # a default stays until something comes
            )
            and came(before) <= came(after)
        )
    if isinstance(before, dict):
        return isinstance(after, dict) and all(key in after and grows(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, (list, tuple)):
        return len(before) <= len(after) and all(map(grows, before, after))
    if isinstance(before, list):
        return isinstance(after, set) and set(before) <= after
    if isinstance(before, str) and not isinstance(after, str):  # the text of a date, say, that was closed
        after = after.value if isinstance(after, Enum) else after.isoformat() if isinstance(after, date) else str(after)
    return bool(before == after) or (isinstance(before, str) and after.startswith(before))


def is_declared(value: Any, kind: Any) -> bool:
    """Whether a snapshot is of its declared type, as deep as it goes, and as far as it is there."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return is_declared(value, args[0])
    if kind is Any:
        return True
    if origin is Literal:
        return value in args or (isinstance(value, str) and any(str(arg).startswith(value) for arg in args))
    if origin is Union or origin is type(int | str):
        return any(is_declared(value, arg) for arg in args)
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        return isinstance(value, dict) and all(
            key in hints and is_declared(part, hints[key]) for key, part in value.items()
        )
    if origin is dict:
        return isinstance(value, dict) and all(is_declared(part, args[1]) for part in value.values())
    if origin in (list, set, tuple):
        parts = [args[0]] * 10**4 if origin is not tuple or ... in args else args
        return isinstance(value, (list, origin)) and all(map(is_declared, value, parts))
    if issubclass(kind, RootModel):
        return type(value) is kind and is_declared(value.root, kind.model_fields["root"].annotation)
    if issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind):
        return type(value) is kind and all(
            is_declared(getattr(value, name), fields_of(value)[name]) for name in came(value)
        )
    if issubclass(kind, Enum):
        return isinstance(value, kind) or any(str(each.value).startswith(str(value)) for each in kind)
    if kind in (date, datetime, UUID):
        return isinstance(value, (kind, str))
    return isinstance(value, (int, float) if kind is float else kind)
