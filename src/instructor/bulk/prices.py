"""Prices of models, from the package `genai-prices`, whose table is part of it: nothing is downloaded."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

from instructor.bulk.limits import Prices

_MILLION = 1_000_000


@lru_cache(maxsize=64)
def known(provider: str, model: str | None) -> Prices | None:
    """Return the prices of a model; None if the package is not installed, or knows no single price of it."""
    try:
        import genai_prices
    except ModuleNotFoundError:
        return None
    if model is None:
        return None
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=_MILLION, output_tokens=_MILLION), model_ref=model, provider_id=provider
        )
        cached = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=_MILLION, cache_read_tokens=_MILLION), model_ref=model, provider_id=provider
        )
    except LookupError:
        return None
    return Prices(_number(found.input_price), _number(found.output_price), _number(cached.input_price))


def _number(price: Any) -> float:
    return float(Decimal(price))
