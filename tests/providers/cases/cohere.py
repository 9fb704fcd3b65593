from cases import Case

CASE = Case(
    name="cohere",
    options=lambda server: {"api_key": "none", "base_url": server.root, "max_retries": 0},
    length="MAX_TOKENS",
    counts=("cached_tokens",),
)
