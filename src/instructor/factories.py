"""Functions that make a client from a provider's name, or wrap a client of its SDK."""

from __future__ import annotations

import functools
import inspect
import logging
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from instructor import providers, redaction
from instructor._compat import did_you_mean
from instructor.binding import Binding
from instructor.client import AsyncInstructor, Instructor
from instructor.client_base import caller_of
from instructor.exceptions import ArgumentsError, ConfigurationError
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.providers import is_known, names
from instructor.providers.base import Provider, is_awaitable
from instructor.providers.functions import AsyncFunction, Function

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from instructor.call import CallBuilder


_NO_DEFAULTS = {
    "response_model": "pass it to each call.",
}
"""Arguments that a client must not have as defaults of its calls, and why. None as a value is allowed."""
_SETTINGS = frozenset(
    ("api_key", "base_url", "http_client", "default_headers", "organization", "region", "profile_name")
)
"""Arguments of SDK clients that are not arguments of a call."""

_WELL_KNOWN = _SETTINGS | {
    *("async_client", "client", "mode", "model", "cache", "context", "hooks", "max_retries", "max_tokens", "stream"),
    *("temperature", "timeout", "token_budget", "top_p", "watchdog", "on_invalid", "max_continuations", "strict"),
}
"""Names that an unknown argument may be a misspelling of."""


class SyncClient(Protocol):
    """A sync client, to a type checker."""

    def __enter__(self) -> Any: ...


class AsyncClient(Protocol):
    """An async client, to a type checker."""

    def __aenter__(self) -> Awaitable[Any]: ...


