"""What a provider says of an error, in whichever of the many forms that servers of one wire have for it.

An event with a choice is an answer, whatever else is in it, unless it holds an `error`. Of other events each mark below
says that it is an error; one without a mark (a ping, a filter's result, a queue's position) is nobody's business.
"""

from __future__ import annotations

from typing import Any

from instructor.core.types import Json
from instructor.providers.messages import as_text

_WORDS = ("message", "msg", "detail", "error", "error_message", "error_msg", "errorMessage", "status_msg", "reason")
"""Where the words of an error stand, the best first."""
_NAMED = ("error_message", "error_msg", "errorMessage", "errors", "detail", "error_code")
"""Keys that only an error has."""
_KINDS = ("object", "type", "__type", "status", "event")
"""Keys that say what an event is: an `error`, a `ThrottlingException`."""
_ERRORS = ("error", "exception", "failed", "failure")
_CODES = ("code", "status", "status_code", "statusCode")
_FINE = ("", "0", "ok", "success", "succeeded", "none", "null")
"""Codes, in words, that are not errors."""
_FAULTS = 300
"""HTTP's codes from here on tell of no success."""
_SHOWN = 1000
"""Characters of a report that are quoted where it has no words of its own."""


def error_of(event: Json, *, answers: bool) -> Any:
    """Return what an event reports as an error, or None; `answers`: it holds a choice."""
    error = event.get("error")
    if error and not (isinstance(error, dict) and not any(error.values())):
        return event if error is True else error
    base = event.get("base_resp")
    if isinstance(base, dict) and str(base.get("status_code") or 0) != "0":
        return base
    return event if not answers and _is_marked(event) else None


def complaint(event: Json) -> Any:
    """Return what a body or an event is wrong about that has none of its wire's own marks, or None."""
    return error_of(event, answers=False) or (event if isinstance(event.get("message"), str) else None)


def words_of(error: Any) -> str:
    """Return the words of a reported error, for people."""
    return _words(error) or as_text(error)[:_SHOWN]


def _words(error: Any) -> str:
    if isinstance(error, str):
        return error.strip()
    if isinstance(error, (list, tuple)):
        return "; ".join(filter(None, map(_words, error)))
    if not isinstance(error, dict):
        return ""
    words = next((found for key in (*_WORDS, "errors") if (found := _words(error.get(key)))), "")
    metadata = error.get("metadata")  # a router quotes there whom it has asked
    raw = _words(metadata.get("raw")) if isinstance(metadata, dict) else ""
    return ": ".join(filter(None, (words, "" if raw in words else raw)))


def _is_marked(event: Json) -> bool:
    if any(event.get(key) for key in _NAMED) or event.get("success") is False:
        return True
    if any(str(event.get(key)).lower().endswith(_ERRORS) for key in _KINDS):
        return True
    return any(_is_fault(key, event.get(key)) for key in _CODES) and bool(_words(event))


def _is_fault(key: str, code: Any) -> bool:
    if isinstance(code, str) and not code.isdigit():
        return key == "code" and code.lower() not in _FINE
    return isinstance(code, (str, int)) and int(code) >= _FAULTS
