"""From a name, or from an SDK's client, to a client of ours."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal, overload

from instructor import providers
from instructor.caller import Caller
from instructor.client import AsyncInstructor, Instructor
from instructor.exceptions import ClientError, ConfigurationError
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.providers import Provider


@overload
def from_provider(
    model: str, async_client: Literal[False] = False, *, mode: Mode | None = None, **options: Any
) -> Instructor: ...
@overload
def from_provider(
    model: str, async_client: Literal[True], *, mode: Mode | None = None, **options: Any
) -> AsyncInstructor: ...
@overload
def from_provider(
    model: str, async_client: bool, *, mode: Mode | None = None, **options: Any
) -> Instructor | AsyncInstructor: ...
def from_provider(
    model: str, async_client: bool = False, *, mode: Mode | None = None, **options: Any
) -> Instructor | AsyncInstructor:
    """Make a client for `"provider/model"`.

    Of `options`, what the SDK's client takes (api_key, base_url, timeout, ...) goes to it; the rest are defaults of
    each call (temperature, max_tokens, ...).
    """
    name, chosen = _split(model)
    provider = providers.load(name)
    checked = provider.mode_for(mode)
    kind = getattr(provider.load_sdk(), (provider.async_clients if async_client else provider.clients)[0])
    taken = {key for key in inspect.signature(kind.__init__).parameters if key != "self"}
    settings = {key: value for key, value in options.items() if key in taken}
    try:
        client = kind(**{**provider.options, **settings})
    except ConfigurationError:
        raise
    except Exception as error:
        hint = f" Set {provider.key} or give api_key=." if provider.key and "api_key" in str(error) else ""
        raise ConfigurationError(f"No client for {model!r}: {error}{hint}") from error
    defaults = {key: value for key, value in options.items() if key not in taken}
    return connect(name, client, checked, **{"model": chosen, **defaults})


def connect(name: str, client: Any, mode: Mode | None = None, **defaults: Any) -> Instructor | AsyncInstructor:
    """Wrap a client of a provider's SDK; `defaults` are arguments of every call that does not give its own."""
    provider = providers.load(name)
    hooks = defaults.pop("hooks", None)
    caller = caller_for(provider, client, provider.mode_for(mode), defaults, hooks)
    return AsyncInstructor(caller) if caller.awaiting else Instructor(caller)


def caller_for(
    provider: Provider, client: Any, mode: Mode, defaults: Mapping[str, Any], hooks: Hooks | None = None
) -> Caller:
    """Give what makes the calls of a client, blocking or awaiting as the client is."""
    awaiting = is_awaiting(provider, client)
    transport: Any = (provider.async_transport if awaiting else provider.transport)(client)
    return Caller(client, provider.name, mode, provider.dialect, transport, awaiting, dict(defaults), hooks or Hooks())


def is_awaiting(provider: Provider, client: Any) -> bool:
    """Tell an awaiting client from a blocking one; a ClientError for any other object."""
    sdk = provider.load_sdk()
    for names, awaiting in ((provider.clients, False), (provider.async_clients, True)):
        if isinstance(client, tuple(getattr(sdk, name) for name in names)):
            return awaiting
    wanted = ", ".join(f"{provider.sdk}.{name}" for name in (*provider.clients, *provider.async_clients))
    raise ClientError(f"{client!r} is no client of {provider.name}; give one of {wanted}.")


def _split(model: str) -> tuple[str, str]:
    name, slash, chosen = model.partition("/")
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
