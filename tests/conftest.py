"""Fixtures for all tests: servers that follow a script, and sync and async clients."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import fuzzing
from harness import KINDS, Harness

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # no test depends on how busy the machine is

pytest_plugins = ["instructor.testing.plugin"]

# Each SDK's client reads the certificates of the system, which takes longer than most tests. On loopback nothing uses
# them: here the folder of certificates is one that has none.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the property tests that `make fuzz` runs for longer."""
    parser.addoption("--cases", type=int, default=300, help="how many random cases each fuzz test tries")
    parser.addoption("--seed", type=int, default=None, help="where its random numbers start, to try the same again")


def pytest_configure(config: pytest.Config) -> None:
    """Hand the options on before the tests are read: Hypothesis wants them when a test is defined."""
    fuzzing.chosen.update(cases=config.getoption("--cases"), seed=config.getoption("--seed"))


@pytest.fixture(params=KINDS)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """Run the test twice: with sync clients, and with async ones."""
    async with Harness(request.param) as given:
        yield given


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Let traces be made during the test, by the default names, and give what was exported: an `observed.Seen`."""
    from instructor.observe.conventions import OPT_IN
    from observed import watching

    monkeypatch.delenv(OPT_IN, raising=False)
    with watching() as seen:
        yield seen
