"""The two drivers: the only code that is written twice. They carry out what a flow asks for, and know nothing else.

An error of a step is thrown into the flow at the step that caused it. However the flow ends, by itself, by an error or
because the user left, the open stream is closed and the hooks are called.

A generator that runs cannot be closed. So who leaves a stream that another thread or task is reading takes the
`StreamCloser`: the connection is ended under the reader, who asks before each step whether there is any use in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import sys
import threading
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import CodeType, FrameType
from typing import Any

import anyio

from instructor.core.effects import Close, Do, Emit, Open, Read, Send, Steps, Wait
from instructor.core.types import AsyncConnection, AsyncTransport, Connection, Transport

_BUSY = (ValueError, OSError, RuntimeError)
"""What closing raises if the connection is in use, or has ended. Its reader closes it once more."""

_COUNTS_CANCELLING = sys.version_info >= (3, 11)
Values = Generator[Any, None, None]
AsyncValues = AsyncGenerator[Any, None]


class StreamCloser:
    """Closes a stream while another thread or task reads it, or waits for its headers or for the next attempt.

    Theory of operation. The driver tells what it is in; `close()` or `aclose()` ends exactly that.

        the driver is in      sync: `close()` from another thread     async: `aclose()` from another task
        opening a request     `Escape.end`: the transport cancels      the task is cancelled, by its own scope if the
                              it, or the call is ended from outside    event loop is not asyncio's
        a read                `connection.interrupt()`, or its         the same
                              socket is shut
        a wait                an event ends it                         an event ends it
        a hook or a policy    nothing is broken off: it runs to its end, and then the stream ends

    The one who reads sees the stream end, never an error. `taken` stays true: nothing is opened after it.
    """

    __slots__ = (
        "_at",
        "_cancelled",
        "_closing",
        "_connection",
        "_ended",
        "_opening",
        "_scope",
        "_waited",
        "does",
        "taken",
    )

    def __init__(self) -> None:
        self.taken = False
        self.does = False
        """Whether a hook or a policy is called: that is never broken off."""
        self._at: Any = None  # the task that reads and how often it was cancelled before
        self._opening: Any = None  # what ends the call that opens a connection; of a task only whether there is one
        self._connection: Any = None
        self._waited: Any = None
        self._scope: Any = None  # of a read, where tasks cannot be cancelled by themselves
        self._cancelled: asyncio.Task[Any] | None = None
        self._ended: Any = None
        self._closing = threading.RLock()  # a connection that was let go may serve another stream already

    def ahere(self) -> None:
        """Note that this task reads from now on."""
        try:
            task: Any = asyncio.current_task()
        except RuntimeError:  # another event loop than asyncio's
            self._at = None
        else:
            self._at = task, task.cancelling() if task is not None and _COUNTS_CANCELLING else 0

    def opened(self, transport: Transport, request: Any) -> Connection | None:
        """Open a connection, and lead out of it from now on; None if the way out is taken before the SDK has it."""
        self._opening = Escape(transport.interrupt_open)
        try:
            if not self.taken:  # whoever takes it from now on ends the call
                self._connection = self._opening.call(transport.open, request)
        finally:
            self._opening = None
        connection: Connection | None = self._connection
        return connection

    async def aopened(self, transport: AsyncTransport, request: Any) -> AsyncConnection | None:
        """Open a connection, and lead out of it from now on; None if the way out is taken before the SDK has it."""
        self._opening = self
        try:
            if self._at is not None:
                self._connection = await transport.open(request)
            else:
                with self.scope():
                    self._connection = _Scoped(await transport.open(request), self)
        finally:
            self._opening = None
        connection: AsyncConnection | None = self._connection
        return connection

    def scope(self) -> Any:
        """Make what can be cancelled without the task around it, on any event loop."""
        self._scope = scope = anyio.CancelScope()
        return scope

    def detach(self) -> Any:
        """Return the connection, which is not led out of any more."""
        with self._closing:
            connection, self._connection = self._connection, None
        return connection

    def wait(self, seconds: float) -> None:
        """Let time go by, unless it is taken first."""
        self._waited = waited = threading.Event()
        if not self.taken:
            waited.wait(seconds)

    async def await_(self, seconds: float) -> None:
        """Let time go by, unless it is taken first."""
        self._waited = waited = anyio.Event()
        if not self.taken:
            with anyio.move_on_after(seconds):
                await waited.wait()

    async def awaited(self, waits: Awaitable[Any]) -> Any:
        """Return what a hook or a policy does; until then it is not broken off."""
        self.does = True
        try:
            return await waits
        finally:
            self.does = False

    def _leave(self) -> None:
        self.taken = True
        if self._waited is not None:
            self._waited.set()

    def close(self) -> None:
        """End the read or the wait that another thread is in, or at least what it reads from."""
        with self._closing, contextlib.suppress(*_BUSY):
            self._leave()
            opening: Escape | None = self._opening
            if opening is not None:
                opening.end()
            elif self._connection is not None:
                reader = self._reader()
                hook_leaves = reader == threading.get_ident()
                interrupted = not hook_leaves and self._connection.interrupt()
                if not interrupted and (hook_leaves or self.does or not shut_socket(reader, drive.__code__)):
                    self._connection.close()

    def _reader(self) -> int:
        """Return the thread that reads just now; 0 if none does."""
        frame: FrameType | None
        for thread, frame in sys._current_frames().items():
            while frame is not None:
                if frame.f_code is drive.__code__ and frame.f_locals.get("closer") is self:
                    return thread
                frame = frame.f_back
        return 0

    async def aclose(self) -> None:
        """End the read or the wait that another task is in, and wait until its connection is closed."""
        self._leave()
        if self.does or self._opening is self._connection is None:
            return
        if self._at is None:
            self._scope.cancel()
        else:
            task, before = self._at
            if task is None or task is asyncio.current_task():  # a hook of the SDK's leaves
                with contextlib.suppress(*_BUSY):
                    if self._connection is not None:
                        await self._connection.close()
                return
            if self._cancelled is None and not _is_cancelled(task, before):
                self._cancelled = task
                task.cancel()
        if self._ended is None:
            self._ended = anyio.Event()
        await self._ended.wait()

    def cancelled(self) -> bool:
        """Return whether the cancellation that came, if any, is that of `atake` alone; it is then taken back."""
        task, self._cancelled = self._cancelled, None
        if task is None:
            return False
        return not _COUNTS_CANCELLING or task.uncancel() <= self._at[1]

    def ended(self) -> None:
        """Note that the connection is closed."""
        self.cancelled()
        if self._ended is not None:
            self._ended.set()


class _Scoped:
    """A connection whose reads can be cancelled one by one."""

    def __init__(self, connection: AsyncConnection, closer: StreamCloser) -> None:
        self._connection, self._closer = connection, closer
        self.headers = connection.headers

    async def read(self) -> Any:
        with self._closer.scope():
            return await self._connection.read()
        return None  # it was cancelled: nobody asks any more

    async def close(self) -> None:
        await self._connection.close()


def _is_cancelled(task: Any, before: int) -> bool:
    """Return whether somebody else has cancelled a task that does not know it yet."""
    if _COUNTS_CANCELLING:
        return bool(task.cancelling() > before)
    return task._must_cancel or (task._fut_waiter is not None and task._fut_waiter.cancelled())


def drive(flow: Steps, transport: Transport, closer: StreamCloser, finalizer: Steps | None = None) -> Values:
    """Run a flow by waiting, and yield the values it emits; `finalizer` is a last flow, run even if the user left."""
    connection: Connection | None = None
    outcome: Any = None
    failure: Exception | None = None
    try:
        while True:
            try:
                step = flow.send(outcome) if failure is None else flow.throw(failure)
            except StopIteration:
                return
            outcome = failure = None
            if closer.taken:
                return
            if type(step) is Emit:
                yield from step.values
                continue
            try:
                if type(step) is Read and connection is not None:
                    outcome = connection.read()
                    while outcome is not None and step.holds(outcome):
                        outcome = connection.read()
                elif type(step) is Send:
                    outcome = transport.send(step.request)
                elif type(step) is Open:
                    connection = closer.opened(transport, step.request)
                    if connection is None:
                        return
                    outcome = connection.headers
                elif type(step) is Do:
                    closer.does = True  # a socket that a hook waits at is its own
                    outcome = _called(step)
                    closer.does = False
                elif type(step) is Wait:
                    closer.wait(step.seconds)
                elif type(step) is Close and connection is not None:
                    connection = None
                    closer.detach().close()
            except Exception as error:
                failure, closer.does = error, False
    finally:
        flow.close()
        try:
            if (left := closer.detach()) is not None:  # also one that came as the user interrupted
                left.close()
        finally:
            for _ in drive(finalizer, transport, StreamCloser()) if finalizer else ():
                pass


async def adrive(
    flow: Steps, transport: AsyncTransport, closer: StreamCloser, finalizer: Steps | None = None
) -> AsyncValues:
    """Run a flow in an async program; yield its values. `finalizer` is a last flow, run even if the user left."""
    connection: AsyncConnection | None = None
    outcome: Any = None
    failure: Exception | None = None
    moves = True  # whether another task may go on now than the one before
    try:
        while True:
            try:
                step = flow.send(outcome) if failure is None else flow.throw(failure)
            except StopIteration:
                return
            outcome = failure = None
            if closer.taken:
                return
            if type(step) is Emit:
                for value in step.values:
                    yield value
                moves = True
                continue
            if moves:
                closer.ahere()
                moves = False
            try:
                if type(step) is Read and connection is not None:
                    outcome = await connection.read()
                    while outcome is not None and step.holds(outcome):
                        outcome = await connection.read()
                elif type(step) is Send:
                    outcome = await transport.send(step.request)
                elif type(step) is Open:
                    if (connection := await closer.aopened(transport, step.request)) is None:
                        return
                    outcome = connection.headers
                elif type(step) is Do:
                    outcome = step.function(*step.arguments, **step.keywords)
                    if inspect.isawaitable(outcome):
                        outcome = await closer.awaited(outcome)
                elif type(step) is Wait:
                    await closer.await_(step.seconds)
                elif type(step) is Close and connection is not None:
                    connection = None
                    await closer.detach().close()
            except Exception as error:
                failure = error
    except asyncio.CancelledError:
        if not closer.cancelled():
            raise
    finally:
        flow.close()
        try:
            if connection is not None:
                await closer.detach().close()
        finally:
            closer.ended()
            if finalizer:
                async for _ in adrive(finalizer, transport, StreamCloser()):
                    pass


def _called(step: Do) -> Any:
    outcome = step.function(*step.arguments, **step.keywords)
    if inspect.isawaitable(outcome):
        if inspect.iscoroutine(outcome):
            outcome.close()
        raise TypeError(f"{step.function!r} is async: a sync client cannot await it.")
    return outcome


_LOCKING = ("__enter__", "__exit__", "acquire", "release")
"""Functions that take or return a lock, in which an exception is raised between the two."""
_TURNS = 1000


class Left(BaseException):
    """What ends an SDK's call in the thread that has made it. Never seen outside of `Escape`.

    An `Exception` the SDK would take for a lost connection, and ask again.
    """


class Escape:
    """Makes one call, which another thread can end while it waits."""

    def __init__(self, interrupt: Callable[[int], bool] | None = None) -> None:
        """`interrupt` ends the call that a thread is in without help; it returns False if it cannot."""
        self._thread = 0
        self._left = self._interrupted = False
        self._lock = threading.RLock()
        self._interrupt = interrupt

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
        except Exception:
            if not self._interrupted:
                raise
        return made

    def end(self) -> None:
        """End the call, or let it not begin. A thread that leaves its own call only lets it be."""
        with self._lock, contextlib.suppress(OSError):
            first, self._left = not self._left, True
            if self._thread and self._thread != threading.get_ident():
                if self._interrupt is not None and self._interrupt(self._thread):
                    self._interrupted = True
                    return
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
