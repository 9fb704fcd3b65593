"""Tools of the user's own stand beside the answer's: what a model says to them is no part of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine.call import Delta
from instructor.engine.ports import Outcome, Sink


def users_own(options: Mapping[str, Any]) -> frozenset[str]:
    """Name the tools that the user gave with a call."""
    tools = [tool for tool in options.get("tools") or () if isinstance(tool, Mapping)]
    names = [tool.get("function", tool).get("name") for tool in tools]
    return frozenset(name for name in names if isinstance(name, str))


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

    def close(self) -> list[Outcome]:
        return self._sink.close()

    @property
    def started(self) -> bool:
        return self._sink.started

    @property
    def closed(self) -> bool:
        return self._sink.closed

    @property
    def looked(self) -> int:
        return self._sink.looked
