"""`patch`: teach a client that you have, in place, to take `response_model`."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, overload

from instructor import providers
from instructor.auto import caller_for
from instructor.caller import Caller
from instructor.exceptions import ConfigurationError
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.transport.function import AsyncFunction, Function

ClientT = TypeVar("ClientT")
_RETRIES = 1


class NothingToPatchError(ConfigurationError, ValueError):
    """Neither a client nor a function was given."""


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
    """Put a `create` that takes `response_model` in the place of `client.chat.completions.create`; return the client.

    Given a function `create` instead of a client, give the function that takes `response_model`. Unlike the clients'
    `create`, it re-asks once where `max_retries` is not given.
    """
    if client is None and create is None:
        raise NothingToPatchError("patch() needs a client, or a function as create=.")
    if create is not None and not callable(create):
        raise ConfigurationError(f"create={create!r} is no function that makes a request.")
    row = providers.load(getattr(provider, "value", provider))
    chosen = row.mode_for(mode)
    if create is None:
        caller = caller_for(row, client, chosen, {})
    else:
        awaiting = providers.awaits(create)
        transport = AsyncFunction(create) if awaiting else Function(create)
        caller = Caller(client, row.name, chosen, row.wire_for(chosen).dialect, transport, awaiting, {}, Hooks())
    taught = _taught(caller)
    if client is None:
        return taught
    client.chat.completions.create = taught
    return client


def apatch(client: ClientT, create: Callable[..., Any] | None = None, mode: Mode = Mode.TOOLS) -> ClientT:
    """Do what `patch` does, which tells blocking from awaiting clients by itself."""
    warnings.warn("apatch is patch: use instructor.patch.", DeprecationWarning, stacklevel=2)
    return patch(client, create, mode)


def _taught(caller: Caller) -> Callable[..., Any]:
    """Make the `create` that takes `response_model`; without one it is the client's own."""
    original = caller.transport.create

    def arguments(context: Any, max_retries: Any, strict: Any, hooks: Any, rest: dict[str, Any]) -> dict[str, Any]:
        return {"context": context, "max_retries": max_retries, "strict": strict, "hooks": hooks, **rest}

    if caller.awaiting:

        @functools.wraps(original)
        async def acreate(
            response_model: Any = None, context: Any = None, max_retries: Any = _RETRIES, strict: Any = True,
            hooks: Any = None, **rest: Any,
        ) -> Any:  # fmt: skip
            given = arguments(context, max_retries, strict, hooks, rest)
            return await caller.acreate(response_model, given.pop("messages", None), given)

        return acreate

    @functools.wraps(original)
    def create(
        response_model: Any = None, context: Any = None, max_retries: Any = _RETRIES, strict: Any = True,
        hooks: Any = None, **rest: Any,
    ) -> Any:  # fmt: skip
        given = arguments(context, max_retries, strict, hooks, rest)
        return caller.create(response_model, given.pop("messages", None), given)

    return create
