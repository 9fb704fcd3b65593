"""What the command tells its user: one line, and a hint; never a traceback for a mistake of the user's."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator

import typer

from instructor.exceptions import ConfigurationError, InstructorError, InstructorRetryException

USAGE, FAILED, BUDGET = 2, 3, 4
"""The status of a command that was given something wrong, in which something failed, whose budget is spent."""
INTERRUPTED = 130
"""The status of a command that its user stopped."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return a text whose control characters are visible: a terminal must not obey what a model or a server wrote."""
    return _CONTROL.sub(lambda match: repr(match.group())[1:-1], text)


def tell(text: str, hint: str = "") -> None:
    """Write a message to standard error."""
    sys.stderr.write(printable(f"{text}\nhint: {hint}\n" if hint else f"{text}\n"))
    sys.stderr.flush()


def tell_error(error: Exception) -> None:
    """Write what a request ended with to standard error."""
    is_ours = isinstance(error, InstructorError)
    tell(first_line(error) if is_ours else f"{type(error).__name__}: {error}", _hint(error))


def first_line(error: Exception) -> str:
    """Return the first line of an error; the others are its attempts."""
    return str(error).partition("\n")[0]


def _hint(error: Exception) -> str:
    if getattr(error, "status_code", None) in (401, 403) or "authentication" in str(error).lower():
        return "instructor providers shows whether the key is set"
    if isinstance(error, ConfigurationError):
        return "instructor extract --help"
    if isinstance(error, InstructorRetryException):
        return 'another --model or --mode may do better; a field that may be missing is written "age? int"'
    return "the same command tries again"


@contextlib.contextmanager
def errors_reported(hint: str, *, mistake: int = USAGE, failure: int = USAGE) -> Iterator[None]:
    """End the command with a message where an argument, a file or a package is wrong.

    Args:
        hint: What the user can do about it.
        mistake: The status after a ConfigurationError.
        failure: The status after another error of this library, or one of the system.
    """
    try:
        yield
    except (InstructorError, OSError) as error:
        tell(str(error), hint)
        raise typer.Exit(mistake if isinstance(error, ConfigurationError) else failure) from None


@contextlib.contextmanager
def requests_reported(hint: str) -> Iterator[None]:
    """End the command with a message where a request fails, too: SDKs have errors of their own."""
    with errors_reported(hint, failure=FAILED):
        try:
            yield
        except (InstructorError, OSError, typer.Exit):
            raise
        except Exception as error:
            tell(f"{type(error).__name__}: {error}", hint)
            raise typer.Exit(FAILED) from None
