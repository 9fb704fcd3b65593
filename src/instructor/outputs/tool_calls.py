"""An answer that is several tool calls: each call is one item, and the tool's name tells its type."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Union, get_args, get_origin

from instructor.core import prompts
from instructor.core.types import PROVEN, Call, Delta, Outcome, Reply, Tool, ToolCall
from instructor.exceptions import ConfigurationError
from instructor.mode import Mode
from instructor.outputs.single import NO_ARGUMENTS, Single
from instructor.parsing import fuzzy
from instructor.parsing.items import ItemReader, Slice
from instructor.schema.types import legal, name_of

_NO_KEY = "\0"
"""No key holds a list here: the arguments are the item itself."""


class ToolCalls:
    """The shape of an answer that is a list of `kind`, by one tool for each member of the union that it is."""

    many = True
    distinct = False  # nothing but a call's name tells its type

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        union = get_origin(kind) in (Union, types.UnionType)
        self.members = _named(map(Single, get_args(kind) if union else (kind,)))
        if any(one.wrapped for one in self.members.values()):
            raise ConfigurationError(f"Mode.PARALLEL_TOOLS takes models, one tool each: {kind!r} is not made of them.")
        self.name = legal(name_of(kind))
        self.description = prompts.segmentation(self.name)
        self.tools = tuple(Tool(name, one.description, one.schema) for name, one in self.members.items())
        self.schema = self.tools[0].schema

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        del mode  # its one mode is the one of parallel tools
        return Reply(calls=[ToolCall("", part.tool, part.text) for part in parts])

    def parser(self, call: Call) -> ToolCallsParser:
        return ToolCallsParser(self, call)


def _named(members: Iterable[Single]) -> dict[str, Single]:
    """Return each member a tool's name of its own: types of two modules may share one."""
    named: dict[str, Single] = {}
    for one in members:
        name, count = one.name, 1
        while name in named:
            count += 1
            name = f"{one.name[:60]}_{count}"
        named[name] = one
    return named


class ToolCallsParser:
    """Reads each call by itself, however their pieces interleave. An item waits for what follows its call."""

    waits_for = ""
    doubted = 0

    def __init__(self, output: ToolCalls, call: Call) -> None:
        self._members, self._call = output.members, call
        self._names: dict[int, str] = {}
        self._readers: dict[int, ItemReader] = {}
        self._ids: dict[int, str] = {}
        self._pieces: dict[int, list[str]] = {}
        self._waiting: dict[int, list[str]] = {}  # items, until what follows shows that nothing of them is left over
        self._seen: set[tuple[str, str]] = set()  # by the ids of their calls: calls with one id are one, sent again
        self._over = False
        self._open: int | None = None  # the call that came last
        self._ended = False  # by the model itself: a call without a text has no arguments, and is not cut
        self._count = 0

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for delta in deltas:
            if self._open is not None and (delta.channel != self._open or delta.finish or self._is_another(delta)):
                outcomes += self._settled(self._open)
            if delta.channel < 0:
                self._ended = self._ended or delta.finish in PROVEN
                self._over = self._over or delta.finish is not None
                continue
            self._open = delta.channel
            if delta.name:
                self._names[delta.channel] = delta.name
            reader = self._readers.get(delta.channel)
            if reader is None:
                reader = self._readers[delta.channel] = ItemReader(key=_NO_KEY, opens="")
                self._pieces[delta.channel], self._waiting[delta.channel] = [], []
            self._ids[delta.channel] = delta.id or self._ids.get(delta.channel, "")
            text = delta.text
            if not reader.looked and not text.strip():
                text = NO_ARGUMENTS if self._ended else ""
            if text:
                self._read(delta.channel, text, reader.feed(text))
        if self._over and self._open is not None:
            outcomes += self._settled(self._open)
        return outcomes

    def close(self, *, ended: bool = True) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for at, reader in self._readers.items():
            text = NO_ARGUMENTS if self._ended and not reader.looked else ""
            self._read(at, text, reader.feed(text) if text else reader.close(ended=ended))
            outcomes += self._settled(at)
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

    def _asked_for(self) -> Iterator[ItemReader]:
        return (reader for at, reader in self._readers.items() if self._names.get(at) in self._members)

    def _is_another(self, delta: Delta) -> bool:
        return bool(delta.id) and delta.id != self._ids.get(delta.channel)

    def _read(self, channel: int, text: str, slices: Sequence[Slice]) -> None:
        self._pieces[channel].append(text)
        self._waiting[channel] += [item.text for item in slices if item.text]  # without thoughts

    def _settled(self, channel: int) -> Iterator[Outcome]:
        """Judge what a call holds, if it is a call of a tool that was asked for; the engine tells of others."""
        name, waiting = self._names.get(channel, ""), self._waiting[channel]
        member = self._members.get(name)
        if member is None or not waiting:
            return
        whole = "".join(self._pieces[channel]) if len(waiting) == 1 else ""
        self._pieces[channel], self._waiting[channel] = [], []
        for text in waiting:
            same = self._ids[channel] or str(channel), fuzzy.meaning(text)
            if same in self._seen:
                continue
            self._seen.add(same)
            at, self._count = self._count, self._count + 1
            yield member.validate_item(text, whole, self._call)._replace(at=at, tool=name)
