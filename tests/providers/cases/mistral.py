from typing import Any

from cases import Case


def text(response: Any) -> str:
    """Read the text of a response, or of an event of its stream."""
    choice = getattr(response, "data", response).choices[0]
    content = (choice.delta if hasattr(choice, "delta") else choice.message).content
    return content or ""


async def close(client: Any) -> None:
    """Close the sync and the async client."""
    client.__exit__(None, None, None)
    await client.__aexit__(None, None, None)


CASE = Case(
    name="mistral",
    options=lambda server: {"api_key": "none", "server_url": f"{server.root}/mistral"},
    text=text,
    impossible={"refusal": "it has none of its own: a model that declines does so in words"},
    close=close,
)
