"""What the sync and the async client have in common: everything but their calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import Self

from instructor import _compat
from instructor.exceptions import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from instructor.binding import Binding
    from instructor.call import CallBuilder
    from instructor.hooks import HookName, Hooks
    from instructor.mode import Mode

    class SdkMessage(Protocol):
        """A message of xAI's SDK."""

        def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name

    Messages = Iterable[Mapping[str, Any] | BaseModel | SdkMessage] | None
    """A conversation, to a type checker."""


def caller_of(binding: Binding) -> CallBuilder:
    """Return what makes the calls of a client, through a tracer if there is one."""
    if _compat.TRACED_PATH in sys.modules:
        from instructor.tracing import TracedCallBuilder

        return TracedCallBuilder(binding)
    from instructor.call import CallBuilder

    return CallBuilder(binding)


class ClientBase:
    """The attributes of both clients. All other attributes are those of the SDK's client."""

    _binding: Binding

    def __init__(self, binding: Binding | None = None, /, **older: Any) -> None:
        if binding is None or older:
            raise ConfigurationError(
                f"{type(self).__name__}(...) cannot be called. instructor.from_provider makes a client, and functions "
                "instructor.from_... wrap an SDK's client. instructor.patch(create=function) patches a function."
            )
        self._binding = binding

    @cached_property
    def _caller(self) -> CallBuilder:
        """The builder of calls. It is imported with the first call, so that a client is made quickly."""
        return caller_of(self._binding)

    @property
    def client(self) -> Any:
        """The SDK's client. None if a function is called instead."""
        return self._binding.client

    @property
    def mode(self) -> Mode:
        return self._binding.mode

    @property
    def provider(self) -> str:
        return self._binding.provider

    @property
    def hooks(self) -> Hooks:
        return self._binding.hooks

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The defaults: arguments of each call, unless the call has its own."""
        return self._binding.defaults

    @property
    def default_model(self) -> str | None:
        """The model of each call that does not name one."""
        return self.kwargs.get("model")

    def handle_kwargs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call's arguments, joined with the defaults."""
        return {**self.kwargs, **kwargs}

    @property
    def chat(self) -> Self:
        """This client: `client.chat.completions.create` is `client.create`."""
        return self

    @property
    def completions(self) -> Self:
        """This client: `client.chat.completions.create` is `client.create`."""
        return self

    @property
    def messages(self) -> Self:
        """This client: `client.messages.create` is `client.create`."""
        return self

    def on(self, name: HookName | str, handler: Callable[..., Any]) -> None:
        """Call `handler` at each event `name` of this client's calls."""
        self.hooks.on(name, handler)

    def off(self, name: HookName | str, handler: Callable[..., Any]) -> None:
        """Stop calling `handler` at the event `name`."""
        self.hooks.off(name, handler)

    def clear(self, name: HookName | str | None = None) -> None:
        """Remove all handlers of the event `name`, or of all events."""
        self.hooks.clear(name)

    def __getattr__(self, name: str) -> Any:
        # `copy` and `pickle` ask a client that has no binding yet. Special methods never come from the SDK's client.
        client = None if name == "_binding" or name.startswith("__") else self._binding.client
        if client is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return getattr(client, name)
        except AttributeError as error:
            hint = _compat.did_you_mean(name, [each for each in dir(type(self)) if not each.startswith("_")])
            raise AttributeError(f"{error}.{hint}" if hint else str(error)) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.provider} {self.mode}>"
