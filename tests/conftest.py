"""Fixtures for all tests: servers that follow a script, and both colours of client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import fuzzing
from colours import COLOURS, Colour

pytest_plugins = ["instructor.testing.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the property tests that `make fuzz` runs for longer."""
    parser.addoption("--cases", type=int, default=300, help="how many random cases each fuzz test tries")
    parser.addoption("--seed", type=int, default=None, help="where its random numbers start, to try the same again")


def pytest_configure(config: pytest.Config) -> None:
    """Hand the options on before the tests are read: Hypothesis wants them when a test is defined."""
    fuzzing.chosen.update(cases=config.getoption("--cases"), seed=config.getoption("--seed"))


@pytest.fixture(params=COLOURS)
async def colour(request: pytest.FixtureRequest) -> AsyncIterator[Colour]:
    """Run the test twice: with blocking clients, and with awaiting ones."""
    async with Colour(request.param) as given:
        yield given
