"""The books of one extraction: what the user may look at while it runs and after it ended."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from instructor import redaction
from instructor.core.effects import Do, Steps
from instructor.core.events import ResponseAccumulator
from instructor.core.logs import LOG, with_logging
from instructor.core.observer import Observer
from instructor.core.reask import format_errors
from instructor.core.types import Dialect, Invalid, Json, Request
from instructor.exceptions import (
    FailedAttempt,
    IncompleteOutputException,
    InstructorRetryException,
    RefusalError,
    TokenBudgetError,
    joined_failure,
)
from instructor.hooks import OF_REQUESTS, HookName, Hooks, accepted
from instructor.report import FailedItem, Report
from instructor.usage import Usage

_SHOWN = 3
"""How many invalid items an error names."""


class RunState:
    """Keeps the report and the last response, tells the hooks, and writes the error that an extraction ends with."""

    def __init__(self, dialect: Dialect, response: Callable[[Json], Any], hooks: Hooks) -> None:
        self.report = Report()
        self._dialect, self._response, self._hooks = dialect, response, with_logging(hooks, self.report)
        self._all_hooks = self._hooks
        self.observer: Observer | None = None
        """Who makes traces of the call; None if nobody does."""
        self.headers: Mapping[str, str] | None = None
        self.raw: Any = None
        """The SDK's object of the last whole response."""
        self.accumulator: ResponseAccumulator | None = None
        """The last stream, put together; None where replies come whole."""
        self._built: tuple[ResponseAccumulator, int, Any] | None = (
            None  # what the SDK's object was built of, and the object
        )
        self.failed: list[FailedAttempt] = []
        self.grounds: Any = None
        """What has the evidence of the items; None if the call did not ask for it."""

    def completion(self) -> Any:
        """Return the SDK's object for the last response. For a stream it is built on demand, once for what has come."""
        accumulator, built = self.accumulator, self._built
        if accumulator is None:
            return self.raw
        if built is None or built[0] is not accumulator or built[1] != accumulator.added:
            response = self._response(self._dialect.assemble(accumulator.reply(), accumulator.head))
            self._built = built = (accumulator, accumulator.added, response)
        return built[2]

    def from_cache(self, key: str) -> Steps:
        """Note that the call is answered from a cache: there are no requests that hooks could hear of."""
        self.report.cached = True
        yield from self.tell(HookName.CACHE_HIT, key)
        self._all_hooks, self._hooks = self._hooks, self._hooks.without(OF_REQUESTS)

    def not_from_cache(self, request: Request) -> Steps:
        """Note that a request is made after all."""
        self.report.cached, self.report.usage, self._hooks = False, Usage(), self._all_hooks
        yield from self.tell(HookName.COMPLETION_KWARGS, keywords=request.body)

    def tells(self, name: HookName) -> bool:
        """Return whether anybody hears of an event."""
        return bool(self._hooks.at(name))

    def tell(
        self,
        name: HookName,
        *arguments: Any,
        about: Mapping[str, Any] | None = None,
        keywords: Mapping[str, Any] | None = None,
    ) -> Steps:
        """Call the user's hooks; one that fails is warned of, and breaks nothing."""
        for hook in self._hooks.at(name):
            try:
                taken = keywords if keywords is not None else accepted(hook, arguments, dict(about or {}))
                yield Do(hook, arguments, taken)
            except Exception as error:
                _warn(hook, name, error)

    def tell_response(self, about: Callable[[], Mapping[str, Any]], *, counted: bool) -> Steps:
        """Call the hooks for a complete response, and for its usage if the provider reported it."""
        if self._hooks.at(HookName.COMPLETION_RESPONSE):
            yield from self.tell(HookName.COMPLETION_RESPONSE, self.completion())
        if counted and self._hooks.at(HookName.COMPLETION_USAGE):
            yield from self.tell(HookName.COMPLETION_USAGE, self.report.usage, about=about())

    def fail(self, error: BaseException, name: str, sent: Request, *, many: bool, is_sdks: bool) -> NoReturn:
        """Raise what says how an extraction ended, with all that is known."""
        count = self.report.attempts
        tries = f"{count} attempt{'s' if count != 1 else ''}"
        LOG.error("No valid %s after %s: %s", name, tries, type(error).__name__)
        known: dict[str, Any] = {
            "last_completion": self.completion(),
            "n_attempts": count,
            "total_usage": self.report.usage,
            "create_kwargs": (shown := redaction.request(sent.body)),
            "messages": shown.get(self._dialect.turns_key),
            "failed_attempts": self.failed,
            "failed_items": self.report.failed_items,
            "report": self.report,
        }
        if isinstance(error, IncompleteOutputException):
            raise IncompleteOutputException(str(error), text=error.text, **known) from error.__cause__ or error
        if isinstance(error, TokenBudgetError):
            raise type(error)(*error.args, budget=error.budget, **known) from error.__cause__
        if isinstance(error, Exception) and (is_sdks or isinstance(error, RefusalError)):
            raise joined_failure(error, **known) from error
        raise InstructorRetryException(
            f"No valid {name} after {tries}: {self._why(error, many=many)}", **known
        ) from error

    def _why(self, error: BaseException, *, many: bool) -> str:
        """Return what is wrong; for a list, with which items, and how many are valid."""
        failed = self.report.failed_items
        if not (many and failed):
            return "; ".join(format_errors(error))
        shown = [f"item {item.index + 1}: {'; '.join(item.errors)}" for item in failed[:_SHOWN]]
        more = [f"and {len(failed) - _SHOWN} more"] if len(failed) > _SHOWN else []
        valid = f"{self.report.good} {'item is' if self.report.good == 1 else 'items are'} valid"
        return f"{'; '.join([*shown, *more])}. {valid}."


def _warn(hook: object, name: HookName, error: Exception) -> None:
    """Warn of a hook that failed. Where warnings are errors it is logged: raised here, it would take an item along."""
    try:
        warnings.warn(f"The hook {hook!r} for {name.value} failed: {error!r}", stacklevel=3)
    except Exception as refused:
        LOG.error("A hook for %s failed: %s (%s)", name.value, type(error).__name__, type(refused).__name__)


def failed_items(pending: Mapping[int, Invalid]) -> list[FailedItem]:
    """Write down what never came right, in the list's own order."""
    return [FailedItem(at, bad.text, format_errors(bad.error)) for at, bad in sorted(pending.items())]
