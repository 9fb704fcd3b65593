"""One item's text, judged: right, right once its syntax is mended, or wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from instructor.engine.call import Call
from instructor.engine.ports import Bad, Good, Outcome
from instructor.text import loose

Validate = Callable[..., Any]
"""Takes JSON text, `strict` and `context`; raises a ValidationError."""


def judged(validate: Validate, text: str, at: int, call: Call, tool: str = "") -> Outcome:
    """Validate an item; small faults of syntax are mended where the meaning is plain.

    A validator of the user's that fails in a way of its own makes the item bad, too: what came before it still counts.
    """
    try:
        return Good(at, validate(text, strict=call.strict, context=call.context), text, tool=tool)
    except ValidationError as error:
        mended = loose.repair(text) if broken(error) else None
        if mended is None:
            return Bad(at, text, error, tool)
    except Exception as error:
        return Bad(at, text, error, tool)
    try:
        return Good(at, validate(mended, strict=call.strict, context=call.context), text, mended=True, tool=tool)
    except Exception as error:
        return Bad(at, text, error, tool)


def broken(error: ValidationError) -> bool:
    """Whether the text was not even JSON, so that mending its syntax may help."""
    return error.error_count() == 1 and error.errors(include_url=False, include_context=False)[0]["type"] == (
        "json_invalid"
    )
