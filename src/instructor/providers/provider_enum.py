"""`Provider`: the providers' names as an enum of strings, for programs that compare them or give them to `patch`."""

from __future__ import annotations

import enum
from typing import Any

from instructor.providers import OTHER_NAMES, built_in

_enum: Any = enum.Enum  # a checker wants members that it can read
Provider = _enum(
    "Provider",
    {name.upper().replace("-", "_"): OTHER_NAMES.get(name, name) for name in (*built_in(), *OTHER_NAMES)}
    | {"GEMINI": "gemini", "UNKNOWN": "unknown"},  # the first has no SDK any more, the second names no provider
    type=str,
    module=__name__,
)
