"""A place in a reply where the server waits for the test."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref


class Gate:
    """Hold a reply until the test opens the gate. Each `open()` lets one wait pass, so a test can go event by event."""

    def __init__(self) -> None:
        # A socket pair, not a lock: the server waits for the gate and for the client to leave at once, in one select.
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._reached = threading.Semaphore(0)
        weakref.finalize(self, _close, self.receiver, self._sender)

    def open(self, times: int = 1) -> None:
        """Let the next `times` waits pass, beginning with those that wait now."""
        self._sender.sendall(b"." * times)

    def reached(self, timeout: float = 30.0) -> None:
        """Block until the server waits at the gate. Each wait of the server ends one call."""
        if not self._reached.acquire(timeout=timeout):
            raise AssertionError(f"the server did not come to the gate in {timeout} s")

    def arrive(self) -> None:
        """Note that the server waits here. Called by the server."""
        self._reached.release()

    def passed(self) -> bool:
        """Use up one opening, if there is one. Called by the server."""
        with contextlib.suppress(BlockingIOError):
            return bool(self.receiver.recv(1))
        return False


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        each.close()
