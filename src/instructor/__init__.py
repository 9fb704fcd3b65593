"""Typed, validated objects from what a language model writes, while it writes them.

`import instructor` loads nothing but this file and the old paths' table: each public name comes from its module when it
is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from instructor import _aliases
from instructor._version import __version__ as __version__

_NAMES = {
    "AsyncInstructor": "instructor.client",
    "AsyncStream": "instructor.streams",
    "CitationMixin": "instructor.output.citation",
    "HookName": "instructor.hooks",
    "Hooks": "instructor.hooks",
    "Instructor": "instructor.client",
    "IterableModel": "instructor.output.many",
    "ListResponse": "instructor.output.lists",
    "Maybe": "instructor.output.maybe",
    "Mode": "instructor.mode",
    "OpenAISchema": "instructor.tool_schemas",
    "Partial": "instructor.output.partial",
    "Provider": "instructor.provider_names",
    "Report": "instructor.report",
    "ResponseSchema": "instructor.tool_schemas",
    "Stream": "instructor.streams",
    "Usage": "instructor.usage",
    "Watchdog": "instructor.engine.watchdog",
    "apatch": "instructor.patching",
    "from_openai": "instructor.from_sdk",
    "from_provider": "instructor.auto",
    "generate_anthropic_schema": "instructor.tool_schemas",
    "generate_gemini_schema": "instructor.tool_schemas",
    "generate_openai_schema": "instructor.tool_schemas",
    "openai_schema": "instructor.tool_schemas",
    "patch": "instructor.patching",
    "response_schema": "instructor.tool_schemas",
}

__all__ = list(_NAMES)  # pyright: ignore[reportUnsupportedDunderAll]  # checkers read the imports below

if TYPE_CHECKING:  # the same names again, for editors; a test compares the two
    from instructor import exceptions as exceptions
    from instructor import hooks as hooks
    from instructor.auto import from_provider as from_provider
    from instructor.client import AsyncInstructor as AsyncInstructor
    from instructor.client import Instructor as Instructor
    from instructor.engine.watchdog import Watchdog as Watchdog
    from instructor.from_sdk import FromClient
    from instructor.from_sdk import from_openai as from_openai
    from instructor.hooks import HookName as HookName
    from instructor.hooks import Hooks as Hooks
    from instructor.mode import Mode as Mode
    from instructor.output.citation import CitationMixin as CitationMixin
    from instructor.output.lists import ListResponse as ListResponse
    from instructor.output.many import IterableModel as IterableModel
    from instructor.output.maybe import Maybe as Maybe
    from instructor.output.partial import Partial as Partial
    from instructor.patching import apatch as apatch
    from instructor.patching import patch as patch
    from instructor.provider_names import Provider as Provider
    from instructor.report import Report as Report
    from instructor.streams import AsyncStream as AsyncStream
    from instructor.streams import Stream as Stream
    from instructor.tool_schemas import OpenAISchema as OpenAISchema
    from instructor.tool_schemas import ResponseSchema as ResponseSchema
    from instructor.tool_schemas import generate_anthropic_schema as generate_anthropic_schema
    from instructor.tool_schemas import generate_gemini_schema as generate_gemini_schema
    from instructor.tool_schemas import generate_openai_schema as generate_openai_schema
    from instructor.tool_schemas import openai_schema as openai_schema
    from instructor.tool_schemas import response_schema as response_schema
    from instructor.usage import Usage as Usage

    from_anthropic: FromClient
    from_anyscale: FromClient
    from_azure_openai: FromClient
    from_bedrock: FromClient
    from_cerebras: FromClient
    from_cohere: FromClient
    from_databricks: FromClient
    from_deepseek: FromClient
    from_fireworks: FromClient
    from_genai: FromClient
    from_google: FromClient
    from_groq: FromClient
    from_litellm: FromClient
    from_local: FromClient
    from_mistral: FromClient
    from_ollama: FromClient
    from_openrouter: FromClient
    from_perplexity: FromClient
    from_together: FromClient
    from_vertexai: FromClient
    from_writer: FromClient
    from_xai: FromClient

_aliases.install()


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        if name in _NAMES:
            value = getattr(import_module(_NAMES[name]), name)
        elif name.startswith("from_"):
            value = import_module("instructor.from_sdk").from_named(name.removeprefix("from_"))
        else:
            value = _aliases.submodule(__name__, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
