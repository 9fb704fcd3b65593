"""Tools of the user's own stand beside the answer's: what a model says to them is no part of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_INSIDE = ("toolConfig", "config")
"""Options that hold the tools on some wires."""
_HOLDERS = frozenset(("tools", *_INSIDE))


def users_own(options: Mapping[str, Any]) -> frozenset[str]:
    """Name the tools that the user gave with a call, in whichever wire's form."""
    if _HOLDERS.isdisjoint(options):
        return frozenset()
    held = [options.get(name) for name in _INSIDE]
    inside = [each.get("tools") if isinstance(each, Mapping) else getattr(each, "tools", None) for each in held]
    return frozenset(_named([options.get("tools"), *inside]))


def _named(tool: Any) -> Iterator[str]:
    if isinstance(tool, (list, tuple)):
        for each in tool:
            yield from _named(each)
    elif isinstance(tool, Mapping):
        name = tool.get("name")
        yield from (name,) if isinstance(name, str) else _named(list(tool.values()))
    elif hasattr(tool, "model_dump"):
        yield from _named(tool.model_dump(exclude_none=True))
    elif callable(tool):
        yield getattr(tool, "__name__", "")
