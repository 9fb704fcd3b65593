from cases import Case

CASE = Case(
    name="writer",
    options=lambda server: {"base_url": server.root, "api_key": "none", "max_retries": 0},
    counts=("cached_tokens", "reasoning_tokens"),
)
