from cases import Case

CASE = Case(
    name="azure_openai",
    options=lambda server: {"azure_endpoint": server.root, "api_key": "none", "max_retries": 0},
    counts=("cached_tokens", "reasoning_tokens"),
)
