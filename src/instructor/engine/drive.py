"""The two drivers: the only code that is written twice. They carry out what a flow asks for, and know nothing else.

An error of a step is thrown into the flow at the step that caused it. However the flow ends, by itself, by an error or
because the user left, the open stream is closed and the hooks are told.

A generator that runs cannot be closed. So who leaves a stream that another thread or task is reading takes the
`WayOut`: the connection is ended under the reader, who asks before each step whether there is any use in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any, TypeVar

from instructor.engine.ports import AsyncConnection, AsyncTransport, Connection, Interruptible, Transport, fitting
from instructor.engine.steps import Close, Do, Emit, Open, Read, Send, Steps, Wait

_BUSY = (ValueError, OSError, RuntimeError)
"""What closing raises if the connection is in use, or has ended. Its reader closes it once more."""

ConnectionT = TypeVar("ConnectionT")
Values = Generator[Any, None, None]
AsyncValues = AsyncGenerator[Any, None]


class WayOut:
    """How a stream is left while it is being read."""

    __slots__ = ("_closing", "_connection", "_waited", "taken")

    def __init__(self) -> None:
        self.taken = False
        self._connection: Any = None
        self._waited: threading.Event | asyncio.Event | None = None
        self._closing = threading.RLock()  # a connection that was let go may serve another stream already

    def of(self, connection: ConnectionT) -> ConnectionT:
        """Lead out of this connection from now on."""
        self._connection = connection
        return connection

    def let_go(self) -> Any:
        """Give the connection, which is not led out of any more."""
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
        self._waited = waited = asyncio.Event()
        if not self.taken:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(waited.wait(), seconds)

    def _leave(self) -> None:
        self.taken = True
        if self._waited is not None:
            self._waited.set()

    def take(self) -> None:
        """End the read or the wait that another thread is in, or at least what it reads from."""
        self._leave()
        with self._closing, contextlib.suppress(*_BUSY):
            if self._connection is not None:
                interruptible: Interruptible | None = fitting(self._connection, "interrupt")
                (self._connection.close if interruptible is None else interruptible.interrupt)()

    async def atake(self) -> None:
        """End the read or the wait that another task is in, or at least what it reads from."""
        self._leave()
        with contextlib.suppress(*_BUSY):
            if self._connection is not None:
                await self._connection.close()


def drive(flow: Steps, transport: Transport, way_out: WayOut, farewell: Steps | None = None) -> Values:
    """Run a flow by waiting, and yield the values it emits; `farewell` is a last flow, run even if the user left."""
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
            if way_out.taken:
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
                    connection = way_out.of(transport.open(step.request))
                    outcome = connection.headers
                elif type(step) is Do:
                    outcome = _called(step)
                elif type(step) is Wait:
                    way_out.wait(step.seconds)
                elif type(step) is Close and connection is not None:
                    connection = None
                    way_out.let_go().close()
            except Exception as error:
                failure = error
    finally:
        flow.close()
        try:
            if connection is not None:
                way_out.let_go().close()
        finally:
            for _ in drive(farewell, transport, WayOut()) if farewell else ():
                pass


async def adrive(flow: Steps, transport: AsyncTransport, way_out: WayOut, farewell: Steps | None = None) -> AsyncValues:
    """Run a flow by awaiting, and yield the values it emits; `farewell` is a last flow, run even if the user left."""
    connection: AsyncConnection | None = None
    outcome: Any = None
    failure: Exception | None = None
    try:
        while True:
            try:
                step = flow.send(outcome) if failure is None else flow.throw(failure)
            except StopIteration:
                return
            outcome = failure = None
            if way_out.taken:
                return
            if type(step) is Emit:
                for value in step.values:
                    yield value
                continue
            try:
                if type(step) is Read and connection is not None:
                    outcome = await connection.read()
                    while outcome is not None and step.holds(outcome):
                        outcome = await connection.read()
                elif type(step) is Send:
                    outcome = await transport.send(step.request)
                elif type(step) is Open:
                    connection = way_out.of(await transport.open(step.request))
                    outcome = connection.headers
                elif type(step) is Do:
                    outcome = step.function(*step.arguments, **step.keywords)
                    if inspect.isawaitable(outcome):
                        outcome = await outcome
                elif type(step) is Wait:
                    await way_out.await_(step.seconds)
                elif type(step) is Close and connection is not None:
                    connection = None
                    await way_out.let_go().close()
            except Exception as error:
                failure = error
    finally:
        flow.close()
        try:
            if connection is not None:
                await way_out.let_go().close()
        finally:
            if farewell:
                async for _ in adrive(farewell, transport, WayOut()):
                    pass


def _called(step: Do) -> Any:
    outcome = step.function(*step.arguments, **step.keywords)
    if inspect.isawaitable(outcome):
        if inspect.iscoroutine(outcome):
            outcome.close()
        raise TypeError(f"{step.function!r} is asynchronous: a blocking client cannot await it.")
    return outcome
