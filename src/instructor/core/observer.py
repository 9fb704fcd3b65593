"""Who hears how calls go, to make traces of them. `installed` is None unless `instructor.observe` is enabled.

The core tells an observer at the few places where something is decided. Everything else an observer reads off the
effects that go by, for it stands between a call's flow and its driver.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from instructor.core.effects import Steps
from instructor.core.types import Invalid, Json, Output, Reply
from instructor.mode import Mode
from instructor.report import Cause, Report
from instructor.usage import Usage


class Observer(Protocol):
    """Hears how one call goes. Its methods do not raise."""

    def steps(self, steps: Steps) -> Steps:
        """Return the effects of the call, which it sees go by."""
        ...

    def asks(self, cause: Cause) -> None:
        """Hear that a request follows, from the provider or from a cache."""
        ...

    def used(self, usage: Usage, head: Json) -> None:
        """Hear what a request took, before `replied`; also if its reply broke off, or is not read to its end.

        `head` is the response, or the first event of its stream.
        """
        ...

    def replied(self, reply: Reply) -> None:
        """Hear that a reply has ended."""
        ...

    def invalid(self, index: int, invalid: Invalid) -> None:
        """Hear that an item is invalid, or still invalid."""
        ...

    def repaired(self, index: int) -> None:
        """Hear that an item, which was invalid, is valid now."""
        ...

    def dropped(self, count: int) -> None:
        """Hear that items were repeats of others."""
        ...


class Observers(Protocol):
    """Makes an observer for each call."""

    def call(
        self, output: Output, mode: Mode, report: Report, *, stream: bool, turns_key: str, binding: Any, is_row: bool
    ) -> Observer:
        """Return the observer of a call. `is_row`: it is a row of the job around it."""
        ...

    def job(self, output: Output, report: Any) -> AbstractContextManager[None]:
        """Observe a bulk run while the context lasts. `report` is its `BulkReport`."""
        ...


installed: Observers | None = None
