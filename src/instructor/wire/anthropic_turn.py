"""The blocks of one reply on Anthropic's wire, and the turn that they are: a paused reply is sent back as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine.call import TEXT, Delta, Json
from instructor.wire.messages import as_text
from instructor.wire.pieces import mapping, word
from instructor.wire.streamed_blocks import Block, Kind, StreamedBlocks

_KINDS: Mapping[str, Kind] = {
    "text": "text",
    "tool_use": "call",
    "thinking": "thought",
    "redacted_thinking": "thought",
}
_DELTAS: Mapping[str, tuple[str, Kind]] = {
    "input_json_delta": ("partial_json", "call"),
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thought"),
    "signature_delta": ("signature", "thought"),
    "citations_delta": ("citation", "text"),
    "compaction_delta": ("content", "other"),
}
"""What each kind of delta is a piece of: the field that holds it, and the block that it belongs to."""
_FIELDS = {"citation": "citations"}
"""What the field of a block is called, where the delta's is called otherwise."""
_CONTAINER = "container"


class Turn(StreamedBlocks):
    """Reads the blocks of one reply, and says of each that ends how it is sent back."""

    def __init__(self) -> None:
        super().__init__()
        self.message: Json = {}
        """The message as it began, which is empty but where a server tells all of it at once."""

    def blocks(self, content: Any) -> None:
        """Read blocks that came whole."""
        for at, block in enumerate(content):
            self.block(at, block)
            self.end(at)

    def end_all(self) -> None:
        """End what is open still; where no block came, those that the message began with are all."""
        content = self.message.get("content")
        if not self.begun and isinstance(content, list):
            self.blocks(content)
        super().end_all()

    def block(self, index: Any, told: Any) -> None:
        """Begin a block, which is empty where a stream is to fill it."""
        raw = mapping(told)
        kind = _KINDS.get(word(raw.get("type")), "other")
        if kind == "call":
            whole = raw.get("input")
            self.begin_call(index, raw, "id", as_text(whole) if whole else "")
            return
        self.begin(index, kind, raw)
        if kind == "text" and raw.get("text"):
            self.text(index, raw["text"])

    def piece(self, index: Any, told: Any) -> None:
        """Read a delta; one that does not say its type is known by what it holds."""
        delta = mapping(told)
        type_ = delta.get("type")
        if isinstance(type_, str):
            field, kind = _DELTAS.get(type_, ("", "other"))
        else:
            field, kind = next((each for each in _DELTAS.values() if each[0] in delta), ("", "other"))
        value = delta.get(field)
        if field == "text":
            self.text(index, value)
        elif field == "partial_json":
            self.arguments(index, value)
        elif value is not None:
            self.at(index, kind).pieces.setdefault(field, []).append(value)

    def stop(self, index: Any, told: Any) -> None:
        """End a block; some servers say then what it was, and a few no sooner."""
        block = mapping(told)
        text, arguments = word(block.get("text")), block.get("input")
        if text and not self.at(index, "text").came:
            self.text(index, text)
        elif arguments and block.get("type") == "tool_use":
            call = self.at(index, "call")
            call.whole = call.whole or as_text(arguments)
        self.end(index)

    def ended(self, block: Block) -> None:
        """Say how a block is sent back; its own text is in the deltas before."""
        if block.kind != "call" and block.raw.get("type"):
            pieces = {_FIELDS.get(name, name): _joined(name, found) for name, found in block.pieces.items()}
            self._send_back({**block.raw, **{name: value for name, value in pieces.items() if value is not None}})

    def container(self, told: Any) -> None:
        """Take note of where code was run: what goes on there says so."""
        name = mapping(told).get("id")
        if name:
            self._send_back({_CONTAINER: name})

    def _send_back(self, part: Json) -> None:
        kept = {name: value for name, value in part.items() if value is not None}  # null is refused in some
        self._found.append(Delta(TEXT, id=json.dumps(kept, ensure_ascii=False, default=str)))


def sent_back(turn: Sequence[tuple[str, str]]) -> tuple[list[Json], str]:
    """Return the content of the turn that a paused reply is, and the name of the container where code was run."""
    content: list[Json] = []
    container = ""
    for told, text in turn:
        part = json.loads(told)
        if _CONTAINER in part:
            container = part[_CONTAINER]
        elif part["type"] != "text":
            content.append(part)
        elif text.strip():  # a blank block is refused
            content.append({**part, "text": text})
    return content, container


def _joined(name: str, pieces: list[Any]) -> Any:
    """Join the pieces of a block's field; None where they say nothing."""
    if name == "citation":
        return pieces
    text = "".join(map(word, pieces))
    if name != "input":
        return text
    try:
        return json.loads(text)
    except ValueError:  # empty, or cut
        return None
