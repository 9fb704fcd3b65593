"""What the engine asks of a driver, as values. It asks for nothing else: it does no I/O itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from instructor.core.types import Json, Request


class Send(NamedTuple):
    """Make a request and wait for the whole response. Answered with a `ports.Received`."""

    request: Request


class Open(NamedTuple):
    """Make a request and open its stream, closing the one before. Answered with the response's headers."""

    request: Request


class Read(NamedTuple):
    """Wait for the next network read of the open stream. Answered with its events, or None after the last.

    A read that `holds` is true of is kept there, and decides nothing: the driver goes on to the next by itself.
    """

    holds: Callable[[Sequence[Json | bytes]], bool]


class Close(NamedTuple):
    """Close the open stream, if there is one."""


class Emit(NamedTuple):
    """Hand these values to the user."""

    values: Sequence[Any]


class Wait(NamedTuple):
    """Let this many seconds go by."""

    seconds: float


class Do(NamedTuple):
    """Call a function that may wait: a hook, a retry policy. Answered with what it gives, awaited if it must be."""

    function: Callable[..., Any]
    arguments: Sequence[Any] = ()
    keywords: Mapping[str, Any] = {}


Step = Send | Open | Read | Close | Emit | Wait | Do
Steps = Generator[Step, Any, Any]
"""A flow, or a part of one."""

CLOSE = Close()
