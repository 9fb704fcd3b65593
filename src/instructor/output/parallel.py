"""An answer that is several tool calls: each call is one item, and the tool's name tells its type."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Union, get_args, get_origin

from instructor.engine import prompts
from instructor.engine.call import PROVEN, Call, Delta, Reply, ToolCall
from instructor.engine.ports import Outcome, Tool
from instructor.exceptions import ConfigurationError
from instructor.mode import Mode
from instructor.output import schema as schemas
from instructor.output.judging import judged
from instructor.output.one import NO_ARGUMENTS, One
from instructor.text.items import Items
from instructor.text.waiting import Slice

_NO_KEY = "\0"
"""No key holds a list here: the arguments are the item itself."""


class Parallel:
    """The shape of an answer that is a list of `kind`, by one tool for each member of the union that it is."""

    many = True
    distinct = False  # nothing but a call's name tells its type

    def __init__(self, kind: Any) -> None:
        union = get_origin(kind) in (Union, types.UnionType)
        self.members = _named(map(One, get_args(kind) if union else (kind,)))
        if any(one.wrapped for one in self.members.values()):
            raise ConfigurationError(f"Mode.PARALLEL_TOOLS takes models, one tool each: {kind!r} is not made of them.")
        self.name = schemas.legal(schemas.name_of(kind))
        self.description = prompts.segmentation(self.name)
        self.tools = tuple(Tool(name, one.description, one.schema) for name, one in self.members.items())
        self.schema = self.tools[0].schema

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        del mode  # its one mode is the one of parallel tools
        return Reply(calls=[ToolCall("", part.tool, part.text) for part in parts])

    def sink(self, call: Call) -> ParallelSink:
        return ParallelSink(self, call)


def _named(members: Iterable[One]) -> dict[str, One]:
    """Give each member a tool's name of its own: types of two modules may share one."""
    named: dict[str, One] = {}
    for one in members:
        name, count = one.name, 1
        while name in named:
            count += 1
            name = f"{one.name[:60]}_{count}"
        named[name] = one
    return named


class ParallelSink:
    """Reads each call by itself, however their pieces interleave."""

    def __init__(self, output: Parallel, call: Call) -> None:
        self._members, self._call = output.members, call
        self._names: dict[int, str] = {}
        self._readers: dict[int, Items] = {}
        self._ended = False  # by the model itself: a call without a text has no arguments, and is not cut
        self._count = 0

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for delta in deltas:
            if delta.channel < 0:
                self._ended = self._ended or delta.finish in PROVEN
                continue
            if delta.name:
                self._names[delta.channel] = delta.name
            reader = self._readers.get(delta.channel)
            if reader is None:
                reader = self._readers[delta.channel] = Items(key=_NO_KEY, opens="")
            text = delta.text
            if not reader.looked and not text.strip():
                text = NO_ARGUMENTS if self._ended else ""
            if text:
                outcomes += self._judged(delta.channel, reader.feed(text))
        return outcomes

    def close(self, *, ended: bool = True) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for at, reader in self._readers.items():
            slices = reader.close(ended=ended) if reader.looked or not self._ended else reader.feed(NO_ARGUMENTS)
            outcomes += self._judged(at, slices)
        return outcomes

    @property
    def started(self) -> bool:
        return any(self._asked_for())

    @property
    def closed(self) -> bool:
        return self.started and all(reader.closed for reader in self._asked_for())

    @property
    def looked(self) -> int:
        return sum(reader.looked for reader in self._readers.values())

    def _asked_for(self) -> Iterator[Items]:
        return (reader for at, reader in self._readers.items() if self._names.get(at) in self._members)

    def _judged(self, channel: int, slices: Sequence[Slice]) -> Iterator[Outcome]:
        """Judge what a call holds, if it is a call of a tool that was asked for; the engine tells of others."""
        name = self._names.get(channel, "")
        member = self._members.get(name)
        if member is None:
            return
        for text, _ in slices:
            if not text:  # a call's arguments hold no thoughts that are anything to anybody
                continue
            at, self._count = self._count, self._count + 1
            yield judged(member.adapter.validator.validate_json, text, at, self._call, name)
