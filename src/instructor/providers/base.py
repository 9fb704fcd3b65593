"""The facts about a provider, as one frozen row: its SDK, its clients, its wire and its modes."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from instructor._compat import warn_of_old
from instructor._install import install_command
from instructor.core.types import AsyncTransport, Dialect, Json, Transport
from instructor.exceptions import ClientError, ConfigurationError, ModeError
from instructor.mode import Mode
from instructor.providers.sdk import AsyncStainless, Stainless
from instructor.schema.subsets import Fitted, fit


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire format, and how the SDK is called for it."""

    dialect: Dialect
    transport: Callable[[Any], Transport] = Stainless
    async_transport: Callable[[Any], AsyncTransport] = AsyncStainless

    @classmethod
    def at(cls, dialect: Dialect, path: str) -> Wire:
        """Make the wire that a Stainless-made SDK speaks by another of its methods."""
        return cls(dialect, partial(Stainless, path=path), partial(AsyncStainless, path=path))


@dataclass(frozen=True, slots=True)
class Provider:
    """All facts about a provider."""

    name: str
    sdk: str
    """The module of its SDK."""
    clients: tuple[str, ...]
    """Its sync classes: names in the SDK, or `module:Class`. The first is the one that `from_provider` makes."""
    async_clients: tuple[str, ...]
    """Its async classes. A class in both lists serves both, and `use_async=` says which one is meant."""
    wire: Wire
    modes: tuple[Mode, ...]
    """The first is the default."""
    other_wires: Mapping[Mode, Wire | Callable[[], Wire]] = field(default_factory=dict)
    """The wires of modes that have one of their own, or functions that return them."""
    variants: Mapping[str, Wire] = field(default_factory=dict)
    """Flags that a client may be made with, and the wire that it then speaks in all modes."""
    same: Mapping[Mode, Mode] = field(default_factory=dict)
    """Other current names of this provider's modes."""
    legacy: Mapping[Mode, Mode] = field(default_factory=dict)
    """What older names of this provider's modes mean."""
    default: Callable[[str], Mode] | None = None
    """Returns the default mode of a model, if that depends on the model."""
    key: str | None = None
    """The environment variable that holds its key."""
    needs_key: bool = False
    """Whether a client needs a key: without one, another provider's SDK would send that provider's key."""
    extra: str = ""
    """The extra of this package that installs its SDK; its name where empty."""
    options: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = field(default_factory=dict)
    """Default arguments of its client, or a function that returns them (from the environment)."""
    required: Mapping[str, str] = field(default_factory=dict)
    """Arguments that its client must have, and where they come from."""
    make: Callable[[bool, dict[str, Any]], Any] | None = None
    """Makes its client, async or not, and removes the options that it uses: for SDKs whose class cannot be called."""
    model: str | None = None
    """The model that `from_provider(name)` means, for a provider that may be named alone."""
    client_kinds: Callable[[Any], tuple[bool, ...]] | None = None
    """Returns whether a client is sync (False), async (True) or both, if its class does not tell."""
    check: Callable[[str], object] | None = None
    """Raises a ConfigurationError if a model is not available."""

    def load(self, module: str = "") -> Any:
        """Import the SDK, or a module of it; a ConfigurationError says how to install it."""
        try:
            return importlib.import_module(module or self.sdk)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{self.name!r} needs the module {error.name!r}: {install_command(self.extra or self.name)}"
            ) from error

    def kind(self, name: str) -> Any:
        """Return a class of the SDK by its name, or by `module:Class`."""
        module, _, attribute = name.rpartition(":")
        return getattr(self.load(module), attribute)

    def is_async_client(self, client: Any, use_async: bool | None = None) -> bool:
        """Return whether a client is async. Raise a ClientError for any object that is not a client."""
        fits = self._kinds_of(client)
        if not fits:
            known = dict.fromkeys((*self.clients, *self.async_clients))
            wanted = ", ".join(name.replace(":", ".") if ":" in name else f"{self.sdk}.{name}" for name in known)
            raise ClientError(f"The client of {self.name} must be one of {wanted}, got {client!r}.{_hint(client)}")
        if use_async is None:
            return fits[0]
        if use_async not in fits:
            kind, wanted = ("a sync", "an async") if use_async else ("an async", "a sync")
            raise ClientError(
                f"async_client= (or use_async=) is {use_async}, which needs {wanted} client of {self.name}, "
                f"got {kind} one: {client!r}. Leave the argument out: the client's class decides."
            )
        return use_async

    def takes(self, client: Any) -> bool:
        """Return whether an object is a client of this provider's SDK."""
        return bool(self._kinds_of(client))

    def _kinds_of(self, client: Any) -> tuple[bool, ...]:
        if self.client_kinds is not None:
            return self.client_kinds(client)
        self.load()
        classes = ((self.clients, False), (self.async_clients, True))
        return tuple(is_async for names, is_async in classes if isinstance(client, tuple(self._loaded(names))))

    def _loaded(self, names: Iterable[str]) -> Iterator[type]:
        """Yield the classes whose module is imported: an object of any other cannot be."""
        for name in names:
            module, _, attribute = name.rpartition(":")
            kind = getattr(sys.modules.get(module or self.sdk), attribute, None)  # None: an older SDK may not have it
            if kind is not None:
                yield kind

    def mode_for(self, mode: Any, model: str | None = None) -> Mode:
        """Check a mode, None standing for the default; an older name is taken with a warning."""
        if mode is None:
            return self.default(model) if self.default is not None and model is not None else self.modes[0]
        if mode in self.modes:
            checked: Mode = mode
            return checked
        if mode in self.same:
            return self.same[mode]
        if mode in self.legacy:
            _warn_of(mode, self.legacy[mode])
            return self.legacy[mode]
        raise ModeError(mode.name if isinstance(mode, Mode) else str(mode), self.name, [m.name for m in self.modes])

    def wire_for(self, mode: Mode) -> Wire:
        """Return the wire that a mode speaks."""
        wire = self.other_wires.get(mode, self.wire)
        return wire if isinstance(wire, Wire) else wire()

    def fitted(self, schema: Json) -> Fitted:
        """Cut a schema to what this provider's strict modes take."""
        subset = getattr(self.wire.dialect, "subset", None)
        return Fitted(schema, [], []) if subset is None else fit(schema, subset)

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Join the arguments given for a client with those it has anyway, such as its key in the environment."""
        options = self.options() if callable(self.options) else self.options
        key = os.environ.get(self.key) if self.key else None
        settings = {**({"api_key": key} if key else {}), **options, **given}
        wanted = {"api_key": f"set {self.key} or give api_key="} if self.needs_key else {}
        for name, where in {**wanted, **self.required}.items():
            if not settings.get(name):
                raise ConfigurationError(f"The client of {self.name} needs {name}=: {where}.")
        return settings


_PACKAGES = {
    **{name: name for name in ("openai", "anthropic", "cohere", "groq", "together")},
    "mistralai": "mistral", "google": "genai", "xai_sdk": "xai", "botocore": "bedrock", "writerai": "writer",
}  # fmt: skip
"""The functions that take the clients of a package."""


def _hint(client: Any) -> str:
    """Say what would work for an object that is no client of this provider."""
    if inspect.isclass(client):
        return f" This is a class: pass {client.__name__}(...)."
    package = type(client).__module__.partition(".")[0]
    if package == "instructor":
        return " This is a client of instructor already."
    if package in _PACKAGES:
        return f" This is a client of {package}: use instructor.from_{_PACKAGES[package]}."
    return " instructor.patch(client) takes any object that has chat.completions.create." * hasattr(client, "chat")


@lru_cache(maxsize=64)  # one warning a process for each
def _warn_of(old: Mode, new: Mode) -> None:
    warn_of_old(f"Mode.{old.name} is now Mode.{new.name}.")


def forget_warnings() -> None:
    """Warn of each older mode once more."""
    _warn_of.cache_clear()


def is_awaitable(function: Any) -> bool:
    """Return whether a function, or an object that can be called, is to be awaited, however it is wrapped."""
    inner = inspect.unwrap(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(type(inner).__call__)