# fmt: off
@overload
def from_provider(
    model: str, async_client: Literal[False] | None = None, *, client: SyncClient, mode: Mode | None = None,
    **options: Any,
) -> Instructor: ...
@overload
def from_provider(  # pyright: ignore[reportOverlappingOverload] - a client says more than its being left out
    model: str, async_client: Literal[True] | None = None, *, client: AsyncClient | Callable[..., Awaitable[Any]],
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
    """Return a client for `"provider/model"`.

    Args:
        model: The provider and its model, for example "openai/gpt-4o-mini" or "anthropic/claude-sonnet-4-5".
        async_client: Whether to return an `AsyncInstructor`. With `client` it may be left out.
        client: An existing client of the provider's SDK. Without it one is made.
        mode: How the answer is requested. None is the provider's default.
        options: Arguments of the SDK's client (api_key, base_url, timeout ...) go to it. All others are defaults of
            each call (temperature, max_tokens ...). With `client` all of them are defaults.

    Returns:
        An `Instructor`, or an `AsyncInstructor` if `async_client` is True or `client` is async.

    Raises:
        ConfigurationError: The provider is unknown, its SDK is not installed, a key is missing, or the mode does not
            exist for it.
        ClientError: `client` is not a client of this provider.

    Example:
        >>> client = instructor.from_provider("openai/gpt-4o-mini")
        >>> client.create(User, [{"role": "user", "content": "Jason is 10"}])
        User(name='Jason', age=10)
    """
    name, chosen = _split(model)
    provider = providers.load(name)
    checked = provider.mode_for(mode, chosen)
    defaults: Mapping[str, Any] = options
    make = None
    _check_spelling(options)
    if client is None:
        if not any(redaction.is_secret(name) or "header" in name for name in options):
            make = functools.partial(from_provider, model, async_client, mode=mode, **options)
        client, defaults = _client_of(provider, model, bool(async_client), options)
        async_client = bool(async_client)
    else:
        _refuse_settings(provider, client, options)
    if provider.check is not None:
        provider.check(chosen)
    logging.getLogger("instructor.auto_client").info("A client of %s for the model %s", name, chosen)
    return connect(name, client, checked, use_async=async_client, make=make, **{"model": chosen, **defaults})


def _check_spelling(options: Mapping[str, Any]) -> None:
    """Raise for an option whose name is almost that of an argument of ours: it would wait for the first call."""
    for name in options:
        if {name, name.removesuffix("s")}.isdisjoint(_WELL_KNOWN) and (
            hint := did_you_mean(name, _WELL_KNOWN, likeness=0.85)
        ):
            raise ArgumentsError(f"Unknown argument {name!r}.{hint}")


def _client_of(
    provider: Provider, model: str, async_client: bool, options: Mapping[str, Any]
) -> tuple[Any, Mapping[str, Any]]:
    """Return a new SDK client and the options that are left. All errors become a ConfigurationError."""
    try:
        return _build(provider, async_client, dict(options))
    except ConfigurationError:
        raise
    except Exception as error:
        hint = f" Set {provider.key} or pass api_key=." if provider.key and "api_key" in str(error) else ""
        raise ConfigurationError(f"Cannot make a client for {model!r}: {redaction.text(str(error))}{hint}") from error


def _refuse_settings(provider: Provider, client: Any, options: Mapping[str, Any]) -> None:
    """Raise for options that only a new client could use, and for a client of the wrong kind."""
    provider.is_async_client(client)
    for name in _SETTINGS.intersection(options):
        raise ConfigurationError(f"{name}= must be left out with client=: pass {name} to the client itself.")


def _build(provider: Provider, async_client: bool, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a new SDK client, made with the options that it takes, and the other options."""
    if provider.make is not None:
        rest = provider.settings(options)
        return provider.make(async_client, rest), rest
    kind = provider.kind((provider.async_clients if async_client else provider.clients)[0])
    taken = {key for key in inspect.signature(kind.__init__).parameters if key != "self"}
    settings = {key: value for key, value in options.items() if key in taken}
    rest = {key: value for key, value in options.items() if key not in taken}
    return kind(**provider.settings(settings)), rest


def connect(
    name: str,
    client: Any,
    mode: Mode | None = None,
    *,
    use_async: bool | None = None,
    make: Callable[[], Any] | None = None,
    **defaults: Any,
) -> Instructor | AsyncInstructor:
    """Wrap a client of a provider's SDK. `defaults` are arguments of each call, unless the call has its own.

    `make` makes the same client in another process.
    """
    provider = providers.load(name)
    for argument, why in _NO_DEFAULTS.items():
        if defaults.pop(argument, None) is not None:
            raise ConfigurationError(f"{argument}= is not an argument of a client: {why}")
    hooks = defaults.pop("hooks", None)
    if hooks is not None and not isinstance(hooks, Hooks):
        raise ConfigurationError(f"hooks must be an instructor.Hooks, got {hooks!r}.")
    other_name = defaults.pop("async_client", None)  # older versions had this name for some providers
    use_async = other_name if use_async is None else use_async
    binding = binding_for(
        provider, client, provider.mode_for(mode, defaults.get("model")), defaults, hooks, use_async=use_async
    )
    binding = replace(binding, make=make)
    return AsyncInstructor(binding) if binding.is_async else Instructor(binding)


def binding_for(
    provider: Provider,
    client: Any,
    mode: Mode,
    defaults: Mapping[str, Any],
    hooks: Hooks | None = None,
    *,
    use_async: bool | None = None,
) -> Binding:
    """Return the binding of an SDK client. It is async if the client is."""
    is_async = provider.is_async_client(client, use_async)
    options = dict(defaults)
    max_event_bytes = options.pop("max_event_bytes", None)
    variants = [wire for flag, wire in provider.variants.items() if options.pop(flag, None)]
    wire = variants[0] if variants else provider.wire_for(mode)
    transport: Any = (wire.async_transport if is_async else wire.transport)(client)
    if max_event_bytes is not None:
        _limit_events(transport, max_event_bytes, provider.name)
    sdk_client = None if inspect.isroutine(client) else client  # a function has no attributes for users
    return Binding(sdk_client, provider.name, mode, wire.dialect, transport, is_async, options, hooks or Hooks())


def _limit_events(transport: Any, limit: Any, provider: str) -> None:
    """Set the largest size of a stream's event, for transports that read streams themselves."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigurationError(f"max_event_bytes must be a number of bytes, 1 or more, got {limit!r}.")
    if not hasattr(transport, "max_event_bytes"):
        raise ConfigurationError(
            f"max_event_bytes must be left out for {provider}, whose SDK reads its streams itself."
        )
    transport.max_event_bytes = limit


def _split(model: Any) -> tuple[str, str]:
    name, slash, chosen = model.partition("/") if isinstance(model, str) else ("", "", "")
    if name and chosen:
        return name, chosen
    if not slash and providers.is_known(name):
        default = providers.load(name).model
        if default is not None:
            return name, default
    raise ConfigurationError(
        f'The model must be "provider/model", for example "openai/gpt-4o-mini", got {model!r}. '
        f"The providers are {', '.join(providers.names())}."
    )


@overload
def from_openai(client: OpenAI, mode: Mode = ..., model: str | None = ..., **defaults: Any) -> Instructor: ...
@overload
def from_openai(client: AsyncOpenAI, mode: Mode = ..., model: str | None = ..., **defaults: Any) -> AsyncInstructor: ...
def from_openai(client: Any, mode: Mode = Mode.TOOLS, model: str | None = None, **defaults: Any) -> Any:
    """Return a client around an existing client of the openai SDK (also Azure's).

    Args:
        client: The SDK's client: `OpenAI`, `AsyncOpenAI`, `AzureOpenAI` or `AsyncAzureOpenAI`.
        mode: How the answer is requested (default `Mode.TOOLS`).
        model: The model of each call that does not name one.
        defaults: Other arguments of each call, unless the call has its own.

    Returns:
        An `Instructor` for a sync client, an `AsyncInstructor` for an async one.

    Raises:
        ClientError: `client` is not a client of the openai SDK.
        ConfigurationError: The mode does not exist for it.

    Example:
        >>> client = instructor.from_openai(OpenAI(), model="gpt-4o-mini")
        >>> users = client.create(Iterable[User], messages)
    """
    return connect("openai", client, mode, **(defaults if model is None else {"model": model, **defaults}))


# fmt: off
class FromClient(Protocol):
    """Wrap a client of one provider's SDK, or make a client for a model's name.

    `use_async` is for an SDK client that is both sync and async. `async_client` decides which client is made.
    """

    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] - the last one is for what no other is
        self, client: Any = ..., mode: Mode | None = ..., model: str | None = ..., *,
        use_async: Literal[True], **defaults: Any,
    ) -> AsyncInstructor: ...
    @overload
    def __call__(
        self, client: Any = ..., mode: Mode | None = ..., model: str | None = ..., *,
        async_client: Literal[True], **defaults: Any,
    ) -> AsyncInstructor: ...
    @overload
    def __call__(
        self, client: Any = ..., mode: Mode | None = ..., model: str | None = ..., *,
        use_async: Literal[False], **defaults: Any,
    ) -> Instructor: ...
    @overload
    def __call__(
        self, client: Any = ..., mode: Mode | None = ..., model: str | None = ..., *,
        async_client: bool, **defaults: Any,
    ) -> Instructor | AsyncInstructor: ...
    @overload
    def __call__(
        self, client: SyncClient, mode: Mode | None = ..., model: str | None = ..., **defaults: Any,
    ) -> Instructor: ...
    @overload
    def __call__(
        self, client: AsyncClient | Callable[..., Awaitable[Any]], mode: Mode | None = ..., model: str | None = ...,
        **defaults: Any,
    ) -> AsyncInstructor: ...
    @overload
    def __call__(
        self, client: Any = ..., mode: Mode | None = ..., model: str | None = ..., **defaults: Any,
    ) -> Instructor: ...
