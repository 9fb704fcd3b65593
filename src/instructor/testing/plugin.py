"""The pytest fixture `scripted_server`. It is loaded by `pytest_plugins = ["instructor.testing.plugin"]` only."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from instructor.testing import Asked, Reply, Scripted

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether a test failed: then a reply that nobody requested is not reported."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or not report.passed
    return report


@pytest.fixture
def scripted_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., Scripted]]:
    """Yield a function that starts a scripted server. After the test the servers end, and their problems fail it.

    So does a reply that was not requested, unless the server was started with `allow_unused=True`.
    """
    used: list[Scripted] = []
    with ExitStack() as running:

        def start(
            replies: Iterable[Reply] | Callable[[Asked], Reply] = (), *, allow_unused: bool = False, **options: Any
        ) -> Scripted:
            server = running.enter_context(Scripted(replies, **options))
            if not allow_unused:
                used.append(server)
            return server

        yield start
    if not request.node.stash.get(_FAILED, False):
        for server in used:
            server.assert_all_used()
