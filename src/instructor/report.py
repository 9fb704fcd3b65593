"""What became of an extraction, counted as it goes: true also after an early end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from instructor.usage import Usage

Cause = Literal["first", "reask", "continuation"]
"""Why a request was made."""


@dataclass(frozen=True, slots=True)
class FailedItem:
    """An item that never came right: its place in the list, its text as last seen, and `what @ $.path` lines."""

    index: int
    text: str
    errors: list[str]


@dataclass(slots=True)
class Report:
    """The account of one extraction.

    It adds up: `bad` = `repaired` + the number of `failed_items`, and `good` + the number of `failed_items` is the
    number of items that came, repeats at a seam (`dropped_repeats`) left out. Times are in seconds.
    """

    good: int = 0
    """Items delivered, the repaired and mended ones included."""
    repaired: int = 0
    """Items that came wrong and were put right by a re-ask."""
    mended: int = 0
    """Items whose small faults of syntax were put right without a request."""
    bad: int = 0
    """Items that came wrong, whatever became of them."""
    failed_items: list[FailedItem] = field(default_factory=list)
    dropped_repeats: int = 0
    """Items that a continuation gave again, and that were not delivered twice."""
    doubted: int = 0
    """Values delivered before the text showed that the model had only been thinking: they may be drafts."""
    unknown_calls: int = 0
    """Calls of tools that nobody gave, passed over (`Mode.PARALLEL_TOOLS`)."""
    attempts: int = 0
    """Requests made."""
    continuations: int = 0
    finish_reason: str | None = None
    """The last reply's own: stop, tool, length, filter, other (no known word); None where it broke off."""
    complete: bool = False
    """Whether the end was proven: a terminal event and a closed answer, and nothing missing."""
    usage: Usage = field(default_factory=Usage)
    time_to_first_item: float | None = None
    duration: float = 0.0
    clock: Callable[[], float] = field(default=time.perf_counter, repr=False, compare=False)
    started: float = field(default=0.0, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def first_seen(self) -> None:
        """Note when the first value, an item or a snapshot, was handed out."""
        if self.time_to_first_item is None:
            self.time_to_first_item = self.clock() - self.started

    def ended(self) -> None:
        """Note how long it all took."""
        self.duration = self.clock() - self.started
