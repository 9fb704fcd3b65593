from cases import Case

CASE = Case(
    name="openrouter",
    options=lambda server: {"base_url": server.base_url, "api_key": "none", "max_retries": 0},
    twin="openai",
    counts=("cached_tokens", "reasoning_tokens"),
)
