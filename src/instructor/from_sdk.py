"""`from_openai` and its siblings: a client of a provider's SDK becomes an instructor.

Every provider has its function by its own name; one that has overloads here is known to type checkers too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, overload

from instructor.auto import connect
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
    return from_named("openai")(client, mode, model, **defaults)


class FromClient(Protocol):
    """Wraps a client of one provider's SDK."""

    def __call__(self, client: Any, mode: Mode | None = None, model: str | None = None, **defaults: Any) -> Any: ...


def from_named(provider: str) -> FromClient:
    """Give the function that `instructor.from_<provider>` is; AttributeError for an unknown provider."""
    if not is_known(provider):
        raise AttributeError(
            f"module 'instructor' has no attribute 'from_{provider}'; providers are {', '.join(names())}."
        )

    def wrap(client: Any, mode: Mode | None = None, model: str | None = None, **defaults: Any) -> Any:
        given = defaults if model is None else {"model": model, **defaults}
        return connect(provider, client, mode, **given)

    wrap.__name__ = wrap.__qualname__ = f"from_{provider}"
    wrap.__doc__ = f"Wrap a client of the SDK of {provider}."
    return wrap