# fmt: on


def from_named(provider: str) -> FromClient:
    """Return the function `instructor.from_<provider>`. Raise an AttributeError for an unknown provider."""
    if not is_known(provider):
        name, known = f"from_{provider}", ["from_provider", *(f"from_{each}" for each in names())]
        hint = did_you_mean(name, known)
        raise AttributeError(
            f"module 'instructor' has no attribute {name!r}.{hint} The providers are {', '.join(names())}."
        )

    def wrap(client: Any = None, mode: Mode | None = None, model: str | None = None, **defaults: Any) -> Any:
        if client is None:
            client, model = model, None
        options = defaults if model is None else {"model": model, **defaults}
        if not isinstance(client, str):
            return connect(provider, client, mode, **options)
        if model is not None:
            raise ConfigurationError(f"{client!r} and model={model!r} are both a model: pass one of them.")
        use_async = bool(options.pop("async_client", None) or options.pop("use_async", None))
        return from_provider(f"{provider}/{client}", use_async, mode=mode, **options)

    wrap.__name__ = wrap.__qualname__ = f"from_{provider}"
    wrap.__doc__ = f"Wrap a client of the SDK of {provider}. With a model's name, do what `from_provider` does."
    return wrap


ClientT = TypeVar("ClientT")
_RETRIES = 1
"""The default of `max_retries` for a patched function."""


