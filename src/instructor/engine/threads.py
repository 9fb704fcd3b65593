"""Ending what another thread waits for where its SDK has no door for that: for the headers, or in a generator.

An exception that is thrown into a thread is raised when it runs again, so the socket at which it stands is shut, too.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

_LOCKING = ("__enter__", "__exit__", "acquire", "release")
"""Functions that take or return a lock, in which an exception is raised between the two."""
_TURNS = 1000


class Left(BaseException):
    """What ends an SDK's call in the thread that has made it. Never seen outside of `Escape`.

    An `Exception` the SDK would take for a lost connection, and ask again.
    """


class Escape:
    """Makes one call, which another thread can end while it waits."""

    def __init__(self) -> None:
        self._thread = 0
        self._left = False
        self._lock = threading.RLock()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function and return what it returns; None if the call is ended before."""
        made: Any = None
        try:
            try:
                with self._lock:
                    if self._left:
                        return None
                    self._thread = threading.get_ident()
                made = function(*arguments)
            finally:
                with self._lock:  # whoever ends the call holds it: nothing is thrown into this thread later
                    self._thread = 0
                    if self._left:
                        _throw(threading.get_ident(), None)
        except (Left, KeyboardInterrupt) as error:
            if made is None:
                _close_responses(error)
            if not isinstance(error, Left):
                raise
        return made

    def end(self) -> None:
        """End the call, or let it not begin. A thread that leaves its own call only lets it be."""
        with self._lock, contextlib.suppress(OSError):
            first, self._left = not self._left, True
            if self._thread and self._thread != threading.get_ident():
                if first and _can_be_ended(self._thread):
                    _throw(self._thread, Left)
                shut_socket(self._thread, Escape.call.__code__)


def shut_socket(thread: int, below: CodeType) -> bool:
    """Shut the socket that a thread reads from, in the calls that `below` has made; return whether there was one."""
    found: socket.socket | None = None
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not below:
        if str(frame.f_globals.get("__name__")).endswith(".http2"):  # other streams share the connection
            return False
        for value in () if found is not None else list(frame.f_locals.values()):
            held = value if isinstance(value, socket.socket) else getattr(value, "__dict__", {}).get("_sock")
            if isinstance(held, socket.socket):
                found = held
                break
        frame = frame.f_back
    if found is None or frame is None:  # without `below` the thread has left those calls: the socket is another's
        return False
    socket.socket.shutdown(found, socket.SHUT_RDWR)  # of the connection itself, under whatever encrypts it
    return True


def _can_be_ended(thread: int) -> bool:
    """Wait until a thread takes or returns no lock: ended there it would leave the lock taken, and its client dead."""
    for _ in range(_TURNS):
        frame = sys._current_frames().get(thread)
        if frame is None or frame.f_code.co_name not in _LOCKING:
            return frame is not None
        del frame  # it would keep alive what the thread has in its hands
        time.sleep(0.001)
    return False


def _close_responses(error: BaseException) -> None:
    """Close the responses that an SDK had in its hands when its call was ended: its own code did not see that."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            status = getattr(value, "status_code", None) or getattr(value, "status", None)
            if isinstance(status, int) and hasattr(value, "close"):
                with contextlib.suppress(OSError, RuntimeError, ValueError, AttributeError):  # some are half made
                    value.close()


def _throw(thread: int, kind: type[Left] | None) -> None:
    """Raise an exception in a thread, as Ctrl-C does in the main one; None takes one back that is not raised yet."""
    import ctypes

    if sys.implementation.name == "cpython":
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind and ctypes.py_object(kind))
