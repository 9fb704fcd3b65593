from cases import Case


def _text(response: object) -> str:
    blocks = getattr(response, "content", None) or [getattr(response, "delta", None)]
    return "".join(getattr(block, "text", None) or "" for block in blocks)


CASE = Case(
    name="anthropic",
    options=lambda server: {"base_url": server.root, "api_key": "none", "max_retries": 0},
    length="max_tokens",
    text=_text,
    counts=("cached_tokens", "reasoning_tokens"),
)
