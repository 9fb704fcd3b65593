"""Running a script against the embedded model as if it were OpenAI."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from instructor.local.chat import LocalModel
from instructor.local.server import HOST, Server

GRACE = 5.0
"""Seconds that a child has to end after it was asked to."""


def run_script(script: Path, arguments: Sequence[str], model: LocalModel) -> int:
    """Run a script with this Python, OpenAI's address and key pointing at a server of ours; give its exit status.

    However this ends, by the script, by Ctrl-C or by a signal to end, neither the script nor the server stays.
    """
    with Server(model) as server:
        child = subprocess.Popen(  # noqa: S603 - the user's own script, no shell
            [sys.executable, str(script), *arguments], env=_environment(server.base_url)
        )
        with _ended_with(child):
            status = _wait(child)
    return status if status >= 0 else 128 - status


def _environment(base_url: str) -> dict[str, str]:
    direct = ",".join(part for part in (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), HOST) if part)
    own = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "local", "NO_PROXY": direct, "no_proxy": direct}
    return {**os.environ, **own}


def _wait(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait()
    except KeyboardInterrupt:  # the terminal has sent it to the child as well
        return child.wait(GRACE)


@contextlib.contextmanager
def _ended_with(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hand a signal to end on to the child, and leave no child behind."""

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        child.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield
    except subprocess.TimeoutExpired:
        raise SystemExit(128 + signal.SIGINT) from None
    finally:
        signal.signal(signal.SIGTERM, before)
        if child.poll() is None:
            child.kill()
            child.wait()
