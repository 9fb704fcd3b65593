"""What all calls of a client share: the SDK's client, how it is called, the wire format, the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instructor.core.types import Dialect
    from instructor.hooks import Hooks
    from instructor.mode import Mode


@dataclass(frozen=True)
class Binding:
    """One of our clients, as a value. `call.CallBuilder` makes the calls of it."""

    client: Any
    """The SDK's client; None if a function is called instead."""
    provider: str
    mode: Mode
    dialect: Dialect
    transport: Any
    is_async: bool
    defaults: Mapping[str, Any] = field(repr=False)  # a header may hold a key
    """Arguments of every call that does not have its own."""
    hooks: Hooks
    make: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    """Makes the same client of ours in another process; None if that needs what only this process has."""
