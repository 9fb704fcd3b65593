"""Fields of a wire's JSON, read as what they ought to be: one of another kind counts as if it were not there.

A piece of an answer is the exception. The answer would be another without it, so it is an error.
"""

from __future__ import annotations

from typing import Any

from instructor.engine.call import Json
from instructor.exceptions import ResponseParsingError

_SHOWN = 200


def mapping(value: Any) -> Json:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[Json]:
    """Return the objects of a list; an object that should stand in a list is a list of one."""
    several = value if isinstance(value, list) else [value]
    return [each for each in several if isinstance(each, dict)]


def words(value: Any) -> str:
    """Return a text, or an empty one."""
    return value if isinstance(value, str) else ""


def piece(value: Any) -> str:
    """Return a piece of an answer's text; null is an empty one."""
    if value is None or isinstance(value, str):
        return value or ""
    shown = repr(value)[:_SHOWN]
    raise ResponseParsingError(f"A piece of the answer must be a string, got {shown}.", text=shown)
