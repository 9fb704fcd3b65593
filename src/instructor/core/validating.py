"""A run with more steps between what was parsed and what is delivered: asynchronous validators, and evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from instructor.core.effects import Do, Steps
from instructor.core.retry_policy import Policy
from instructor.core.runner import Run
from instructor.core.state import RunState
from instructor.core.types import Call, Dialect, Outcome, Valid
from instructor.hooks import HookName


class Grounds(Protocol):
    """What finds values in the user's text: `instructor.grounding`."""

    @property
    def requires(self) -> bool:
        """Whether an item with a value that is not in the text is invalid."""
        ...

    def refused(self, outcomes: Sequence[Outcome], name: str) -> list[Outcome]: ...
    def add(self, valid: Valid, index: int = 0) -> None: ...
    def close(self) -> None:
        """Note that there are no more values."""

    def moved(self) -> list[int]:
        """Return the indices of the items whose evidence is not what it was when it was asked for."""
        ...


class ValidatingRun(Run):
    """A `Run` that looks at values before it delivers them.

    Args:
        check: `check(outcomes, context)` returns them, some of them as invalid; it may have to be awaited.
        grounds: Gives each delivered value its evidence.
    """

    def __init__(
        self,
        call: Call,
        dialect: Dialect,
        policy: Policy,
        state: RunState,
        check: Callable[..., Any] | None,
        grounds: Grounds | None = None,
    ) -> None:
        super().__init__(call, dialect, policy, state)
        self._check, self._grounds = check, grounds

    def _deliver(self, outcomes: Sequence[Outcome]) -> Steps:
        if outcomes and self._check is not None:
            outcomes = yield Do(self._check, (outcomes, self._call.context))
        if self._grounds is not None and self._grounds.requires:
            outcomes = self._grounds.refused(outcomes, self._output.name)
        yield from super()._deliver(outcomes)

    def _note_good(self, index: int, good: Valid) -> None:
        super()._note_good(index, good)
        if self._grounds is not None:
            self._grounds.add(good, index)

    def finalizer(self) -> Steps:
        """Say which evidence has moved, however the call ended, and call the hooks for its end."""
        if self._grounds is not None:
            self._grounds.close()
            if self.state.tells(HookName.EVIDENCE_MOVED) and (moved := self._grounds.moved()):
                yield from self.state.tell(HookName.EVIDENCE_MOVED, moved)
        yield from super().finalizer()
