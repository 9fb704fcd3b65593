"""How many random cases a property test tries, and from which seed: the options `--cases` and `--seed` of pytest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Verbosity, seed, settings

chosen: dict[str, Any] = {"cases": 300, "seed": None}
"""Set by tests/conftest.py from the command line."""


def fuzzed(test: Callable[..., Any]) -> Callable[..., Any]:
    """Run a property test for the number of cases, and from the seed, that the command line gives."""
    made: Callable[..., Any] = settings(
        max_examples=chosen["cases"],
        deadline=None,
        database=None,
        verbosity=Verbosity.normal,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        print_blob=True,
    )(test)
    made = pytest.mark.filterwarnings("ignore:Generating overly large repr")(made)
    if chosen["seed"] is not None:
        made = seed(chosen["seed"])(made)
    return made
