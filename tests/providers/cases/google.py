from typing import Any

from cases import Case

WHOLE = "a function call comes whole, in one event"
IMPOSSIBLE = {
    "gradual TOOLS": WHOLE,
    "continuation TOOLS": "a function call that is cut does not come at all",
}


def text(response: Any) -> str:
    """Read the text of a response, or of a chunk."""
    content = response.candidates[0].content
    return "".join(part.text or "" for part in content.parts or ()) if content else ""


async def close(client: Any) -> None:
    """Close the sync and the async client."""
    client.close()
    await client.aio.aclose()


CASE = Case(
    name="google",
    options=lambda server: {"api_key": "none", "http_options": {"base_url": server.root}},
    length="MAX_TOKENS",
    text=text,
    counts=("cached_tokens", "reasoning_tokens"),
    status=lambda error: int(error.code),
    impossible=IMPOSSIBLE,
    close=close,
)
