"""How often, and after what, to ask again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError
from tenacity import BaseRetrying

from instructor.engine.watchdog import Watchdog
from instructor.exceptions import IncompleteOutputException, ResponseParsingError

OnInvalid = Literal["reask", "skip", "raise"]
"""What becomes of an item that is wrong: asked for again, left out and reported, or raised at once."""

RETRYABLE = (ValidationError, ResponseParsingError, IncompleteOutputException)
"""What an int `max_retries` tries again after. A request that fails is the SDK's to repeat: it has its own retries."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A call's own. `retrying` pays for each further request, `max_continuations`, where given, for continuations."""

    retrying: BaseRetrying
    max_continuations: int | None = None
    on_invalid: OnInvalid = "reask"
    watchdog: Watchdog | None = field(default_factory=Watchdog)
