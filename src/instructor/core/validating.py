"""A run whose values are also checked by functions that must be awaited, before they are delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from instructor.core.effects import Do, Steps
from instructor.core.retry_policy import Policy
from instructor.core.runner import Run
from instructor.core.state import RunState
from instructor.core.types import Call, Dialect, Outcome


class ValidatingRun(Run):
    """A `Run` that asks `check(outcomes, context)` about what was parsed: it returns them, some of them as invalid."""

    def __init__(
        self, call: Call, dialect: Dialect, policy: Policy, state: RunState, check: Callable[..., Any]
    ) -> None:
        super().__init__(call, dialect, policy, state)
        self._check = check

    def _deliver(self, outcomes: Sequence[Outcome]) -> Steps:
        if outcomes:
            outcomes = yield Do(self._check, (outcomes, self._call.context))
        yield from super()._deliver(outcomes)
