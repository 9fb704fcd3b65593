"""Modes: how an answer is requested, and where the schema is in the request.

The older names of modes are members, too. A client accepts them with a warning, and uses the new mode.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from instructor import _compat


class _Members(enum.EnumMeta):
    """Says which member was meant by a name that is none."""

    if not TYPE_CHECKING:  # a checker would take every name for a member

        def __getattr__(cls, name: str) -> Any:
            members = cls.__members__ if not name.startswith("_") else {}
            if name in members:  # Python 3.10 asks here
                return members[name]
            raise AttributeError(f"Mode has no member {name!r}.{_compat.did_you_mean(name, members)}")


class Mode(enum.Enum, metaclass=_Members):
    """How a typed answer is requested."""

    TOOLS = "tool_call"
    TOOLS_STRICT = "tools_strict"
    JSON = "json_mode"
    JSON_SCHEMA = "json_schema_mode"
    MD_JSON = "markdown_json_mode"
    PARALLEL_TOOLS = "parallel_tool_call"
    RESPONSES_TOOLS = "responses_tools"

    # Names that older versions had. Each provider's row says which of them it takes, and what they mean.
    FUNCTIONS = "function_call"
    JSON_O1 = "json_o1"
    RESPONSES_TOOLS_WITH_INBUILT_TOOLS = "responses_tools_with_inbuilt_tools"
    ANTHROPIC_TOOLS = "anthropic_tools"
    ANTHROPIC_REASONING_TOOLS = "anthropic_reasoning_tools"
    ANTHROPIC_JSON = "anthropic_json"
    ANTHROPIC_PARALLEL_TOOLS = "anthropic_parallel_tools"
    BEDROCK_TOOLS = "bedrock_tools"
    BEDROCK_JSON = "bedrock_json"
    CEREBRAS_TOOLS = "cerebras_tools"
    CEREBRAS_JSON = "cerebras_json"
    COHERE_TOOLS = "cohere_tools"
    COHERE_JSON_SCHEMA = "json_object"
    FIREWORKS_TOOLS = "fireworks_tools"
    FIREWORKS_JSON = "fireworks_json"
    GEMINI_TOOLS = "gemini_tools"
    GEMINI_JSON = "gemini_json"
    GENAI_TOOLS = "genai_tools"
    GENAI_JSON = "genai_json"
    GENAI_STRUCTURED_OUTPUTS = "genai_structured_outputs"
    MISTRAL_TOOLS = "mistral_tools"
    MISTRAL_STRUCTURED_OUTPUTS = "mistral_structured_outputs"
    OPENROUTER_STRUCTURED_OUTPUTS = "openrouter_structured_outputs"
    PERPLEXITY_JSON = "perplexity_json"
    VERTEXAI_TOOLS = "vertexai_tools"
    VERTEXAI_JSON = "vertexai_json"
    VERTEXAI_PARALLEL_TOOLS = "vertexai_parallel_tools"
    WRITER_TOOLS = "writer_tools"
    WRITER_JSON = "writer_json"
    XAI_TOOLS = "xai_tools"
    XAI_JSON = "xai_json"

    @property
    def by_tool(self) -> bool:
        """Return whether the answer comes as arguments of tool calls. Otherwise it comes as text."""
        return self in (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.PARALLEL_TOOLS, Mode.RESPONSES_TOOLS)

    @classmethod
    def tool_modes(cls) -> set[Mode]:
        """Return the modes whose answers come as tool calls, with older names."""
        return {mode for mode in cls if mode.by_tool or "TOOLS" in mode.name or mode is cls.FUNCTIONS}

    @classmethod
    def json_modes(cls) -> set[Mode]:
        """Return the modes whose answers come as text."""
        return set(cls) - cls.tool_modes()

    @classmethod
    def parallel_modes(cls) -> set[Mode]:
        """Return the modes whose answers are several tool calls at once."""
        return {mode for mode in cls if "PARALLEL" in mode.name}


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        return _compat.older(__name__, name)
