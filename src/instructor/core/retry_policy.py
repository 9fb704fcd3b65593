"""How often, and after what, to ask again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import ValidationError
from tenacity import (
    BaseRetrying,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
)

from instructor.core.watchdog import Watchdog
from instructor.exceptions import (
    IncompleteOutputException,
    ProviderError,
    ResponseParsingError,
    TokenBudgetError,
    TokenBudgetExceeded,
    TokenUsageUnavailableError,
)
from instructor.usage import Usage

OnInvalid = Literal["reask", "skip", "raise"]
"""What becomes of an item that is wrong: asked for again, left out and reported, or raised at once."""

RETRYABLE = (ValidationError, ResponseParsingError, IncompleteOutputException, ProviderError)
"""What an int `max_retries` tries again after. A request that fails is the SDK's to repeat: it has its own retries."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A call's own. `retrying` pays for each further request, `max_continuations`, where given, for continuations."""

    retrying: BaseRetrying
    max_continuations: int | None = None
    on_invalid: OnInvalid = "reask"
    watchdog: Watchdog | None = field(default_factory=Watchdog)
    token_budget: int | None = None
    """After how many tokens there is no further request."""

    @property
    def most(self) -> int | None:
        """How many attempts there are at most, where that is certain."""
        return _most(self.retrying.stop)

    def excludes(self, error: Exception | None) -> bool:
        """Return whether it is certain that nothing is tried again after an error."""
        retry: Any = self.retrying.retry
        return (
            type(retry) is retry_if_exception_type
            and error is not None
            and not isinstance(error, retry.exception_types)
        )

    def spent(self, usage: Usage, *, estimates: bool) -> TokenBudgetError | None:
        """Return the error that ends the call because of its token budget, or None if another request may be sent.

        Args:
            usage: The tokens of the call so far.
            estimates: Whether tokens that the provider did not report may be estimated.
        """
        budget = self.token_budget
        if budget is None:
            return None
        if not (usage.exact or estimates):
            return TokenUsageUnavailableError(
                "token_budget cannot be kept: the provider does not report its tokens.", budget=budget
            )
        if usage.total_tokens < budget:
            return None
        return TokenBudgetExceeded(
            f"token_budget={budget} is spent: {usage.total_tokens} tokens were used, and no valid answer came.",
            budget=budget,
        )


@lru_cache(maxsize=32)
def counted(max_retries: int, seconds: float | None = None) -> Retrying:
    """Return the policy that an int stands for; after so many seconds, where given, it begins no further attempt."""
    stop: Any = stop_after_attempt(max_retries + 1)
    if seconds is not None:
        stop |= stop_after_delay(seconds)
    return Retrying(stop=stop, retry=retry_if_exception_type(RETRYABLE), reraise=True)


def _most(stop: Any) -> int | None:
    if isinstance(stop, stop_any):
        return min((most for most in map(_most, stop.stops) if most is not None), default=None)
    most: int | None = getattr(stop, "max_attempt_number", None)
    return most
