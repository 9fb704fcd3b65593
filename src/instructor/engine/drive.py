"""The two drivers: the only code that is written twice. They carry out what a flow asks for, and know nothing else.

An error of a step is thrown into the flow at the step that caused it. However the flow ends, by itself, by an error or
because the user left, the open stream is closed and the hooks are told.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

from instructor.engine.ports import AsyncConnection, AsyncTransport, Connection, Transport
from instructor.engine.steps import Close, Do, Emit, Open, Read, Send, Steps, Wait


def drive(flow: Steps, transport: Transport, farewell: Steps | None = None) -> Generator[Any, None, None]:
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
                    connection = transport.open(step.request)
                    outcome = connection.headers
                elif type(step) is Do:
                    outcome = _called(step)
                elif type(step) is Wait:
                    time.sleep(step.seconds)
                elif type(step) is Close and connection is not None:
                    closing, connection = connection, None
                    closing.close()
            except Exception as error:
                failure = error
    finally:
        flow.close()
        try:
            if connection is not None:
                connection.close()
        finally:
            for _ in drive(farewell, transport) if farewell else ():
                pass


async def adrive(flow: Steps, transport: AsyncTransport, farewell: Steps | None = None) -> AsyncGenerator[Any, None]:
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
                    connection = await transport.open(step.request)
                    outcome = connection.headers
                elif type(step) is Do:
                    outcome = step.function(*step.arguments, **step.keywords)
                    if inspect.isawaitable(outcome):
                        outcome = await outcome
                elif type(step) is Wait:
                    await asyncio.sleep(step.seconds)
                elif type(step) is Close and connection is not None:
                    closing, connection = connection, None
                    await closing.close()
            except Exception as error:
                failure = error
    finally:
        flow.close()
        try:
            if connection is not None:
                await connection.close()
        finally:
            if farewell:
                async for _ in adrive(farewell, transport):
                    pass


def _called(step: Do) -> Any:
    outcome = step.function(*step.arguments, **step.keywords)
    if inspect.isawaitable(outcome):
        if inspect.iscoroutine(outcome):
            outcome.close()
        raise TypeError(f"{step.function!r} is asynchronous: a blocking client cannot await it.")
    return outcome
