"""The two drivers: the only code that is written twice. They carry out what the engine asks for, and know nothing else.

An error of a step is thrown into the flow at the step that caused it. However the flow ends, by itself, by an error or
because the user left, the open stream is closed.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

from instructor.engine.ports import AsyncConnection, AsyncTransport, Connection, Transport
from instructor.engine.steps import Close, Do, Emit, Open, Read, Send, Step, Wait

Flow = Generator[Step, Any, None]


def drive(flow: Flow, transport: Transport) -> Generator[Any, None, None]:
    """Run a flow by waiting, and yield the values it emits."""
    connection: Connection | None = None
    resume, outcome = flow.send, None
    try:
        while True:
            try:
                step = resume(outcome)
            except StopIteration:
                return
            resume = flow.send
            if type(step) is Emit:
                outcome = None
                yield from step.values
                continue
            try:
                if type(step) is Read and connection is not None:
                    outcome = connection.read()
                elif type(step) is Open:
                    connection, old = None, connection
                    if old is not None:
                        old.close()
                    connection = transport.open(step.request)
                    outcome = connection.headers
                elif type(step) is Send:
                    outcome = transport.send(step.request)
                elif type(step) is Do:
                    outcome = _called(step)
                elif type(step) is Wait:
                    outcome = time.sleep(step.seconds)
                elif type(step) is Close and connection is not None:
                    connection, old = None, connection
                    outcome = old.close()
            except Exception as error:
                resume, outcome = flow.throw, error
    finally:
        if connection is not None:
            connection.close()
        flow.close()


async def adrive(flow: Flow, transport: AsyncTransport) -> AsyncGenerator[Any, None]:
    """Run a flow by awaiting, and yield the values it emits."""
    connection: AsyncConnection | None = None
    resume, outcome = flow.send, None
    try:
        while True:
            try:
                step = resume(outcome)
            except StopIteration:
                return
            resume = flow.send
            if type(step) is Emit:
                outcome = None
                for value in step.values:
                    yield value
                continue
            try:
                if type(step) is Read and connection is not None:
                    outcome = await connection.read()
                elif type(step) is Open:
                    connection, old = None, connection
                    if old is not None:
                        await old.close()
                    connection = await transport.open(step.request)
                    outcome = connection.headers
                elif type(step) is Send:
                    outcome = await transport.send(step.request)
                elif type(step) is Do:
                    outcome = step.function(*step.arguments, **step.keywords)
                    if inspect.isawaitable(outcome):
                        outcome = await outcome
                elif type(step) is Wait:
                    outcome = await asyncio.sleep(step.seconds)
                elif type(step) is Close and connection is not None:
                    connection, old = None, connection
                    outcome = await old.close()
            except Exception as error:
                resume, outcome = flow.throw, error
    finally:
        if connection is not None:
            await connection.close()
        flow.close()


def _called(step: Do) -> Any:
    outcome = step.function(*step.arguments, **step.keywords)
    if inspect.isawaitable(outcome):
        if inspect.iscoroutine(outcome):
            outcome.close()
        raise TypeError(f"{step.function!r} is asynchronous: a blocking client cannot await it.")
    return outcome
