"""What a bulk run gives: rows, a report, an estimate, and the errors that end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from instructor.exceptions import InstructorError
from instructor.usage import Usage

T = TypeVar("T")
OnError = Literal["collect", "skip", "raise"]
"""What becomes of a failed row: yielded with its error, only counted, or raised."""
Stopped = Literal["max_cost", "total_tokens", "account", "error_rate", "cancelled"]
"""Why a run ended before its last row."""


class RowError(InstructorError):
    """A row has no answer. `kind` is the class of the error, `text` the raw text of the model's last reply, if any.

    The original error is `__cause__`, unless the row was read from a store.
    """

    def __init__(self, message: str, *, kind: str = "", text: str = "") -> None:
        self.kind, self.text = kind, text
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """One row of the source, with its answer.

    Either `value` or `error` is set. A list without items is a value, too.
    """

    key: str
    input: Any
    """The row as the source gave it."""
    value: T | None = None
    error: RowError | None = None
    usage: Usage = field(default_factory=Usage)
    """The tokens that this run spent on the row: none if the answer was in the store, or belongs to an equal row."""
    attempts: int = 0
    """The requests that this run made for the row: re-asks and repeated failures count."""
    cost: float | None = None
    """What these tokens cost; None if no prices are known."""
    reused: bool = False
    """Whether the answer was in the store, or is that of an equal request of this run."""

    @property
    def ok(self) -> bool:
        """Whether the row has an answer."""
        return self.error is None


@dataclass(slots=True)
class BulkReport:
    """The counts of a run. They are right at every moment; `rows` is the number of rows that were yielded.

    `rows` is `ok` plus `failed`. Of them `reused` were answered without a request.
    """

    rows: int = 0
    ok: int = 0
    failed: int = 0
    reused: int = 0
    items: int = 0
    """Items of lists; a single value counts as one."""
    in_flight: int = 0
    attempts: int = 0
    """Requests: re-asks and repeated failures count."""
    rate_limited: int = 0
    """Requests that the provider refused because of its rate limits. They were repeated."""
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    """What the tokens cost; None if no prices are known."""
    total: int | None = None
    """Number of rows of the source, if that is known without reading it."""
    stopped: Stopped | None = None
    """Why the run ended before its last row; None if it did not."""
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)
    started: float = field(default=0.0, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    @property
    def rate(self) -> float:
        """Rows a second, without those that were reused."""
        return (self.rows - self.reused) / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """How long the other rows will take at this rate; None if their number is not known, or no row was asked."""
        if self.total is None or self.rows <= self.reused:
            return None
        return max(self.total - self.rows, 0) / self.rate


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would take. No request is made for it.

    `low` counts one request for each row. `expected` adds re-asks, by the mean of what the store has seen.
    """

    rows: int
    done: int
    """Rows whose answers are in the store."""
    duplicates: int
    """Rows that ask for the same as another row, and share its request."""
    requests: int
    """Rows that must be asked."""
    tokens_low: int
    tokens_expected: int
    cost_low: float | None
    """None if no prices are known."""
    cost_expected: float | None
    seconds: float | None
    """At the limits of requests and tokens a minute; None if there are none."""
    prompt: list[dict[str, Any]]
    """The rendered messages of the first row that must be asked."""


class JobStoppedError(InstructorError):
    """The run ended before its last row. The answers so far are in the store: the same call goes on after them.

    `reason` is "account" (key, permission, credit, unknown model), "error_rate", "max_cost" or "total_tokens";
    `report` has the counts. The error that stopped the run is `__cause__`.
    """

    def __init__(self, message: str, report: BulkReport, *, reason: Stopped = "account") -> None:
        self.reason, self.report = reason, report
        super().__init__(message)


class BudgetReachedError(JobStoppedError):
    """`max_cost` or `total_tokens` of the limits is spent."""


class StoreError(InstructorError):
    """A store cannot be used: it is another program's, damaged, or in use, or its disk is full."""
