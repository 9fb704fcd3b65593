"""The providers: one file each, and the folder is the registry.

A provider's file holds a frozen row of facts, `PROVIDER`. From it follow `from_provider("name/model")`,
`from_name(client)`, the message for a missing SDK and the check of modes and clients.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from instructor.engine.ports import AsyncTransport, Dialect, Transport
from instructor.exceptions import ConfigurationError, ModeError
from instructor.mode import Mode


@dataclass(frozen=True, slots=True)
class Provider:
    """What there is to know of a provider."""

    name: str
    sdk: str
    """The module of its SDK."""
    clients: tuple[str, ...]
    """Its blocking classes; the first is the one that `from_provider` makes."""
    async_clients: tuple[str, ...]
    dialect: Dialect
    transport: Callable[[Any], Transport]
    async_transport: Callable[[Any], AsyncTransport]
    modes: tuple[Mode, ...]
    """The first is the default."""
    key: str | None = None
    """The environment variable that holds its key."""
    extra: str = ""
    """The extra of this package that installs its SDK; its name where empty."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fixed arguments of its client."""
    model: str | None = None
    """The model that `from_provider(name)` means, for a provider that may be named alone."""

    def load_sdk(self) -> Any:
        """Import the SDK; a ConfigurationError says how to install it."""
        try:
            return importlib.import_module(self.sdk)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f'{self.name!r} needs the module {error.name!r}: pip install "instructor[{self.extra or self.name}]"'
            ) from error

    def mode_for(self, mode: Any) -> Mode:
        """Check a mode, None standing for the default."""
        if mode is None:
            return self.modes[0]
        if mode not in self.modes:
            raise ModeError(
                mode.name if isinstance(mode, Mode) else repr(mode), self.name, [m.name for m in self.modes]
            )
        checked: Mode = mode
        return checked


def names() -> list[str]:
    """List all providers."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Provider:
    """Give a provider's row."""
    if name not in names():
        raise ConfigurationError(f"Unknown provider {name!r}; there are {', '.join(names())}.")
    provider: Provider = importlib.import_module(f"{__name__}.{name}").PROVIDER
    return provider
