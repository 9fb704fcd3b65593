"""The registry: every provider by its name, those of this library and those that others add.

A provider is a frozen row of facts (`base.Provider`). From it follow `from_provider("name/model")`,
`from_name(client)`, the message for a missing SDK, and the checks of modes and clients. A row's module is imported when
it is first needed.

Another package adds its providers by an entry point, or a program by `register`:

    [project.entry-points."instructor.providers"]
    example = "example_package:PROVIDER"
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from instructor._compat import did_you_mean
from instructor.exceptions import ConfigurationError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from typing import Any

    from instructor.mode import Mode
    from instructor.providers.base import Provider

ENTRY_POINTS = "instructor.providers"
"""The group of entry points by which other packages add providers."""

_HERE = {
    "anthropic": "anthropic:PROVIDER",
    "anyscale": "compatible:ANYSCALE",
    "azure_openai": "openai:AZURE",
    "bedrock": "bedrock:PROVIDER",
    "cerebras": "compatible:CEREBRAS",
    "cohere": "cohere:PROVIDER",
    "databricks": "compatible:DATABRICKS",
    "deepseek": "compatible:DEEPSEEK",
    "fireworks": "compatible:FIREWORKS",
    "google": "google:PROVIDER",
    "groq": "compatible:GROQ",
    "litellm": "litellm:PROVIDER",
    "mistral": "mistral:PROVIDER",
    "ollama": "compatible:OLLAMA",
    "openai": "openai:PROVIDER",
    "openrouter": "compatible:OPENROUTER",
    "perplexity": "compatible:PERPLEXITY",
    "together": "compatible:TOGETHER",
    "vertexai": "google:VERTEXAI",
    "writer": "compatible:WRITER",
    "xai": "xai:PROVIDER",
}
"""Where the rows of this room are: the module and the row's name in it."""
_ROWS = {"local": "instructor.local.sdk:PROVIDER", **{name: f"{__name__}.{row}" for name, row in _HERE.items()}}

OTHER_NAMES = {"genai": "google", "generative-ai": "google"}
"""Names that older versions had."""
_RETIRED = {
    "gemini": "google-generativeai, the SDK of 'gemini', is at its end of life. Use google-genai: "
    'instructor.from_provider("google/..."), or instructor.from_genai(google.genai.Client()).'
}
"""Providers whose SDK is no longer maintained, and what to use instead."""
_registered: dict[str, Provider] = {}


def register(provider: Provider) -> None:
    """Add a provider to those that `from_provider` and `from_<name>` know, in this process.

    Raises:
        ConfigurationError: another provider has this name.

    Example:
        >>> register(openai_compatible("example", key="EXAMPLE_API_KEY", base_url="https://api.example.com/v1"))
        >>> client = instructor.from_provider("example/model-1")
    """
    if provider.name in _ROWS or provider.name in OTHER_NAMES or _registered.get(provider.name, provider) != provider:
        raise ConfigurationError(f"A provider named {provider.name!r} exists already. Use another name.")
    _registered[provider.name] = provider


def names() -> list[str]:
    """Return the names of all providers, sorted."""
    return sorted({*_ROWS, *_registered, *_entry_points()})


def built_in() -> list[str]:
    """Return the names of the providers that are part of this library, sorted."""
    return sorted(_ROWS)


def is_known(name: str) -> bool:
    """Return whether there is, or was, a provider of this name."""
    known = name in _ROWS or name in _registered or name in OTHER_NAMES or name in _RETIRED
    return known or name in _entry_points()


def load(name: str) -> Provider:
    """Return a provider's row.

    Raises:
        ConfigurationError: there is no such provider; the error lists those that there are.
    """
    if name in _RETIRED:
        raise ConfigurationError(_RETIRED[name])
    name = OTHER_NAMES.get(name, name)
    if name in _registered:
        return _registered[name]
    if name in _ROWS:
        module, _, attribute = _ROWS[name].partition(":")
        row: Provider = getattr(importlib.import_module(module), attribute)
        return row
    if name in (others := _entry_points()):
        return _loaded(name, others[name])
    hint = did_you_mean(name, [*names(), *OTHER_NAMES])
    raise ConfigurationError(f"Unknown provider {name!r}.{hint} It must be one of {', '.join(names())}.")


def reading(name: str, mode: Any) -> tuple[Provider, Mode]:
    """Return the provider's row and the mode by which a response is read.

    An older mode that names another provider (`Mode.ANTHROPIC_JSON`) means that provider.
    """
    row = load(name)
    known = (*row.modes, *row.same, *row.legacy)
    if mode is not None and mode not in known:
        others = (load(other) for other in _HERE)
        row = next((other for other in others if mode in other.legacy), row)
    return row, row.mode_for(mode)


def _entry_points() -> dict[str, EntryPoint]:
    """Return other packages' entry points by their names. It is slow, so names of our own are looked up first."""
    from importlib.metadata import entry_points

    return {each.name: each for each in entry_points(group=ENTRY_POINTS)}


def _loaded(name: str, entry_point: EntryPoint) -> Provider:
    from instructor.providers.base import Provider

    row = entry_point.load()
    if not isinstance(row, Provider):
        raise ConfigurationError(
            f"The entry point {name!r} ({entry_point.value}) must be an instructor.providers.base.Provider, "
            f"got {row!r}."
        )
    return row
