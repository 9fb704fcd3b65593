"""The place where OpenInference's instrumentor puts its functions, and calls that go through them.

The instrumentor knows 1.x: it wraps the two factories below, by the path `instructor.v2.core.patch`. Only a program
that imports this path pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from instructor._compat import TRACED_PATH
from instructor.call import CallBuilder


def _create_sync_wrapper(create: Callable[..., Any], *, provider: str, default_model: str | None) -> Any:
    """Return a function as it is. A tracer returns one that makes a span."""
    del provider, default_model
    return create


def _create_async_wrapper(create: Callable[..., Any], *, provider: str, default_model: str | None) -> Any:
    """Return an async function as it is."""
    del provider, default_model
    return create


class TracedCallBuilder(CallBuilder):
    """Makes the calls of a client through what a tracer has made of the factories.

    Streams of async clients are not awaited, so they go past the tracer: `await create(..., stream=True)` does not.
    """

    def create(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        return self._traced(super().create, response_model)(messages=messages, **arguments)

    def iterable(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        return self._traced(super().iterable, response_model, is_items=True)(messages=messages, **arguments)

    def partial(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        return self._traced(super().partial, response_model)(messages=messages, **arguments)

    def with_completion(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        return self._traced(super().with_completion, response_model)(messages=messages, **arguments)

    async def acreate(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        create = self._traced(super().acreate, response_model, "_create_async_wrapper")
        return await create(messages=messages, **arguments)

    async def awith_completion(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        create = self._traced(super().awith_completion, response_model, "_create_async_wrapper")
        return await create(messages=messages, **arguments)

    def _traced(
        self,
        call: Callable[..., Any],
        response_model: Any,
        factory: str = "_create_sync_wrapper",
        *,
        is_items: bool = False,
    ) -> Callable[..., Any]:
        """Return what the tracer makes of a call. It sees a list type where each value is an item."""

        def create(messages: Any = None, **seen: Any) -> Any:
            del seen["response_model"]
            return call(response_model, messages, seen)

        make = getattr(import_module(TRACED_PATH), factory)
        wrapped: Callable[..., Any] = make(create, provider=self.provider, default_model=self.defaults.get("model"))
        return partial(wrapped, response_model=Iterable[response_model] if is_items else response_model)
