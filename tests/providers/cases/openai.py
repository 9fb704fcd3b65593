from typing import Any

from cases import Case, chat_text


def text(response: Any) -> str:
    """Read a text of either of its two wires."""
    if hasattr(response, "choices"):
        return chat_text(response)
    if hasattr(response, "output_text"):
        return str(response.output_text)
    return response.delta if response.type == "response.output_text.delta" else ""


CASE = Case(
    text=text,
    name="openai",
    options=lambda server: {"base_url": server.base_url, "api_key": "none", "max_retries": 0},
    counts=("cached_tokens", "reasoning_tokens"),
)
