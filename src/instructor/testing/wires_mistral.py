"""How an answer looks on Mistral's wire: OpenAI's, but for names in every piece of a call, and unasked counts."""

from __future__ import annotations

from dataclasses import replace

from instructor.testing.replies import Answer, Asked, Json
from instructor.testing.wires import WIRES, Cut, OpenAIChat, Streamed


class Mistral(OpenAIChat):
    """Mistral's chat completions, on a server whose address ends in `/mistral`."""

    def stream(self, asked: Asked, answer: Answer, cut: Cut) -> Streamed:
        counting = replace(asked, body={**asked.body, "stream_options": {"include_usage": True}})
        streamed = super().stream(counting, answer, cut)
        for channel in streamed.channels:
            for event in channel:
                _name_calls(event)
        closing = [event for event in streamed.closing if isinstance(event, dict)]
        last = {**closing[0], "usage": closing[-1].get("usage")}  # its last chunk ends the reply and counts it
        return Streamed(streamed.channels, [last, "[DONE]"])


def _name_calls(event: object) -> None:
    calls: list[Json] = event["choices"][0]["delta"].get("tool_calls", []) if isinstance(event, dict) else []
    for call in calls:
        call["function"].setdefault("name", "")


WIRES[r"^/mistral/v1/chat/completions$"] = Mistral()