class NothingToPatchError(ConfigurationError, ValueError):
    """Neither a client nor a function was passed."""


@overload
def patch(
    client: ClientT, create: Callable[..., Any] | None = ..., mode: Mode = ..., provider: str = ...
) -> ClientT: ...
@overload
def patch(
    client: None = ..., *, create: Callable[..., Any], mode: Mode = ..., provider: str = ...
) -> Callable[..., Any]: ...
def patch(
    client: Any = None, create: Callable[..., Any] | None = None, mode: Mode = Mode.TOOLS, provider: str = "openai"
) -> Any:
    """Add `response_model` to an existing client in place: to `client.chat.completions.create`. Return the client.

    Without `response_model` the client works as before. Unlike `Instructor.create`, the patched function asks again
    only once if `max_retries` is not passed.

    Args:
        client: The SDK's client, sync or async, or any object that has `chat.completions.create`: a mock in a test.
        create: A function to patch instead of a client. The patched function is returned.
        mode: How the answer is requested (default `Mode.TOOLS`).
        provider: The name of the provider: its wire format is used (default "openai").

    Returns:
        The client that was passed, or the patched function if only `create` was passed.

    Raises:
        ConfigurationError: Neither a client nor a function was passed, or the mode does not exist for the provider.
        ClientError: `client` is not a client of the provider.

    Example:
        >>> client = instructor.patch(OpenAI(), mode=instructor.Mode.JSON)
        >>> client.chat.completions.create(model="gpt-4o-mini", messages=messages, response_model=User)
    """
    if client is None and create is None:
        raise NothingToPatchError("patch() needs a client, or a function as create=.")
    if create is not None and not callable(create):
        raise ConfigurationError(f"create must be a function that makes a request, got {create!r}.")
    row = providers.load(getattr(provider, "value", provider))
    chosen = row.mode_for(mode)
    if create is None and not row.takes(client):
        create = _create_of(client)  # a mock, or an object of the user's own
    if create is None:
        binding = binding_for(row, client, chosen, {})
    else:
        is_async = is_awaitable(create)
        transport = AsyncFunction(create) if is_async else Function(create)
        binding = Binding(client, row.name, chosen, row.wire_for(chosen).dialect, transport, is_async, {}, Hooks())
    patched = _patched(binding)
    if client is None:
        return patched
    client.chat.completions.create = patched
    return client


def _create_of(client: Any) -> Callable[..., Any] | None:
    """Return `client.chat.completions.create`, if any object has it."""
    create = getattr(getattr(getattr(client, "chat", None), "completions", None), "create", None)
    return create if callable(create) else None


def apatch(client: ClientT, create: Callable[..., Any] | None = None, mode: Mode = Mode.TOOLS) -> ClientT:
    """Call `patch`, which knows by itself whether a client is async. Deprecated."""
    warnings.warn("apatch is patch: use instructor.patch.", DeprecationWarning, stacklevel=2)
    return patch(client, create, mode)


def _patched(binding: Binding) -> Callable[..., Any]:
    """Return a `create` that takes `response_model`. Without `response_model` it does what the original does."""
    original = binding.transport.create

    @cache
    def calls() -> CallBuilder:  # imported with the first call, as for a client
        if binding.client is not None:
            return caller_of(binding)
        from instructor.call import CallBuilder

        return CallBuilder(binding)  # a tracer wraps what `patch(create=...)` returns

    def arguments(context: Any, max_retries: Any, strict: Any, hooks: Any, rest: dict[str, Any]) -> dict[str, Any]:
        return {"context": context, "max_retries": max_retries, "strict": strict, "hooks": hooks, **rest}

    if binding.is_async:

        @functools.wraps(original)
        async def acreate(
            response_model: Any = None, context: Any = None, max_retries: Any = _RETRIES, strict: Any = True,
            hooks: Any = None, **rest: Any,
        ) -> Any:  # fmt: skip
            options = arguments(context, max_retries, strict, hooks, rest)
            return await calls().acreate(response_model, options.pop("messages", None), options)

        return acreate

    @functools.wraps(original)
    def create(
        response_model: Any = None, context: Any = None, max_retries: Any = _RETRIES, strict: Any = True,
        hooks: Any = None, **rest: Any,
    ) -> Any:  # fmt: skip
        options = arguments(context, max_retries, strict, hooks, rest)
        return calls().create(response_model, options.pop("messages", None), options)

    return create
