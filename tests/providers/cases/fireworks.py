from cases import Case

CASE = Case(
    name="fireworks",
    options=lambda server: {"base_url": f"{server.root}/inference", "api_key": "none", "max_retries": 0},
    counts=("cached_tokens", "reasoning_tokens"),
)
