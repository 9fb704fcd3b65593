"""Random lists through every wire, with faults at random places: whatever goes wrong, each item comes once.

300 cases in `make test`, 5,000 in `make fuzz`. `pytest tests/providers/test_fuzz_lists.py --seed 7 --cases 100` does
the same again, and prints the smallest case that fails.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from fuzzing import fuzzed
from instructor import Mode
from instructor.exceptions import (
    ConfigurationError,
    IncompleteOutputException,
    InstructorError,
    InstructorRetryException,
)
from instructor.testing import strategies as model
from stage import CASES, ENDINGS, UNKNOWN, WIRES, Stage, stage

__all__ = ["stage"]

pytestmark = pytest.mark.slow

ENOUGH = 40


class Colour(Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Place(BaseModel):
    city: str
    zip: int | None = None


class User(BaseModel):
    name: str
    age: int | None = None
    tags: list[str] = []
    home: Place | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Row(TypedDict):
    id: int
    when: date


KINDS: list[Any] = [
    User, User, Place, int, str, float, bool, Colour, Literal["a", "b", 3], date, Row, Cat | Dog, Place | User,
    list[int], dict[str, int], str | None, tuple[int, str],
]  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One case: a provider, a mode, a script, and how the call is made."""

    provider: str
    mode: Mode
    is_async: bool
    streamed: bool
    retries: int
    script: model.Script


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    case = CASES[draw(st.sampled_from(WIRES))]
    modes = [mode for mode in case.row.modes if mode is not Mode.PARALLEL_TOOLS]
    kind = draw(st.sampled_from(KINDS))
    script = draw(model.scripts(kind, endings=ENDINGS.get(case.name, model.ENDINGS)))
    script.length, script.unknown = case.length, UNKNOWN.get(case.name, script.unknown)
    if case.name in ENDINGS:  # messages that are no bytes to be cut anywhere
        for turn in script.turns:
            turn.cut.pop("split_bytes", None)
    return Trial(
        provider=case.name,
        mode=draw(st.sampled_from(modes)),
        is_async=draw(st.booleans()),
        streamed=draw(st.sampled_from([True, True, True, False])),
        retries=draw(st.sampled_from([ENOUGH, ENOUGH, ENOUGH, 0, 1, 2])),
        script=script,
    )


@fuzzed
@given(trial=trials())
def test_each_item_comes_once_whatever_goes_wrong(stage: Stage, trial: Trial) -> None:
    tried(stage, trial)


def tried(stage: Stage, trial: Trial) -> None:
    """Run one case, and compare what is delivered, and what the report says, with the truth."""
    script = trial.script
    stage.reply = script
    client = stage.client(CASES[trial.provider], trial.mode, trial.is_async)
    call = {
        "messages": [{"role": "user", "content": "Extract."}],
        "max_retries": trial.retries,
        "watchdog": None,
    }
    found: list[Any] = []
    problem: InstructorError | None = None
    report: Any = None
    try:
        if trial.streamed:
            stream = client.create_iterable(response_model=Iterable[script.kind], **call)  # type: ignore[name-defined]
            report = stream.report
            stage.collect(stream, found.append)
        else:
            made = client.create(response_model=list[script.kind], **call)  # type: ignore[name-defined]
            made = stage.loop.run_until_complete(made) if trial.is_async else made
            found, report = list(made), made.report
    except ConfigurationError:  # a mode that has no strict form of this type
        reject()
    except (InstructorRetryException, IncompleteOutputException) as error:
        problem, report = error, error.report
        if not trial.streamed:
            found = list(error.items)

    adapter: TypeAdapter[Any] = TypeAdapter(script.kind)

    def canonical(value: Any) -> str:
        return json.dumps(adapter.dump_python(value, mode="json"), sort_keys=True)

    truth = Counter(canonical(adapter.validate_json(json.dumps(item))) for item in script.items)
    delivered = Counter(map(canonical, found))
    repeats = len(script.requests) - report.attempts
    assert repeats == 0 or (repeats > 0 and trial.provider == "xai")  # whose SDK asks again by itself
    assert report.good == len(found)
    assert report.bad == report.repaired + len(report.failed_items)
    assert report.complete is (problem is None)
    if problem is None:
        assert delivered == truth
    else:
        assert trial.retries < ENOUGH, f"the budget was not used: {problem}"
        assert delivered <= truth
