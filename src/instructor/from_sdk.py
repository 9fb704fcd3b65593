"""`from_openai` and its siblings: a client of a provider's SDK, or the name of a model, becomes an instructor.

Every provider has its function by its own name. To type checkers all are one `FromClient`, which tells the colours
apart by what the clients of SDKs are: context managers of the one kind or the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from instructor.auto import Awaiting, Blocking, connect, from_provider
from instructor.exceptions import ConfigurationError
from instructor.mode import Mode
from instructor.providers import is_known, names

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from instructor.client import AsyncInstructor, Instructor


@overload
def from_openai(client: OpenAI, mode: Mode = ..., model: str | None = ..., **defaults: Any) -> Instructor: ...
@overload
def from_openai(client: AsyncOpenAI, mode: Mode = ..., model: str | None = ..., **defaults: Any) -> AsyncInstructor: ...
def from_openai(client: Any, mode: Mode = Mode.TOOLS, model: str | None = None, **defaults: Any) -> Any:
    """Wrap a client of the openai SDK, Azure's too; a call has `model` and `defaults` unless it gives its own."""
    return connect("openai", client, mode, **(defaults if model is None else {"model": model, **defaults}))


# fmt: off
class FromClient(Protocol):
    """Wraps a client of one provider's SDK, or makes one for a model's name.

    `use_async` says which colour is meant of a client that has both, `async_client` which a client is to have.
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
        self, client: Blocking, mode: Mode | None = ..., model: str | None = ..., **defaults: Any,
    ) -> Instructor: ...
    @overload
    def __call__(
        self, client: Awaiting | Callable[..., Awaitable[Any]], mode: Mode | None = ..., model: str | None = ...,
        **defaults: Any,
    ) -> AsyncInstructor: ...
    @overload
    def __call__(
        self, client: Any = ..., mode: Mode | None = ..., model: str | None = ..., **defaults: Any,
    ) -> Instructor: ...
# fmt: on


def from_named(provider: str) -> FromClient:
    """Give the function that `instructor.from_<provider>` is; AttributeError for an unknown provider."""
    if not is_known(provider):
        raise AttributeError(
            f"module 'instructor' has no attribute 'from_{provider}'; providers are {', '.join(names())}."
        )

    def wrap(client: Any = None, mode: Mode | None = None, model: str | None = None, **defaults: Any) -> Any:
        if client is None:
            client, model = model, None
        given = defaults if model is None else {"model": model, **defaults}
        if not isinstance(client, str):
            return connect(provider, client, mode, **given)
        if model is not None:
            raise ConfigurationError(f"{client!r} and model={model!r} are both a model: give one of them.")
        use_async = bool(given.pop("async_client", None) or given.pop("use_async", None))
        return from_provider(f"{provider}/{client}", use_async, mode=mode, **given)

    wrap.__name__ = wrap.__qualname__ = f"from_{provider}"
    wrap.__doc__ = f"Wrap a client of the SDK of {provider}; of a model's name, make one as `from_provider` does."
    return wrap
