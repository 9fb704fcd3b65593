"""Modes: by which channel the answer comes, and whether the schema goes into the prompt.

The names that older versions gave to modes are members too: clients take them with a warning, and have the new one.
"""

from __future__ import annotations

import enum


class Mode(enum.Enum):
    """How a typed answer is asked for."""

    TOOLS = "tool_call"
    TOOLS_STRICT = "tools_strict"
    JSON = "json_mode"
    JSON_SCHEMA = "json_schema_mode"
    MD_JSON = "markdown_json_mode"
    PARALLEL_TOOLS = "parallel_tool_call"

    # Names that older versions had. Each provider's row says which of them it takes, and what they mean.
    FUNCTIONS = "function_call"
    JSON_O1 = "json_o1"

    @property
    def by_tool(self) -> bool:
        """Whether the answer comes as the arguments of tool calls; otherwise it comes as text."""
        return self in (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.PARALLEL_TOOLS)

    @property
    def in_prompt(self) -> bool:
        """Whether the schema is told in the prompt; otherwise the request carries it in a field of its own."""
        return self in (Mode.JSON, Mode.MD_JSON)
