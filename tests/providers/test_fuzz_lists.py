"""Random lists through every wire, with faults at random places: whatever goes wrong, each item comes once.

300 cases in `make test`, 5,000 in `make fuzz`. `pytest tests/providers/test_fuzz_lists.py --seed 7 --cases 100` does
the same again, and prints the smallest case that fails.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

import instructor
from cases import Case, cases
from fuzzing import fuzzed
from instructor import Mode
from instructor.exceptions import (
    ConfigurationError,
    IncompleteOutputException,
    InstructorError,
    InstructorRetryException,
)
from instructor.testing import Asked, Reply
from instructor.testing import strategies as model

WIRES = tuple(os.environ.get("WIRES", "openai,anthropic,google,bedrock,cohere,mistral,xai").split(","))
"""The wires; the variable `WIRES` of the environment chooses some."""
CASES = {case.name: case for case in cases() if case.name in WIRES}
UNKNOWN = {"xai": "REASON_INVALID", "google": "OTHER", "cohere": "USER_CANCEL"}
"""Finish reasons that prove nothing, where the SDK or the wire knows no word of our own making."""
ENDINGS: dict[str, tuple[model.Ending, ...]] = {
    # gRPC's messages are whole or not there. An error right at the beginning may be told of without the metadata that
    # came before it, and is then a refused request.
    "xai": ("end", "length", "cut", "drop", "unknown"),
    "bedrock": ("end", "length", "cut", "drop", "error", "unknown"),  # frames with checksums
}
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


@dataclass(repr=False)
class Stage:
    """The servers and clients of all wires, made once: one function answers whatever case is being tried."""

    running: ExitStack = field(default_factory=ExitStack)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    reply: Callable[[Asked], Reply] | None = None
    servers: dict[str, Any] = field(default_factory=dict)
    clients: dict[tuple[str, Mode, bool], Any] = field(default_factory=dict)

    def client(self, case: Case, mode: Mode, awaiting: bool) -> Any:
        key = (case.name, mode, awaiting)
        if key not in self.clients:
            if case.name not in self.servers:
                self.servers[case.name] = self.running.enter_context(case.server(lambda asked: self.reply(asked)))  # type: ignore[misc]
            options = case.options(self.servers[case.name])
            asyncio.set_event_loop(self.loop)  # some SDKs take theirs when a client is made
            made = instructor.from_provider(f"{case.name}/{case.model}", mode=mode, async_client=awaiting, **options)
            self.clients[key] = made
        return self.clients[key]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    for (name, _, _), client in made.clients.items():
        close = CASES[name].close
        if close is not None:
            made.loop.run_until_complete(_awaited(close(client.client)))
        elif hasattr(client.client, "close"):
            closing = client.client.close()
            made.loop.run_until_complete(_awaited(closing))
    made.running.close()
    made.loop.close()


async def _awaited(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


@dataclass(frozen=True)
class Trial:
    """One case: a provider, a mode, a script, and how the call is made."""

    provider: str
    mode: Mode
    awaiting: bool
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
        awaiting=draw(st.booleans()),
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
    client = stage.client(CASES[trial.provider], trial.mode, trial.awaiting)
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
            collect(stage, stream, found)
        else:
            made = client.create(response_model=list[script.kind], **call)  # type: ignore[name-defined]
            made = stage.loop.run_until_complete(made) if trial.awaiting else made
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


def collect(stage: Stage, stream: Any, found: list[Any]) -> None:
    async def all_of() -> None:
        async for item in stream:
            found.append(item)  # noqa: PERF401 - a comprehension would lose what came before an error

    if hasattr(stream, "__anext__"):
        stage.loop.run_until_complete(all_of())
    else:
        found.extend(stream)
