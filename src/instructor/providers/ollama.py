import os

from instructor.mode import Mode
from instructor.providers import NOT_STRICT, openai_compatible

_WITH_TOOLS = (
    *("llama3.1", "llama3.2", "llama3.3", "llama4", "mistral-nemo", "firefunction-v2", "command-a", "command-r"),
    *("qwen2.5", "qwen3", "devstral", "gpt-oss"),
)


def _default(model: str) -> Mode:
    return Mode.TOOLS if any(name in model.lower() for name in _WITH_TOOLS) else Mode.JSON


def _options() -> dict[str, str]:
    return {"base_url": "http://localhost:11434/v1", "api_key": os.environ.get("OLLAMA_API_KEY", "ollama")}


PROVIDER = openai_compatible("ollama", key="OLLAMA_API_KEY", options=_options, default=_default, **NOT_STRICT)
