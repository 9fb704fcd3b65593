"""The report of a call. It is counted during the call, so it is right after an early end, too."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from instructor.display import Displayed, Lines, lines_of_report
from instructor.usage import Usage

Cause = Literal["first", "reask", "continuation"]
"""Why a request was made."""


@dataclass(frozen=True, slots=True)
class FailedItem:
    """An item of a list that stayed invalid."""

    index: int
    """Its index in the list, from 0."""
    text: str
    """Its JSON text, as the model wrote it last."""
    errors: list[str]
    """Its errors, each as `message @ $.path`."""


class _Timed:
    """The clock of a report. It is no field: a report is data, which JSON can hold."""

    __slots__ = ("_started",)

    def _begin(self) -> None:
        self._started = time.perf_counter()

    def _elapsed(self) -> float:
        return time.perf_counter() - self._started


@dataclass(slots=True)
class Report(_Timed, Displayed):
    """The report of one call.

    `bad` is `repaired` plus the number of `failed_items`. `good` plus the number of `failed_items` is the number of
    items in the answer, without those that a continuation repeated (`dropped_repeats`). Times are in seconds.
    """

    good: int = 0
    """Items that were delivered, with the repaired and the mended ones."""
    repaired: int = 0
    """Items that were invalid at first, and were corrected by another request."""
    mended: int = 0
    """Items whose small syntax errors were corrected without a request."""
    bad: int = 0
    """Items that were invalid at first, corrected or not."""
    failed_items: list[FailedItem] = field(default_factory=list)
    """Items that stayed invalid."""
    dropped_repeats: int = 0
    """Items that a continuation repeated. They were not delivered twice."""
    doubted: int = 0
    """Values delivered before the text showed that the model had only been thinking: they may be drafts."""
    unknown_calls: int = 0
    """Calls of unknown tools, which are ignored (`Mode.PARALLEL_TOOLS`)."""
    attempts: int = 0
    """Number of requests."""
    continuations: int = 0
    """Requests that continued an answer which was cut off."""
    finish_reason: str | None = None
    """That of the last reply: stop, tool, length, filter or other (an unknown word). None if the reply broke off."""
    complete: bool = False
    """Whether the provider's final event came, the answer was closed, and nothing is missing."""
    usage: Usage = field(default_factory=Usage)
    """The tokens of all requests."""
    cached: bool = False
    """Whether the answer came from a cache. Then no request was made, and no tokens were used."""
    time_to_first_item: float | None = None
    """Seconds until the first item or snapshot. None if there was none."""
    duration: float = 0.0
    """Seconds until the end of the call."""

    def __post_init__(self) -> None:
        self._begin()

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON can hold.

        Example:
            >>> json.dumps(stream.report.to_dict())
        """
        return {**asdict(self), "usage": self.usage.to_dict()}

    model_dump = to_dict

    def _shown(self) -> tuple[str, Lines]:
        return "Report", lines_of_report(self)

    __str__ = Displayed.__str__

    def first_seen(self) -> None:
        """Record the time of the first value, an item or a snapshot."""
        if self.time_to_first_item is None:
            self.time_to_first_item = self._elapsed()

    def ended(self) -> None:
        """Record the duration of the call."""
        self.duration = self._elapsed()
