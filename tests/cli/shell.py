"""The command as a process of its own, with pipes or in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from instructor.testing import Scripted

START = [sys.executable, "-m", "instructor"]
BARE = {key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "NO_COLOR", "COLUMNS"))}
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Shell:
    """Runs the command against a scripted server."""

    def __init__(self, server: Scripted | None, folder: Path) -> None:
        self.folder = folder
        self.environment = {**BARE, "TERM": "xterm-256color"}
        if server is not None:
            self.environment |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-test-0123456789abcdef"}
        self._running: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            [*START, *arguments], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True, text=True, timeout=120, check=False, cwd=self.folder, env=self.environment,
        )  # fmt: skip

    def start(self, *arguments: str, stdin: str = "") -> subprocess.Popen[str]:
        """Start, with standard input that has ended."""
        process = subprocess.Popen(
            [*START, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self.folder, env=self.environment,
        )  # fmt: skip
        self._running.append(process)
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None
        return process

    def terminal(self, *arguments: str, columns: int = 80, **environment: str) -> Terminal:
        """Start in a pseudo-terminal."""
        return Terminal([*START, *arguments], columns, {**self.environment, **environment}, self.folder)

    def close(self) -> None:
        """End what still runs."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()


class Terminal:
    """A process whose standard input, output and error are a terminal."""

    def __init__(self, command: Sequence[str], columns: int, environment: dict[str, str], folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was written so far, without escape sequences."""
        return _ESCAPE.sub("", self.raw)

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Read until a text has appeared."""
        until = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < until, f"{text!r} has not appeared in {self.text!r}"
            if not self._read(until - time.monotonic()):
                break
        assert text in self.text, self.text

    def end(self, seconds: float = 60.0) -> int:
        """Read to the end, and return the status."""
        until = time.monotonic() + seconds
        while self._read(until - time.monotonic()):
            pass
        os.close(self._ours)
        return self.process.wait(timeout=10)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], max(seconds, 0))[0]:
            self.process.kill()
            raise AssertionError(f"nothing more came after {self.text!r}")
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux says so that the other side is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Return the command without a server."""
    made = Shell(None, tmp_path)
    yield made
    made.close()
