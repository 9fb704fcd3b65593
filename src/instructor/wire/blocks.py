"""The wires whose turns are lists of blocks: texts, images, tool calls and their results side by side."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from instructor.engine.call import Json, Message, ToolCall
from instructor.exceptions import ConfigurationError
from instructor.wire.language import Language
from instructor.wire.messages import SYSTEM_ROLES, call_of, parts_of
from instructor.wire.pieces import word


class Blocks(Language):
    """A dialect of such a wire: `block`, `use` and `result` say how each kind of block is written."""

    roles: ClassVar[Mapping[str, str]] = {"user": "user", "assistant": "assistant", "tool": "user", "function": "user"}
    blocks_key: ClassVar[str] = "content"
    """Where a turn has its blocks."""
    takes_text: ClassVar[bool] = False
    """Whether a text may stand there instead."""
    alternates: ClassVar[bool] = False
    """Whether what one side says in a row must be one turn."""
    wrong: ClassVar[Json] = {"is_error": True}

    @abc.abstractmethod
    def block(self, part: Json) -> Json:
        """Write a part of a message; one of this wire's own stays as it is."""

    @abc.abstractmethod
    def use(self, call: ToolCall) -> Json:
        """Write a tool call."""

    @abc.abstractmethod
    def result(self, call: ToolCall, content: Any, is_error: bool) -> Json:
        """Write a tool's result."""

    def system(self, messages: Sequence[Message], given: Any) -> list[Json]:
        """Give the blocks of the system's text, which stands apart: those that were given as such come first."""
        contents = [given, *(message.get("content") for message in messages if message.get("role") in SYSTEM_ROLES)]
        return [self.block(part) for content in contents for part in parts_of(content) if not _is_blank(part)]

    def told(self, messages: Sequence[Message], text: str) -> Sequence[Message]:
        """Add a text to what the system says, as a block of its own: a cached one before it stays as it is."""
        return [*messages, {"role": "system", "content": text}]

    def turns(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write the turns of the others: the results of one turn's calls are one turn."""
        turns, names, results = list(before), dict[str, str](), False
        for message in messages:
            role = str(message.get("role"))
            if role in SYSTEM_ROLES:
                continue
            if role not in self.roles:
                raise ConfigurationError(f"The role {role!r} is none of {', '.join((*SYSTEM_ROLES, *self.roles))}.")
            if message.get("content") is None and not message.get("tool_calls"):
                raise ConfigurationError(f"The message {message!r} has neither a content nor tool_calls.")
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
        return [self.block(part) for part in parts if not _is_blank(part)]


def _is_blank(part: Json) -> bool:
    """Whether a part is a text that says nothing, and nothing else."""
    return part.keys() <= {"type", "text"} and "text" in part and not word(part["text"]).strip()
