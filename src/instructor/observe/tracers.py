"""Whether somebody else makes the spans of requests: an instrumentation that has wrapped the SDK's methods."""

from __future__ import annotations

import sys
from typing import Any

_TRACERS = ("opentelemetry.instrumentation", "openinference.instrumentation", "langfuse", "logfire")
"""The packages of instrumentations that make spans of requests."""
_PREFIXES = tuple(f"{name}." for name in _TRACERS)
_METHODS = ("request", "_make_api_call")
"""Methods of clients through which all requests go, and which instrumentations wrap instead."""
_DEPTH = 8


def is_traced(transport: Any, client: Any) -> bool:
    """Return whether one of the SDK's methods, by which requests are made, is wrapped by an instrumentation."""
    if not any(name in sys.modules for name in _TRACERS):
        return False
    functions = [transport.create, *getattr(transport, "functions", ())]
    functions += [getattr(client, name) for name in _METHODS if hasattr(client, name)]
    return any(map(_is_tracers, functions))


def _is_tracers(function: Any) -> bool:
    """Look at the code of each layer: a wrapper has the name and the module of what it wraps."""
    for _ in range(_DEPTH):
        if function is None:
            return False
        wrapper = getattr(function, "_self_wrapper", function)  # wrapt's
        code = getattr(wrapper, "__func__", wrapper)
        module = getattr(code, "__globals__", {}).get("__name__") or type(wrapper).__module__
        if f"{module}.".startswith(_PREFIXES):
            return True
        function = getattr(function, "__wrapped__", None)
    return False
