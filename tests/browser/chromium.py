"""Fixtures for tests in a real browser: `make test-browser`.

`page` is a page of Debian's Chromium. A request to another machine is refused, and fails the test. An error on the
page's console fails it, too. Servers listen on loopback.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")


@pytest.fixture(scope="module")  # while it is open, the driver's event loop runs: no async test can
def browser() -> Iterator[Browser]:
    """Start the system's Chromium, or the program that the variable CHROMIUM names."""
    playwright = pytest.importorskip("playwright.sync_api", reason="`make test-browser` installs playwright")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium; `make test-browser` installs Debian's")
    arguments = [*QUIET, "--no-first-run", "--disable-gpu"]
    with playwright.sync_playwright() as driver:
        # Root's Chromium has no sandbox. These tests open our own pages only.
        started = driver.chromium.launch(executable_path=program, args=arguments, chromium_sandbox=os.getuid() != 0)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, serve: object) -> Iterator[Page]:  # it is closed before the servers, or it would see resets
    """Return a new page, with nothing in its storage."""
    faults: list[str] = []

    def check(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", None):
            route.continue_()
        else:
            faults.append(f"asked for {route.request.url}")
            route.abort()

    context = browser.new_context()
    context.route("**/*", check)
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert faults == []


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class has
        """Write nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Return a function that serves a folder on loopback and returns its address."""
    with ExitStack() as servers:

        def start(folder: Path) -> str:
            server = servers.enter_context(
                ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
            )
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            servers.callback(thread.join)
            servers.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/"

        yield start
