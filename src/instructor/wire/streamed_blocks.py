"""The blocks of one reply as they come: which call a piece belongs to, and what a block is made of.

A block is known by its index. Some servers give every block the same, or none: then a piece belongs to the block that
began last, and a block that begins at an index ends the one before it there. A piece of another kind than its block's
begins a block of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from instructor.engine.call import TEXT, Delta, Json
from instructor.wire.pieces import piece_of, word

Kind = Literal["text", "thought", "call", "other"]
"""What a block holds. The provider's own tools, and all else that is no part of an answer, are "other"."""


@dataclass(slots=True)
class Block:
    """A block that has not ended."""

    kind: Kind
    channel: int = TEXT
    whole: str = ""
    """The arguments that a call began with, which count if no piece of them comes."""
    came: bool = False
    """Whether a piece of it came."""
    raw: Json = field(default_factory=dict)
    """The block as the wire has it, as far as it came at once."""
    pieces: dict[str, list[Any]] = field(default_factory=dict)
    """What is to be added to it, by the names of its fields."""


class StreamedBlocks:
    """Reads the blocks of one reply, and numbers its calls."""

    def __init__(self) -> None:
        self._calls = 0
        self._open: dict[str, Block] = {}
        self._last = ""
        self._found: list[Delta] = []
        self._whole = set[tuple[str, str, str]]()  # calls that came at once
        self.over = False
        """Whether a reply with blocks came to its end: what comes then is told again."""
        self.ending: Any = None
        """Why the reply ended, where more is told after that."""

    @property
    def begun(self) -> bool:
        """Whether any block came."""
        return bool(self._last)

    def take(self) -> list[Delta]:
        """Return the deltas of all that was read since the last time."""
        found, self._found = self._found, []
        return found

    def begin(self, index: Any, kind: Kind, raw: Json | None = None) -> Block:
        """Begin a block, and end the one at its index."""
        self._last = _key(index) or "0"
        self.end(self._last)
        block = self._open[self._last] = Block(kind, raw=raw or {})
        if kind == "call":
            block.channel, self._calls = self._calls, self._calls + 1
        return block

    def begin_call(self, index: Any, call: Mapping[str, Any], id_key: str, whole: str) -> None:
        """Begin a call; `whole`: its arguments, if they come at once."""
        call_id, name = word(call.get(id_key)), word(call.get("name"))
        if whole and call_id and (call_id, name, whole) in self._whole:  # the same once more
            self.begin(index, "other")
            return
        if whole:
            self._whole.add((call_id, name, whole))
        block = self.begin(index, "call")
        block.whole = whole
        self._found.append(Delta(block.channel, "", call_id or None, name or None))

    def at(self, index: Any, kind: Kind) -> Block:
        """Return the block that a piece of some kind belongs to."""
        block = self._open.get(_key(index)) or self._open.get(self._last)
        return self.begin(index, kind) if block is None or block.kind not in ("other", kind) else block

    def arguments(self, index: Any, value: Any) -> None:
        """Read a piece of a call's arguments."""
        block = self.at(index, "call")
        if block.kind == "other":
            block.pieces.setdefault("input", []).append(value)
            return
        text = piece_of(value)
        block.came = block.came or bool(text)
        self._found.append(Delta(block.channel, text))

    def text(self, index: Any, value: Any) -> None:
        """Read a piece of text."""
        block = self.at(index, "text")
        if block.kind == "text":
            block.came = True
            self._found.append(Delta(TEXT, piece_of(value)))

    def end(self, index: Any) -> None:
        """End the block at an index, or the last one."""
        block = self._open.pop(_key(index) or self._last, None)
        if block is None:
            return
        if block.whole and not block.came:
            self._found.append(Delta(block.channel, block.whole))
        self.ended(block)

    def ended(self, block: Block) -> None:
        """Take note of a block that has ended."""

    def end_all(self) -> None:
        """End what is open still."""
        for index in list(self._open):
            self.end(index)


def _key(index: Any) -> str:
    return str(index) if isinstance(index, (int, str)) and not isinstance(index, bool) else ""
