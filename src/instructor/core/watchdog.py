"""Ends a stream that runs away: a model that repeats itself would go on to the length limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instructor.core.types import Delta, Outcome
from instructor.exceptions import ResponseParsingError


class RunawayError(ResponseParsingError):
    """A stream was ended because it repeated itself."""


@dataclass(frozen=True, slots=True)
class Watchdog:
    """When to end a stream because the model repeats itself. 0 switches a limit off."""

    repeats: int = 20
    """How many equal objects in a row are too many. Equal numbers, texts and other scalars are not counted."""
    blanks: int = 4096
    """How many characters of white space in a row are too many."""

    def __post_init__(self) -> None:
        if self.repeats < 0 or self.repeats == 1 or self.blanks < 0:
            raise ValueError(f"{self!r}: repeats is 0 (off) or at least 2, blanks 0 (off) or more.")


class Watch:
    """One stream under watch."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._repeats, self._most_blanks = watchdog.repeats, watchdog.blanks
        self._last, self._same, self._blanks = "", 1, 0

    def fault(self, deltas: Sequence[Delta], outcomes: Sequence[Outcome]) -> RunawayError | None:
        """Take what came; tell whether it is too much of the same."""
        for _, text, _, _, _, _, _, _ in deltas:
            if text.isspace():
                self._blanks += len(text)
            elif text:
                self._blanks = 0
        if self._most_blanks and self._blanks >= self._most_blanks:
            return RunawayError(f"The stream ran away: {self._blanks} characters of white space in a row.")
        for outcome in outcomes if self._repeats else ():
            self._same = self._same + 1 if outcome.text == self._last and outcome.text.startswith("{") else 1
            self._last = outcome.text
            if self._same >= self._repeats:
                return RunawayError(f"The stream ran away: {self._same} equal items in a row: {self._last[:200]}")
        return None
