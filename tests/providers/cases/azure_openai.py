from cases import Case
from cases.openai import text

CASE = Case(
    text=text,
    name="azure_openai",
    options=lambda server: {"azure_endpoint": server.root, "api_key": "none", "max_retries": 0},
    counts=("cached_tokens", "reasoning_tokens"),
)
