"""What the command tells its user: one line, and a hint; never a traceback for a mistake of the user's."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import typer

from instructor.exceptions import ConfigurationError, InstructorError

USAGE, FAILED, BUDGET = 2, 3, 4
"""The status of a command that was given something wrong, in which something failed, whose budget is spent."""


def tell(text: str, hint: str = "") -> None:
    """Write a message to standard error."""
    sys.stderr.write(f"{text}\nhint: {hint}\n" if hint else f"{text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def errors_reported(hint: str = "", *, status: int = USAGE) -> Iterator[None]:
    """End the command with a message where an argument, a file or a package is wrong."""
    try:
        yield
    except (ConfigurationError, InstructorError, OSError) as error:
        tell(str(error), hint)
        raise typer.Exit(status) from None
