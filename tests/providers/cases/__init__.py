"""What the contract tests must know of a provider, one small file each.

A file `cases/<provider>.py` holds `CASE`; the folder is the list of those that are tested. The client is made by
`from_provider`, from the arguments that `options` gives.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from instructor import Mode, providers
from instructor.providers.base import Provider
from instructor.testing import Scripted

FEATURES: Mapping[str, str] = {
    "create": "a typed value",
    "reask": "re-asked when wrong",
    "stream": "items as they close",
    "gradual": "the first before the last is sent",
    "repair": "only wrong items re-asked",
    "continuation": "a cut list goes on",
    "snapshots": "a growing value",
    "parallel": "parallel tools",
    "raw": "the SDK's own response",
    "refusal": "a refusal is told",
    "errors": "the SDK's errors",
    "leaving": "leaving closes the connection",
    "usage": "tokens, streamed or not",
}
"""What is promised of every provider. `docs/providers.md` has a column for each."""


def chat_text(response: Any) -> str:
    """Read the text of a chat completion, or of a chunk of one."""
    choice = response.choices[0] if response.choices else None
    if choice is None:
        return ""
    said = choice.message if hasattr(choice, "message") and choice.message is not None else choice.delta
    return said.content or ""


@dataclass(frozen=True)
class Case:
    """One provider: its client on loopback, and what its wire cannot do."""

    name: str
    options: Callable[[Any], dict[str, Any]]
    """The client's arguments that point it at a server, without retries of its own."""
    model: str = "scripted"
    server: Callable[..., Any] = Scripted
    """What serves the script: the loopback server, or something with the same `requests`, `served`, `add`."""
    length: str = "length"
    """The wire's word for an answer that was cut at the length limit."""
    text: Callable[[Any], str] = chat_text
    """Reads the text of the SDK's own response, and of a chunk of its stream."""
    objects: bool = True
    """Whether the SDK gives objects; plain dicts otherwise."""
    counts: tuple[str, ...] = ()
    """Which of `cached_tokens` and `reasoning_tokens` the wire tells."""
    status: Callable[[Any], int] = field(default=lambda error: int(error.status_code))
    """Reads the HTTP status of the SDK's own error."""
    twin: str = ""
    """Another case whose SDK, transport and dialect are the same: that one is tried in all modes, this one in all by
    `create` only."""
    impossible: Mapping[str, str] = field(default_factory=dict)
    """What the wire cannot do, and why: by feature, or by "feature MODE"."""
    close: Callable[[Any], Any] | None = None
    """Closes the SDK's client, where neither `close` nor `aclose` does."""

    @property
    def row(self) -> Provider:
        return providers.load(self.name)

    def can(self, feature: str, mode: Mode) -> bool:
        return feature not in self.impossible and f"{feature} {mode.name}" not in self.impossible


def cases() -> list[Case]:
    """Load all cases of the folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}").CASE for name in names]
