"""Fixtures for all tests: servers that follow a script, and both colours of client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from colours import COLOURS, Colour

pytest_plugins = ["instructor.testing.plugin"]


@pytest.fixture(params=COLOURS)
async def colour(request: pytest.FixtureRequest) -> AsyncIterator[Colour]:
    """Run the test twice: with blocking clients, and with awaiting ones."""
    async with Colour(request.param) as given:
        yield given
