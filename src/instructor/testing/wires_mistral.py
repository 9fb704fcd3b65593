"""How an answer looks on Mistral's wire: OpenAI's, but each piece of a call has a name, and usage always comes."""

from __future__ import annotations

from instructor.testing import rules
from instructor.testing.replies import Asked, Json
from instructor.testing.wires import WIRES, AlwaysCounts

_IDS = rules.tool_ids("[a-zA-Z0-9]{9}", "a tool call's id must be a-z, A-Z, 0-9, with a length of 9")
_ORDER = rules.order({"tool": ("assistant", "tool"), "system": ("system", "user", "assistant")})


class Mistral(AlwaysCounts):
    """Mistral's chat completions, on a server whose address ends in `/mistral`."""

    call_id = "c{:05x}{:03x}"
    """Nine letters and digits: it does not accept others."""

    def refuses(self, asked: Asked) -> str:
        """Return what is wrong with the messages: ids are of one kind, and roles have an order."""
        messages = asked.body.get("messages")
        wrong = super().refuses(asked) or rules.refused(messages, _IDS, _ORDER, rules.not_blank, rules.not_both)
        if wrong or not messages:
            return wrong
        last = messages[-1]
        if last.get("role") in ("user", "tool") or last.get("prefix"):
            return ""
        return f"the last role must be user or tool, or assistant with a prefix, got {last.get('role')!r}"

    def piece(self, arguments: str) -> Json:
        return {"function": {"arguments": arguments, "name": ""}}

    def closing(self, last: Json, usage: Json) -> list[Json]:
        return [{**last, **usage}]


WIRES[r"^/mistral/v1/chat/completions$"] = Mistral()
