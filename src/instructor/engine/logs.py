"""What is logged, by the logger `instructor`.

At DEBUG, each request, response and fault, with all that was said; a call has a number, so that those of several can be
told apart. At ERROR, a call that fails, in a line without a word of the user's or the model's. Keys are in neither.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping
from typing import Any

from instructor.engine import faults
from instructor.hooks import HookName, Hooks
from instructor.report import Report

LOG = logging.getLogger("instructor")
LOG.addHandler(logging.NullHandler())  # where nobody set up logging, an exception is enough

_SECRET = ("key", "secret", "password", "credential", "authorization", "cookie")
_numbers = itertools.count(1)


def overheard(hooks: Hooks, report: Report) -> Hooks:
    """Give the hooks of one call, with those that log it if anybody reads that."""
    return hooks + _listeners(report) if LOG.isEnabledFor(logging.DEBUG) else hooks


def _listeners(report: Report) -> Hooks:
    number, hooks = next(_numbers), Hooks()

    def at(name: HookName, said: str, told: Any) -> None:
        def listen(*arguments: Any, **keywords: Any) -> None:
            LOG.debug(f"Call %d, request %d {said}: %s", number, report.attempts, told(*arguments, **keywords))

        hooks.on(name, listen)

    at(HookName.COMPLETION_KWARGS, "is", lambda **body: json.dumps(_shown(body), ensure_ascii=False, default=repr))
    at(HookName.COMPLETION_RESPONSE, "is answered", repr)
    at(HookName.COMPLETION_ERROR, "failed", lambda error, **_: f"{type(error).__name__}: {error}")
    at(HookName.PARSE_ERROR, "brought what is not valid", lambda error, **_: "; ".join(faults.lines(error)))
    at(HookName.STREAM_CONTINUE, "broke off", repr)
    at(HookName.STREAM_END, "was the last", repr)
    return hooks


def _shown(value: Any, name: str = "") -> Any:
    """Give a part of a request without what is secret by its name: users may send headers of their own, or keys."""
    if isinstance(value, Mapping):
        return {key: _shown(part, str(key).lower()) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(part) for part in value]
    secret = name.endswith("token") or any(word in name for word in _SECRET)
    return "***" if secret and isinstance(value, (str, bytes)) else value
