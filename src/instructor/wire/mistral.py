"""Mistral's chat completions: OpenAI's wire, but for some names and for how a tool is forced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine.call import TEXT, Call, Delta, Json, Message
from instructor.wire.openai_chat import OpenAIChat

_NAMES = {"seed": "random_seed", "max_completion_tokens": "max_tokens"}
_NO_ID = "null"
"""What the SDK calls a call without an id, which all its deltas after the first are."""


class Mistral(OpenAIChat):
    """The dialect of one provider that speaks this wire."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider, counts_streams=False)  # it counts them unasked

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        named = {_NAMES.get(name, name): value for name, value in options.items()}
        turns = [{**turn, "role": "system"} if turn.get("role") == "developer" else turn for turn in messages]
        return super().plain(turns, named)

    def choice(self, body: Json, call: Call) -> str:
        """Force any tool."""
        del body, call
        return "any"

    def delta(self, event: Json) -> Sequence[Delta]:
        deltas = list(super().delta(event))
        calls = [at for at, delta in enumerate(deltas) if delta.channel != TEXT]
        if len(calls) > 1 and not any(deltas[at].channel for at in calls):  # calls that came whole, without an index
            for place, at in enumerate(calls):
                deltas[at] = deltas[at]._replace(channel=place)
        return [delta._replace(id=None) if delta.id == _NO_ID else delta for delta in deltas]
