"""Answers that are in a store, read again as another type: no request is made."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from instructor.bulk.configuration import job_of
from instructor.bulk.journal import Answer, Identity, Journal, Line, connect
from instructor.bulk.requests import schema_of
from instructor.bulk.transport import NothingRecorded, RecordedSync
from instructor.core.drivers import StreamCloser, drive
from instructor.core.retry_policy import Policy, counted
from instructor.core.runner import Run
from instructor.core.state import RunState
from instructor.core.types import Call, Json, Output, Reply
from instructor.exceptions import ConfigurationError, InstructorError
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.outputs import output_for, parallel_for
from instructor.providers import load

_BATCH = 500
_OF_JOB = (
    "SELECT key, position, input, request, loose, max_tokens, replies FROM row JOIN answer USING (request, schema) "
    "WHERE job = (SELECT job FROM run WHERE id = ?) AND error IS NULL ORDER BY position"
)


def revalidate(
    path: Path, run: int, facts: Mapping[str, Any], response_model: Any, *, strict: bool | None
) -> tuple[int, list[str]]:
    """Read the answers of a run's job as another type. Return how many fit, and the keys of the others."""
    mode = Mode[facts["mode"]]
    output = parallel_for(response_model) if mode is Mode.PARALLEL_TOOLS else output_for(response_model)
    if output.many != facts["many"]:
        one, other = ("a list", "one value") if facts["many"] else ("one value", "a list")
        raise ConfigurationError(f"The answers of the store are each {one}, but {output.name} is {other}.")
    _refuse_async_validators(output)
    reader = _Reader(facts, mode, output, strict)
    changed = {**facts, "type": output.name, "schema": {tool.name: tool.schema for tool in output.tools}}
    job = job_of(changed)
    schema, fit, unfit = schema_of(output), 0, []
    journal = Journal(path)
    try:
        journal.begin(job.job, job.text)
        with contextlib.closing(connect(str(path), read_only=True)) as rows:
            found = rows.execute(_OF_JOB, (run,))
            while batch := found.fetchmany(_BATCH):
                answers, lines = [], []
                for key, position, given, request, loose, most, replies in batch:
                    identity = Identity(request, schema, loose, most)
                    answer = reader.answer(identity, json.loads(replies))
                    if answer is None:
                        unfit.append(key)
                        continue
                    answers.append(answer)
                    lines.append(Line(key, position, given, identity))
                journal.commit(answers, lines)
                fit += len(answers)
        journal.end(None)
    finally:
        journal.close()
    return fit, unfit


class _Reader:
    """Reads recorded replies as a type."""

    def __init__(self, facts: Mapping[str, Any], mode: Mode, output: Output, strict: bool | None) -> None:
        self._mode, self._output, self._strict = mode, output, strict
        dialect = load(facts["provider"]).wire_for(mode).dialect
        self._dialect: Any = _Renaming(dialect, list(facts["schema"]), [tool.name for tool in output.tools])
        self._options = {"model": facts["model"]} if facts["model"] else {}

    def answer(self, identity: Identity, replies: list[Json]) -> Answer | None:
        """Return the answer that the replies hold, or None if they do not fit."""
        call = Call(
            messages=[{"role": "user", "content": ""}], output=self._output, mode=self._mode, options=self._options,
            context=None, strict=self._strict, stream=False,
        )  # fmt: skip
        transport = RecordedSync(replies)
        run = Run(
            call, self._dialect, Policy(counted(len(replies))), RunState(self._dialect, transport.response, Hooks())
        )
        try:
            values = list(drive(run.run(), transport, StreamCloser()))
        except (
            InstructorError,
            NothingRecorded,
            ValueError,
            TypeError,
        ):  # it does not fit
            return None
        value = values if self._output.many else values[-1]
        text = to_json(value, fallback=str, inf_nan_mode="strings").decode()
        many = isinstance(value, list)
        return Answer(identity, text, many, len(value) if many else 1, json.dumps(replies, separators=(",", ":")))


class _Renaming:
    """A dialect under which the tools of the replies have the names of the new type's."""

    def __init__(self, dialect: Any, before: Sequence[str], now: Sequence[str]) -> None:
        self._dialect = dialect
        self._names = dict(zip(before, now, strict=True)) if len(before) == len(now) else {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)

    def decode(self, wire: Json) -> Reply:
        reply: Reply = self._dialect.decode(wire)
        calls = [call._replace(name=self._names.get(call.name, call.name)) for call in reply.calls]
        return replace(reply, calls=calls)


def _refuse_async_validators(output: Output) -> None:
    validators = sys.modules.get("instructor.validators")  # before it is imported, no model can have one
    if validators is not None and validators.are_in(output.kind):
        raise ConfigurationError(f"{output.name} has asynchronous validators: revalidate() can run only sync ones.")
