"""The pytest fixture `scripted_server`. Loaded by `pytest_plugins = ["instructor.testing.plugin"]`, never by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from instructor.testing import Asked, Reply, Scripted


@pytest.fixture
def scripted_server() -> Iterator[Callable[..., Scripted]]:
    """Yield a function that starts a scripted server; after the test the servers end, and their problems fail it."""
    with ExitStack() as running:

        def start(replies: Iterable[Reply] | Callable[[Asked], Reply] = (), **options: Any) -> Scripted:
            return running.enter_context(Scripted(replies, **options))

        yield start
