"""The wires whose turns are lists of blocks: texts, images, tool calls and their results side by side."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from instructor.core.types import TEXT, Delta, Json, Message, ToolCall
from instructor.exceptions import ConfigurationError
from instructor.providers.content import parts_of
from instructor.providers.dialect import BaseDialect
from instructor.providers.messages import SYSTEM_ROLES, call_of
from instructor.providers.pieces import piece_of, word


class BlockDialect(BaseDialect):
    """A dialect of such a wire: `translate_part`, `use` and `result` say how each kind of block is written."""

    roles: ClassVar[Mapping[str, str]] = {"user": "user", "assistant": "assistant", "tool": "user", "function": "user"}
    blocks_key: ClassVar[str] = "content"
    """Where a turn has its blocks."""
    takes_text: ClassVar[bool] = False
    """Whether a text may stand there instead."""
    alternates: ClassVar[bool] = False
    """Whether what one side says in a row must be one turn."""
    wrong: ClassVar[Json] = {"is_error": True}

    @abc.abstractmethod
    def use(self, call: ToolCall) -> Json:
        """Write a tool call."""

    @abc.abstractmethod
    def result(self, call: ToolCall, content: Any, is_error: bool) -> Json:
        """Write a tool's result."""

    def system(self, messages: Sequence[Message], given: Any) -> list[Json]:
        """Return the blocks of the system's text, which stands apart: those that were given as such come first."""
        contents = [given, *(message.get("content") for message in messages if message.get("role") in SYSTEM_ROLES)]
        return [self.encode_part(part) for content in contents for part in parts_of(content) if not _is_blank(part)]

    def with_instruction(self, messages: Sequence[Message], text: str) -> Sequence[Message]:
        """Add a text to what the system says, as a block of its own: a cached one before it stays as it is."""
        return [*messages, {"role": "system", "content": text}]

    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write the turns of the others: the results of one turn's calls are one turn."""
        turns, names, results = list(before), dict[str, str](), False
        for message in messages:
            role = str(message.get("role"))
            if role in SYSTEM_ROLES:
                continue
            if role not in self.roles:
                raise ConfigurationError(
                    f"A message's role must be one of {', '.join((*SYSTEM_ROLES, *self.roles))}, got {role!r}."
                )
            if message.get("content") is None and not message.get("tool_calls"):
                raise ConfigurationError(f"A message must have content or tool_calls, got {message!r}.")
            content, calls = message.get("content"), [call_of(call) for call in message.get("tool_calls") or ()]
            names.update((call.id, call.name) for call in calls)
            before_results, results = results, role in ("tool", "function")
            if results:
                name = message.get("tool_call_id") or ""
                answered = ToolCall(name, message.get("name") or names.get(name, ""), "")
                content = [self.result(answered, content, bool(message.get("is_error")))]
            elif calls or not (self.takes_text and isinstance(content, str)):
                content = [*self.blocks(content), *map(self.use, calls)]
            if turns and turns[-1]["role"] == self.roles[role] and (self.alternates or (results and before_results)):
                content = [*turns.pop()[self.blocks_key], *content]
            turns.append({"role": self.roles[role], self.blocks_key: content})
        return turns

    def blocks(self, content: Any) -> list[Json]:
        """Write a content, without what these wires refuse: blank texts, and fields that are null."""
        parts = ({name: value for name, value in part.items() if value is not None} for part in parts_of(content))
        return [self.encode_part(part) for part in parts if not _is_blank(part)]


def _is_blank(part: Json) -> bool:
    """Return whether a part is a text that says nothing, and nothing else."""
    return part.keys() <= {"type", "text"} and "text" in part and not word(part["text"]).strip()


Kind = Literal["text", "thought", "call", "other"]
"""What a block holds. The provider's own tools, and everything else that is not part of an answer, are "other"."""


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
        """Whether a reply with blocks is complete: what comes then is a repetition."""
        self.ending: Any = None
        """Why the reply ended, if more comes after that."""

    @property
    def begun(self) -> bool:
        """Return whether any block came."""
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
        """Note that a block has ended."""

    def end_all(self) -> None:
        """End what is open still."""
        for index in list(self._open):
            self.end(index)


def _key(index: Any) -> str:
    return str(index) if isinstance(index, (int, str)) and not isinstance(index, bool) else ""
