"""What a bulk run may use: calls in flight, requests and tokens a minute, tokens and money in all."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from instructor.exceptions import ConfigurationError
from instructor.usage import Usage


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a model, in the currency of `max_cost`, for a million tokens.

    Example:
        >>> Prices(input=0.15, output=0.60).of(Usage(input_tokens=1_000_000, output_tokens=500_000))
        0.45
    """

    input: float
    output: float
    cached: float | None = None
    """The price of input tokens that the provider had in its cache (default: that of input)."""

    def of(self, usage: Usage) -> float:
        """Return what tokens cost."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        price = self.input if self.cached is None else self.cached
        paid = (usage.input_tokens - cached) * self.input + cached * price + usage.output_tokens * self.output
        return paid / 1_000_000

    @classmethod
    def of_model(cls, provider: str, model: str | None) -> Prices | None:
        """Return the prices of a model by the package `genai-prices`; None if it is not installed or knows none."""
        return _known(provider, model)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a run. Those of all runs of one client are kept together.

    Args:
        concurrency: The most calls in flight. A run starts with fewer, and keeps fewer while the provider refuses.
        rpm: Requests a minute. In no minute there are more.
        tpm: Tokens a minute, of requests and answers.
        total_tokens: The tokens of the run. It stops when they are spent.
        max_cost: The money of the run. It needs `prices`, or the package `genai-prices` (the extra `prices`).
        prices: What the model's tokens cost.
        attempts: How often one request is sent if the server or the network fails. Rate limits do not count.
        max_error_rate: The share of failed rows that stops the run, looked at after the first 50 rows; 1 never stops.

    Raises:
        ConfigurationError: A limit is not a number above 0.

    Example:
        >>> Limits(concurrency=64, rpm=500, tpm=200_000, max_cost=5, prices=Prices(input=0.15, output=0.60))
    """

    concurrency: int = 64
    rpm: int | None = None
    tpm: int | None = None
    total_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    attempts: int = 5
    max_error_rate: float = 0.5

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "prices":
                if value is not None and not isinstance(value, Prices):
                    raise ConfigurationError(f"prices must be an instructor.bulk.Prices, got {value!r}.")
                continue
            whole = each.name not in ("max_cost", "max_error_rate")
            if value is None and each.default is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value <= 0:
                kind = "a whole number" if whole else "a number"
                raise ConfigurationError(f"{each.name} must be {kind} above 0, got {value!r}.")


_MILLION = 1_000_000


@lru_cache(maxsize=64)
def _known(provider: str, model: str | None) -> Prices | None:
    """Return the prices of a model. The table is part of the package: nothing is downloaded."""
    try:
        import genai_prices as table
    except ModuleNotFoundError:
        return None
    if model is None:
        return None

    def price(usage: Any) -> Any:
        return table.calc_price(usage, model_ref=model, provider_id=provider)

    try:
        whole = price(table.Usage(input_tokens=_MILLION, output_tokens=_MILLION))
        cached = price(table.Usage(input_tokens=_MILLION, cache_read_tokens=_MILLION))
    except LookupError:
        return None
    return Prices(float(whole.input_price), float(whole.output_price), float(cached.input_price))
