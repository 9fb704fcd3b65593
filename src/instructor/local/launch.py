"""Running a script against the embedded model as if it were OpenAI."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from instructor.local.chat import LocalModel
from instructor.local.loopback import HOST
from instructor.local.server import Server

GRACE = 5.0
"""Seconds that a script has to end after it was asked to."""
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals that ask a process to end; Windows has no SIGHUP."""


def run_script(script: Path, arguments: Sequence[str], model: LocalModel, *, grace: float = GRACE) -> int:
    """Run a script with this Python, OpenAI's address and key pointing at a server of ours; return its exit status.

    However this ends, by the script, by Ctrl-C, by a signal to end or by a terminal that closes, neither the script nor
    the server stays: a script that does not end within `grace` seconds is killed. The status is the script's own, as
    shells give it: 128 and the number of the signal that ended it.
    """
    signals: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    with Server(model) as server, _heard(signals.put):
        child = subprocess.Popen(  # noqa: S603 - the user's own script, no shell
            [sys.executable, str(script), *arguments], env=_environment(server.base_url)
        )
        try:
            threading.Thread(target=_tell_end, args=(child, signals.put), daemon=True).start()
            status = _wait(child, signals, grace)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    return status if status >= 0 else 128 - status


def _environment(base_url: str) -> dict[str, str]:
    direct = ",".join(part for part in (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), HOST) if part)
    own = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "local", "NO_PROXY": direct, "no_proxy": direct}
    return {**os.environ, **own}


def _tell_end(child: subprocess.Popen[bytes], tell: Callable[[None], object]) -> None:
    child.wait()
    tell(None)


def _wait(child: subprocess.Popen[bytes], signals: queue.SimpleQueue[int | None], grace: float) -> int:
    """Wait for the script, and hand on the signals that come, until None says that it has ended."""
    until: float | None = None
    while True:
        try:
            number = signals.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
        except queue.Empty:
            child.kill()
            return child.wait()
        if number is None:
            return child.wait()
        until = until or time.monotonic() + grace
        if number != signal.SIGINT or not _in_front():
            child.send_signal(number)


def _in_front() -> bool:
    """Return whether Ctrl-C is for this process and its child: the terminal has then sent it to both."""
    try:
        with open("/dev/tty", "rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except (OSError, AttributeError):  # there is no terminal, or there are none on this system
        return False


@contextlib.contextmanager
def _heard(tell: Callable[[int], object]) -> Iterator[None]:
    """Hear the signals to end, but for those that whoever started this process had it ignore (nohup)."""
    wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _frame: tell(number)) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
