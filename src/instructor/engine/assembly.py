"""A streamed reply, put together."""

from __future__ import annotations

import json
from collections.abc import Sequence

from instructor.engine.call import TEXT, Delta, Finish, Json, Reply, Request, ToolCall
from instructor.usage import Usage

_CHARACTERS_A_TOKEN = 4
"""A rule of thumb for English text, for providers that do not count."""


class Assembly:
    """Gathers the deltas of one stream."""

    def __init__(self) -> None:
        self._parts: dict[int, list[str]] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._refusal: list[str] = []
        self.head: Json = {}
        self.finish: Finish | None = None
        self.usage: Usage | None = None

    def add(self, deltas: Sequence[Delta]) -> None:
        for channel, text, call_id, name, finish, refusal, usage in deltas:
            if text:
                parts = self._parts.get(channel)
                if parts is None:
                    parts = self._parts[channel] = []
                parts.append(text)
            if call_id or name:
                was = self._names.get(channel, ("", ""))
                self._names[channel] = (call_id or was[0], name or was[1])
            if finish:
                self.finish = finish
            if refusal:
                self._refusal.append(refusal)
            if usage:
                self.usage = usage if self.usage is None else self.usage.merged(usage)

    def reply(self) -> Reply:
        """Give the reply as if it had come whole."""
        channels = sorted({c for c in (*self._parts, *self._names) if c != TEXT})
        calls = [ToolCall(*self._names.get(c, ("", "")), "".join(self._parts.get(c, ()))) for c in channels]
        text = "".join(self._parts.get(TEXT, ()))
        return Reply(text, calls, self.finish, "".join(self._refusal) or None, self.usage)


def estimated(request: Request, reply: Reply) -> Usage:
    """Guess the tokens of a request whose provider did not count them."""
    asked = len(json.dumps(request.body, default=str))
    answered = len(reply.text) + sum(len(call.arguments) for call in reply.calls)
    return Usage(asked // _CHARACTERS_A_TOKEN, answered // _CHARACTERS_A_TOKEN, exact=False)
