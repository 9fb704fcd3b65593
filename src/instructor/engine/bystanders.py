"""Tools of the user's own stand beside the answer's: what a model says to them is no part of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from instructor.engine.call import Delta
from instructor.engine.ports import Outcome, Sink

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


class Bystanders:
    """A sink that hears nothing of the calls of some tools."""

    def __init__(self, sink: Sink, names: frozenset[str]) -> None:
        self._sink, self._names = sink, names
        self._channels: set[int] = set()

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        for delta in deltas:
            if delta.name in self._names:
                self._channels.add(delta.channel)
        return self._sink.feed([delta for delta in deltas if delta.channel not in self._channels])

    def close(self, *, ended: bool = True) -> list[Outcome]:
        return self._sink.close(ended=ended)

    @property
    def started(self) -> bool:
        return self._sink.started

    @property
    def closed(self) -> bool:
        return self._sink.closed

    @property
    def doubted(self) -> int:
        return getattr(self._sink, "doubted", 0)

    @property
    def looked(self) -> int:
        return self._sink.looked
