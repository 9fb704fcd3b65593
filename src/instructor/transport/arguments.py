"""Which arguments an SDK's function takes, read off its signature: so a wrong one is found before a request is made."""

from __future__ import annotations

import inspect
from types import FunctionType, MethodType
from typing import Any

from instructor.engine.ports import Arguments

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def arguments_of(function: Any, *, its_own: bool = False) -> Arguments | None:
    """Name the arguments of a function; None where it takes any, or is none that can be asked.

    What is wrapped is looked into only where the wrapping is the SDK's own: that of others may take more.
    """
    inner = function.__func__ if type(function) is MethodType else function
    if type(inner) is not FunctionType:
        return None
    parameters = inspect.signature(function, follow_wrapped=its_own).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    named = [parameter for parameter in parameters if parameter.kind in _BY_NAME]
    return Arguments(
        frozenset(parameter.name for parameter in named),
        frozenset(parameter.name for parameter in named if parameter.default is parameter.empty),
    )
