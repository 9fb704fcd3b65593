"""The providers whose endpoints speak OpenAI's chat completions: one row each."""

from __future__ import annotations

import os
from typing import Any

from instructor.core.types import Call, Json
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.openai.chat import NOT_STRICT, OLDER, OpenAIChat


def openai_compatible(name: str, *, key: str, base_url: str = "", **facts: Any) -> Provider:
    """Make the row of a provider whose endpoint speaks the chat-completions wire, by the SDK that is made for it."""
    return Provider(
        name=name,
        sdk="openai",
        extra="openai",
        clients=("OpenAI",),
        async_clients=("AsyncOpenAI",),
        key=key,
        needs_key=True,
        **{
            "wire": Wire(OpenAIChat(name)),
            "options": {"base_url": base_url},
            "modes": OpenAIChat.modes,
            "legacy": OLDER,
            **facts,
        },
    )


class _WriterChat(OpenAIChat):
    """A choice of tools stands under `value`."""

    def choice(self, body: Json, call: Call) -> Any:
        return {"value": super().choice(body, call)}


WRITER = Provider(
    name="writer",
    sdk="writerai",
    clients=("Writer",),
    async_clients=("AsyncWriter",),
    wire=Wire.at(_WriterChat("writer"), "chat.chat"),
    modes=(Mode.TOOLS, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS),
    legacy={Mode.WRITER_TOOLS: Mode.TOOLS, Mode.WRITER_JSON: Mode.MD_JSON},
    key="WRITER_API_KEY",
)

_DATABRICKS_HOSTS = ("DATABRICKS_BASE_URL", "DATABRICKS_HOST", "DATABRICKS_WORKSPACE_URL")


def _databricks_options() -> dict[str, str]:
    """Find a workspace's address and key."""
    place = next(filter(None, map(os.environ.get, _DATABRICKS_HOSTS)), "").rstrip("/")
    found = (
        {"base_url": place if place.endswith("/serving-endpoints") else f"{place}/serving-endpoints"} if place else {}
    )
    key = os.environ.get("DATABRICKS_API_KEY")
    return {**found, "api_key": key} if key and "DATABRICKS_TOKEN" not in os.environ else found


_DATABRICKS_REQUIRED = {"base_url": f"set {_DATABRICKS_HOSTS[1]} or give base_url="}
DATABRICKS = openai_compatible(
    "databricks", key="DATABRICKS_TOKEN", options=_databricks_options, required=_DATABRICKS_REQUIRED, **NOT_STRICT
)

_OLLAMA_WITH_TOOLS = (
    *("llama3.1", "llama3.2", "llama3.3", "llama4", "mistral-nemo", "firefunction-v2", "command-a", "command-r"),
    *("qwen2.5", "qwen3", "devstral", "gpt-oss"),
)


def _ollama_mode(model: str) -> Mode:
    return Mode.TOOLS if any(name in model.lower() for name in _OLLAMA_WITH_TOOLS) else Mode.JSON


def _ollama_options() -> dict[str, str]:
    return {"base_url": "http://localhost:11434/v1", "api_key": os.environ.get("OLLAMA_API_KEY", "ollama")}


OLLAMA = openai_compatible("ollama", key="OLLAMA_API_KEY", options=_ollama_options, default=_ollama_mode, **NOT_STRICT)

ANYSCALE = openai_compatible(
    "anyscale", key="ANYSCALE_API_KEY", base_url="https://api.endpoints.anyscale.com/v1", **NOT_STRICT
)

CEREBRAS = Provider(
    name="cerebras",
    sdk="cerebras.cloud.sdk",
    clients=("Cerebras",),
    async_clients=("AsyncCerebras",),
    wire=Wire(OpenAIChat("cerebras")),
    modes=OpenAIChat.modes,
    legacy={**OLDER, Mode.CEREBRAS_TOOLS: Mode.TOOLS, Mode.CEREBRAS_JSON: Mode.MD_JSON},
    key="CEREBRAS_API_KEY",
    options={"warm_tcp_connection": False},  # else making a client sends a request
)

DEEPSEEK = openai_compatible("deepseek", key="DEEPSEEK_API_KEY", base_url="https://api.deepseek.com")

FIREWORKS = Provider(
    name="fireworks",
    sdk="fireworks",
    clients=("Fireworks",),
    async_clients=("AsyncFireworks",),
    wire=Wire(OpenAIChat("fireworks", counts_streams=False)),  # its last chunk does so anyway
    modes=OpenAIChat.modes,
    legacy={**OLDER, Mode.FIREWORKS_TOOLS: Mode.TOOLS, Mode.FIREWORKS_JSON: Mode.MD_JSON},
    key="FIREWORKS_API_KEY",
)

GROQ = Provider(
    name="groq",
    sdk="groq",
    clients=("Groq",),
    async_clients=("AsyncGroq",),
    wire=Wire(OpenAIChat("groq", counts_streams=False)),
    **NOT_STRICT,
    key="GROQ_API_KEY",
)

OPENROUTER = openai_compatible(
    "openrouter",
    key="OPENROUTER_API_KEY",
    base_url="https://openrouter.ai/api/v1",
    legacy={**OLDER, Mode.OPENROUTER_STRUCTURED_OUTPUTS: Mode.JSON_SCHEMA},
)

PERPLEXITY = openai_compatible(
    "perplexity",
    key="PERPLEXITY_API_KEY",
    base_url="https://api.perplexity.ai",
    wire=Wire(OpenAIChat("perplexity", schema_keys=("schema",))),
    modes=(Mode.JSON_SCHEMA, Mode.MD_JSON),  # no tools
    legacy={Mode.PERPLEXITY_JSON: Mode.JSON_SCHEMA},  # what it always was on the wire
)

TOGETHER = Provider(
    name="together",
    sdk="together",
    clients=("Together", "openai:OpenAI"),
    async_clients=("AsyncTogether", "openai:AsyncOpenAI"),
    wire=Wire(OpenAIChat("together", counts_streams=False)),  # its last chunk does so anyway
    **NOT_STRICT,
    key="TOGETHER_API_KEY",
)
