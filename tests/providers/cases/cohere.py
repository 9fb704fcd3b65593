from typing import Any

from cases import Case


def text(response: Any) -> str:
    """Read the text of a response, or of an event of its stream."""
    if not hasattr(response, "type"):
        return "".join(part.text for part in response.message.content or ())
    return response.delta.message.content.text if response.type == "content-delta" else ""


async def close(client: Any) -> None:
    """Close a sync or async client."""
    if hasattr(client, "__aexit__"):
        await client.__aexit__(None, None, None)
    else:
        client.__exit__(None, None, None)


CASE = Case(
    name="cohere",
    options=lambda server: {"api_key": "none", "base_url": server.root, "max_retries": 0},
    length="MAX_TOKENS",
    text=text,
    counts=("cached_tokens",),
    impossible={"refusal": "it has none of its own: a model that declines does so in words"},
    close=close,
)
