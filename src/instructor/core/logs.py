"""What is logged, by the logger `instructor`.

At DEBUG, each request, response and fault, with all that was said; a call has a number, so that those of several can be
distinguished. At ERROR, a call that fails, in a line without a word of the user's or the model's. Keys are in neither.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping
from typing import Any

from instructor import redaction
from instructor.core.reask import format_errors
from instructor.hooks import HookName, Hooks
from instructor.report import Report

LOG = logging.getLogger("instructor")
LOG.addHandler(logging.NullHandler())  # where nobody set up logging, an exception is enough

_numbers = itertools.count(1)


def with_logging(hooks: Hooks, report: Report) -> Hooks:
    """Return the hooks of one call, with those that log it if anybody reads that."""
    return hooks + _listeners(report) if LOG.isEnabledFor(logging.DEBUG) else hooks


def _listeners(report: Report) -> Hooks:
    number, hooks = next(_numbers), Hooks()

    def at(name: HookName, what: str, describe: Any) -> None:
        def listen(*arguments: Any, **keywords: Any) -> None:
            LOG.debug(f"Call %d, request %d {what}: %s", number, report.attempts, describe(*arguments, **keywords))

        hooks.on(name, listen)

    at(HookName.COMPLETION_KWARGS, "is", lambda **body: _written(body))
    at(HookName.COMPLETION_RESPONSE, "is answered", _answer)
    at(HookName.COMPLETION_ERROR, "failed", lambda error, **_: redaction.text(f"{type(error).__name__}: {error}"))
    at(
        HookName.PARSE_ERROR,
        "brought what is not valid",
        lambda error, **_: redaction.text("; ".join(format_errors(error))),
    )
    at(HookName.STREAM_CONTINUE, "broke off", repr)
    at(HookName.STREAM_END, "was the last", repr)
    return hooks


def _written(body: Mapping[str, Any]) -> str:
    return json.dumps(redaction.request(body), ensure_ascii=False, default=repr)


def _answer(response: Any) -> str:
    return redaction.text(repr(response))
