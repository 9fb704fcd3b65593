"""A streamed reply, put together."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable

from instructor.engine.call import TEXT, Delta, Finish, Json, Reply, Request, ToolCall
from instructor.engine.ids import identified
from instructor.usage import Counted, Usage

_CHARACTERS_A_TOKEN = 4
"""A rule of thumb for English text, for providers that do not count."""

KEPT = 1 << 20
"""Characters of a list's text that are kept for `completion`: a list may be endless, and its items were handed out."""


class Assembly:
    """Gathers the deltas of one stream; of its text no more than `most` characters.

    A finish counts if nothing of the answer follows it: some servers stamp it on their first, empty chunk. `by_tool`
    says where the answer comes; None: anywhere.
    """

    def __init__(self, most: int = sys.maxsize, *, by_tool: bool | None = None) -> None:
        self._room, self._by_tool = most, by_tool
        self._parts: dict[int, io.StringIO] = {}
        self._lost: dict[int, int] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._refusal: list[str] = []
        self._turn: list[tuple[str, int]] = []  # parts of the turn, and how much text had come by then
        self.characters = 0
        self.added = 0
        """How often something was added."""
        self.head: Json = {}
        self.finish: Finish | None = None
        self.reason = ""
        self.usage: Counted | None = None

    def add(self, deltas: Iterable[Delta]) -> None:
        self.added += 1
        for channel, text, call_id, name, finish, refusal, usage, reason in deltas:
            if self.finish and not finish and (text or name):
                self._go_on(channel, text)
            if text:
                self.characters += len(text)
                parts = self._parts.get(channel)
                if parts is None or len(text) > self._room:
                    self._keep(channel, text)
                else:
                    self._room -= len(text)
                    parts.write(text)
            if call_id and channel == TEXT:
                self._turn.append((call_id, self._parts[TEXT].tell() if TEXT in self._parts else 0))
            elif call_id or name:
                was = self._names.get(channel, ("", ""))
                self._names[channel] = (call_id or was[0], name or was[1])
            if finish:
                self.finish = finish
            if reason:
                self.reason = reason
            if refusal is not None:
                self._refusal.append(refusal)
            if usage:
                self.usage = usage if self.usage is None else self.usage.merged(usage)

    def reply(self) -> Reply:
        """Give the reply as if it had come whole; where text was not kept, it says so."""
        channels = sorted({c for c in (*self._parts, *self._names) if c != TEXT})
        named = [(*self._names.get(channel, ("", "")), self._text(channel)) for channel in channels]
        calls = identified([ToolCall(call_id, name, text) for call_id, name, text in named])
        text, refusal = self._text(TEXT), None
        if self._refusal:
            refusal = "".join(self._refusal) or text or self.reason or "no words given"
        turn = self._paused_turn(text) if self.finish == "pause" else ()
        return Reply(text, calls, self.finish, refusal, self.usage, self.reason, turn=turn)

    def _paused_turn(self, text: str) -> list[tuple[str, str]]:
        """Return each part of the turn with its text; nothing where not all text was kept."""
        if TEXT in self._lost:
            return []
        begins = [0, *(end for _, end in self._turn)]
        return [(part, text[begin:end]) for begin, (part, end) in zip(begins, self._turn, strict=False)]

    def _go_on(self, channel: int, text: str) -> None:
        """Forget the finish if this is a part of the answer: a text, or a call that begins."""
        begun = not text and channel not in self._names
        if (begun or text.strip()) and (self._by_tool is None or (channel >= 0) is self._by_tool):
            self.finish, self.reason = None, ""

    def _keep(self, channel: int, text: str) -> None:
        if len(text) > self._room:
            self._lost[channel] = self._lost.get(channel, 0) + len(text) - self._room
            text = text[: self._room]
        self._room -= len(text)
        parts = self._parts.get(channel)
        if parts is None:
            parts = self._parts[channel] = io.StringIO(newline="")
        parts.write(text)

    def _text(self, channel: int) -> str:
        kept = self._parts[channel].getvalue() if channel in self._parts else ""
        lost = self._lost.get(channel)
        return f"{kept}… ({lost} more characters were not kept)" if lost else kept


def spent(request: Request, characters: int, said: Counted | None) -> Usage:
    """Return the tokens of a request that was answered with so much text; what its provider did not say is a guess."""
    return _estimated(request, characters) if said is None else said.usage(lambda: _estimated(request, characters))


def _estimated(request: Request, characters: int) -> Usage:
    asked = len(json.dumps(request.body, default=str))
    return Usage(asked // _CHARACTERS_A_TOKEN, characters // _CHARACTERS_A_TOKEN, exact=False)
