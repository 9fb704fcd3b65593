"""What the sync and the async client have in common: everything but their calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from instructor.exceptions import ConfigurationError

if TYPE_CHECKING:
    from instructor.binding import Binding
    from instructor.call import CallBuilder
    from instructor.hooks import HookName, Hooks
    from instructor.mode import Mode


class ClientBase:
    """What both clients show of themselves. An attribute that is not here is the SDK client's."""

    _binding: Binding

    def __init__(self, binding: Binding | None = None, /, **older: Any) -> None:
        if binding is None or older:
            raise ConfigurationError(
                f"{type(self).__name__}(...) makes no client: instructor.from_provider does, or its siblings do, which "
                "wrap an SDK's client. instructor.patch(create=function) teaches a function."
            )
        self._binding = binding

    @cached_property
    def _caller(self) -> CallBuilder:
        """What makes the calls. It is imported with the first call, so that a client is made quickly."""
        from instructor.call import CallBuilder

        return CallBuilder(self._binding)

    @property
    def client(self) -> Any:
        """The SDK's client, or None where a function is called instead."""
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
        """The arguments that every call has unless it gives its own."""
        return self._binding.defaults

    @property
    def default_model(self) -> str | None:
        """The model of every call that does not name one."""
        return self.kwargs.get("model")

    def handle_kwargs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Join a call's arguments with those that every call has."""
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
        """Call `handler` at every event `name` of this client's calls."""
        self.hooks.on(name, handler)

    def off(self, name: HookName | str, handler: Callable[..., Any]) -> None:
        """Take back one `on`."""
        self.hooks.off(name, handler)

    def clear(self, name: HookName | str | None = None) -> None:
        """Take back every `on` of the event `name`, or of all events."""
        self.hooks.clear(name)

    def __getattr__(self, name: str) -> Any:
        # `copy` and `pickle` ask a client that has no binding yet; special methods are not the SDK's to give.
        client = None if name == "_binding" or name.startswith("__") else self._binding.client
        if client is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(client, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.provider} {self.mode}>"
