"""One item's text, validated: right, right once its syntax is mended, or wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from instructor.core import prompts
from instructor.core.types import Call, Invalid, Outcome, Valid
from instructor.exceptions import ResponseParsingError
from instructor.parsing import fuzzy
from instructor.parsing.fuzzy import as_integers, opened
from instructor.parsing.repair import Unclear

Validate = Callable[..., Any]
"""Takes JSON text, `strict` and `context`; raises a ValidationError."""


_tuple = tuple.__new__  # it takes a third of the time of Valid(...), for each item

_ROUNDS = 4
"""How often numbers are written as integers in one text: a validator may come to the next only then."""


def validate_item(validate: Validate, text: str, at: int, call: Call, tool: str = "") -> Outcome:
    """Validate an item; small faults of syntax are mended where the meaning is plain.

    A validator of the user's that fails in a way of its own makes the item bad, too: what came before it still counts.
    """
    try:
        value = validate(text, strict=call.strict, context=call.context)
        return _tuple(Valid, (at, value, text, True, False, tool))
    except ValidationError as error:
        return _validated_again(validate, text, at, call, tool, error)
    except Exception as error:
        return Invalid(at, text, error, tool)


def _validated_again(validate: Validate, text: str, at: int, call: Call, tool: str, error: ValidationError) -> Outcome:
    mended = broken(error)
    try:
        if mended:
            value = validated(validate, fuzzy.mended(text), strict=call.strict, context=call.context)
        else:
            value = _with_integers(validate, text, error, strict=call.strict, context=call.context)
    except Unclear as unclear:
        return Invalid(at, text, _why(unclear, error, text, call), tool)
    except Exception as another:
        return Invalid(at, text, another, tool)
    return Valid(at, value, text, mended=mended or bool(_texts_of_parts(error)), tool=tool)


def validated(validate: Validate, text: str, *, strict: bool | None, context: Any) -> Any:
    """Validate JSON text, where `3.0` is an integer as JSON Schema has it: pydantic's strict mode takes it for none."""
    try:
        return validate(text, strict=strict, context=context)
    except ValidationError as error:
        return _with_integers(validate, text, error, strict=strict, context=context)


def _with_integers(validate: Validate, text: str, error: ValidationError, *, strict: bool | None, context: Any) -> Any:
    """Validate again if the faults are only in how values are written; raise the error otherwise.

    That is: integers with a point or an exponent, and objects or arrays as the JSON text of themselves.
    """
    for _ in range(_ROUNDS):
        faults = error.errors(include_url=False, include_context=False)
        paths = [f["loc"] for f in faults if f["type"] == "int_type" and isinstance(f["input"], float)]
        whole = as_integers(text, paths) if paths else opened(text, _texts_of_parts(error))
        if whole is None:
            break
        text = whole
        try:
            return validate(text, strict=strict, context=context)
        except ValidationError as another:
            error = another
    raise error


_PARTS = frozenset((
    "model_type", "model_attributes_type", "dataclass_type", "dict_type", "mapping_type", "list_type", "tuple_type",
    "set_type", "frozen_set_type", "iterable_type",
))  # fmt: skip
"""The errors of pydantic for a value that should be an object or an array."""


def _texts_of_parts(error: ValidationError) -> list[str]:
    """Return the texts that stand where an object or an array should be."""
    faults = error.errors(include_url=False, include_context=False)
    return [f["input"] for f in faults if f["type"] in _PARTS and isinstance(f["input"], str)]


def _why(unclear: Unclear, error: ValidationError, text: str, call: Call) -> Exception:
    """Return why a text is not repaired, if its syntax error does not say so."""
    if not (unclear.escape or unclear.long):
        return error
    fault = str(error.errors(include_url=False, include_context=False)[0]["msg"])
    message = prompts.faulty_escape(unclear.escape) if unclear.escape else prompts.too_long_to_mend(fault, len(text))
    return ResponseParsingError(message, text=text, mode=call.mode.value)


def broken(error: ValidationError) -> bool:
    """Return whether the text was not even JSON, so that mending its syntax may help."""
    return error.error_count() == 1 and error.errors(include_url=False, include_context=False)[0]["type"] == (
        "json_invalid"
    )
