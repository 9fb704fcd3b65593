"""From a name, or from an SDK's client, to a client of ours."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, overload

from instructor import providers, redaction
from instructor.caller import Caller
from instructor.client import AsyncInstructor, Instructor
from instructor.engine.ports import fitting
from instructor.exceptions import ConfigurationError
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.providers import Provider

_NO_DEFAULTS = {
    "response_model": "give it to each call.",
    "cache": "caches are not there yet.",
}
"""What a client's calls do not take from it, and why; None is nothing."""
_SETTINGS = frozenset(
    ("api_key", "base_url", "http_client", "default_headers", "organization", "region", "profile_name")
)
"""Arguments that SDKs' clients take, and no call does."""


class Blocking(Protocol):
    """A blocking client, to a type checker."""

    def __enter__(self) -> Any: ...


class Awaiting(Protocol):
    """An awaiting client, to a type checker."""

    def __aenter__(self) -> Awaitable[Any]: ...


# fmt: off
@overload
def from_provider(
    model: str, async_client: Literal[False] | None = None, *, client: Blocking, mode: Mode | None = None,
    **options: Any,
) -> Instructor: ...
@overload
def from_provider(  # pyright: ignore[reportOverlappingOverload] - a client says more than its being left out
    model: str, async_client: Literal[True] | None = None, *, client: Awaiting | Callable[..., Awaitable[Any]],
    mode: Mode | None = None, **options: Any,
) -> AsyncInstructor: ...
@overload
def from_provider(
    model: str, async_client: Literal[False] | None = None, *, mode: Mode | None = None, **options: Any
) -> Instructor: ...
@overload
def from_provider(
    model: str, async_client: Literal[True], *, mode: Mode | None = None, **options: Any
) -> AsyncInstructor: ...
@overload
def from_provider(
    model: str, async_client: bool | None, *, mode: Mode | None = None, **options: Any
) -> Instructor | AsyncInstructor: ...
# fmt: on
def from_provider(
    model: str,
    async_client: bool | None = None,
    *,
    client: Any = None,
    mode: Mode | None = None,
    **options: Any,
) -> Instructor | AsyncInstructor:
    """Make a client for `"provider/model"`, or wrap `client`, an existing client of the provider's SDK.

    Of `options`, what the SDK's client takes (api_key, base_url, timeout, ...) goes to it; the rest are defaults of
    each call (temperature, max_tokens, ...). With `client` all are defaults, and `async_client` need not be given.
    """
    name, chosen = _split(model)
    provider = providers.load(name)
    checked = provider.mode_for(mode, chosen)
    defaults: Mapping[str, Any] = options
    if client is None:
        client, defaults = _client_of(provider, model, bool(async_client), options)
        async_client = bool(async_client)
    else:
        _refuse_settings(provider, client, options)
    if provider.check is not None:
        provider.check(chosen)
    logging.getLogger("instructor.auto_client").info("A client of %s for the model %s", name, chosen)
    return connect(name, client, checked, use_async=async_client, **{"model": chosen, **defaults})


def _client_of(
    provider: Provider, model: str, async_client: bool, options: Mapping[str, Any]
) -> tuple[Any, Mapping[str, Any]]:
    """Make an SDK's client; a ConfigurationError says why there is none."""
    try:
        return _made(provider, async_client, dict(options))
    except ConfigurationError:
        raise
    except Exception as error:
        hint = f" Set {provider.key} or give api_key=." if provider.key and "api_key" in str(error) else ""
        raise ConfigurationError(f"No client for {model!r}: {redaction.text(str(error))}{hint}") from error


def _refuse_settings(provider: Provider, client: Any, options: Mapping[str, Any]) -> None:
    """Refuse what only a client that is made here could obey."""
    provider.is_awaiting(client)
    for name in _SETTINGS.intersection(options):
        raise ConfigurationError(f"{name}= cannot be given with client=, which has its own: make the client with it.")


def _made(provider: Provider, async_client: bool, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Make an SDK's client of the options that it takes; give it and the rest."""
    if provider.make is not None:
        rest = provider.settings(options)
        return provider.make(async_client, rest), rest
    kind = provider.kind((provider.async_clients if async_client else provider.clients)[0])
    taken = {key for key in inspect.signature(kind.__init__).parameters if key != "self"}
    settings = {key: value for key, value in options.items() if key in taken}
    rest = {key: value for key, value in options.items() if key not in taken}
    return kind(**provider.settings(settings)), rest


def connect(
    name: str, client: Any, mode: Mode | None = None, *, use_async: bool | None = None, **defaults: Any
) -> Instructor | AsyncInstructor:
    """Wrap a client of a provider's SDK; `defaults` are arguments of every call that does not give its own."""
    provider = providers.load(name)
    for argument, why in _NO_DEFAULTS.items():
        if defaults.pop(argument, None) is not None:
            raise ConfigurationError(f"{argument}= is no argument of a client: {why}")
    hooks = defaults.pop("hooks", None)
    if hooks is not None and not isinstance(hooks, Hooks):
        raise ConfigurationError(f"hooks={hooks!r} is no instructor.Hooks.")
    other_name = defaults.pop("async_client", None)  # some providers' clients knew `use_async` by it
    use_async = other_name if use_async is None else use_async
    caller = caller_for(
        provider, client, provider.mode_for(mode, defaults.get("model")), defaults, hooks, use_async=use_async
    )
    return AsyncInstructor(caller) if caller.awaiting else Instructor(caller)


def caller_for(
    provider: Provider,
    client: Any,
    mode: Mode,
    defaults: Mapping[str, Any],
    hooks: Hooks | None = None,
    *,
    use_async: bool | None = None,
) -> Caller:
    """Give what makes the calls of a client, blocking or awaiting as the client is."""
    awaiting = provider.is_awaiting(client, use_async)
    kept = dict(defaults)
    most = kept.pop("max_event_bytes", None)
    variants = [wire for flag, wire in provider.variants.items() if kept.pop(flag, None)]
    wire = variants[0] if variants else provider.wire_for(mode)
    transport: Any = (wire.async_transport if awaiting else wire.transport)(client)
    if most is not None:
        _bound(transport, most, provider.name)
    shown = None if inspect.isroutine(client) else client  # a function is no client, and has nothing to show
    return Caller(shown, provider.name, mode, wire.dialect, transport, awaiting, kept, hooks or Hooks())


def _bound(transport: Any, most: Any, provider: str) -> None:
    """Set how long an event of a stream may be, where the streams are read here."""
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ConfigurationError(f"max_event_bytes must be a number of bytes, 1 or more, got {most!r}.")
    if fitting(transport, "max_event_bytes") is None:
        raise ConfigurationError(
            f"max_event_bytes must be left out for {provider}, whose SDK reads its streams itself."
        )
    transport.max_event_bytes = most


def _split(model: Any) -> tuple[str, str]:
    name, slash, chosen = model.partition("/") if isinstance(model, str) else ("", "", "")
    if name and chosen:
        return name, chosen
    if name in providers.names() and not slash:
        default = providers.load(name).model
        if default is not None:
            return name, default
    raise ConfigurationError(
        f'{model!r} names no provider and model: write "provider/model", for example "openai/gpt-4o-mini"; '
        f"providers are {', '.join(providers.names())}."
    )
