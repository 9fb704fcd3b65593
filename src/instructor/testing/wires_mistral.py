"""How an answer looks on Mistral's wire: OpenAI's, but for names in every piece of a call, and unasked counts."""

from __future__ import annotations

from instructor.testing.replies import Json
from instructor.testing.wires import WIRES, Counting


class Mistral(Counting):
    """Mistral's chat completions, on a server whose address ends in `/mistral`."""

    def piece(self, arguments: str) -> Json:
        return {"function": {"arguments": arguments, "name": ""}}

    def closing(self, last: Json, usage: Json) -> list[Json]:
        return [{**last, **usage}]


WIRES[r"^/mistral/v1/chat/completions$"] = Mistral()
