"""`from_openai` and its siblings: a client of a provider's SDK, or the name of a model, becomes an instructor.

Every provider has its function by its own name. What type checkers and editors know of it is the table at the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from instructor.auto import connect, from_provider
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


def from_named(provider: str) -> Callable[..., Any]:
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


if TYPE_CHECKING:  # a table for checkers and editors; where an SDK is not installed, its classes are Any to them
    import cerebras.cloud.sdk as cerebras
    import cohere
    import fireworks
    import groq
    import together
    import writerai
    import xai_sdk
    from anthropic import Anthropic, AsyncAnthropic
    from anthropic.lib.bedrock import (
        AnthropicBedrock,
        AnthropicBedrockMantle,
        AsyncAnthropicBedrock,
        AsyncAnthropicBedrockMantle,
    )
    from anthropic.lib.vertex import AnthropicVertex, AsyncAnthropicVertex
    from google import genai
    from google.genai.client import AsyncClient as AsyncGenai
    from mistralai.client import Mistral
    from openai import AsyncAzureOpenAI, AzureOpenAI

    _BlockingT = TypeVar("_BlockingT", contravariant=True)
    _AwaitingT = TypeVar("_AwaitingT")
    _OtherT = TypeVar("_OtherT", contravariant=True)

    # fmt: off
    class _ByClass(Protocol[_BlockingT, _AwaitingT]):
        """Blocking or awaiting by the client's class; `async_client=` says it for the client of a model's name."""

        @overload
        def __call__(
            self, client: _BlockingT, mode: Mode | None = ..., model: str | None = ..., **defaults: Any,
        ) -> Instructor: ...
        @overload
        def __call__(
            self, client: _AwaitingT, mode: Mode | None = ..., model: str | None = ..., **defaults: Any,
        ) -> AsyncInstructor: ...
        @overload
        def __call__(
            self, client: str, mode: Mode | None = ..., *, async_client: Literal[True], **defaults: Any,
        ) -> AsyncInstructor: ...
        @overload
        def __call__(
            self, client: str, mode: Mode | None = ..., *, async_client: Literal[False] = ..., **defaults: Any,
        ) -> Instructor: ...
        @overload
        def __call__(
            self, client: str, mode: Mode | None = ..., *, async_client: bool, **defaults: Any,
        ) -> Instructor | AsyncInstructor: ...

    class _ByFlag(Protocol[_BlockingT]):
        """One class serves both colours, and `use_async=` or `async_client=` says which."""

        @overload
        def __call__(
            self, client: _BlockingT | str, mode: Mode | None = ..., model: str | None = ..., *,
            use_async: Literal[True], **defaults: Any,
        ) -> AsyncInstructor: ...
        @overload
        def __call__(
            self, client: _BlockingT | str, mode: Mode | None = ..., model: str | None = ..., *,
            async_client: Literal[True], **defaults: Any,
        ) -> AsyncInstructor: ...
        @overload
        def __call__(
            self, client: _BlockingT | str, mode: Mode | None = ..., model: str | None = ..., *,
            use_async: Literal[False] = ..., async_client: Literal[False] = ..., **defaults: Any,
        ) -> Instructor: ...

    class _ByEither(Protocol[_BlockingT, _OtherT]):
        """The same, and others only await."""

        @overload
        def __call__(
            self, client: _BlockingT | str, mode: Mode | None = ..., model: str | None = ..., *,
            use_async: Literal[True], **defaults: Any,
        ) -> AsyncInstructor: ...
        @overload
        def __call__(
            self, client: _BlockingT | str, mode: Mode | None = ..., model: str | None = ..., *,
            async_client: Literal[True], **defaults: Any,
        ) -> AsyncInstructor: ...
        @overload
        def __call__(
            self, client: _OtherT, mode: Mode | None = ..., model: str | None = ..., **defaults: Any,
        ) -> AsyncInstructor: ...
        @overload
        def __call__(
            self, client: _BlockingT | str, mode: Mode | None = ..., model: str | None = ..., *,
            use_async: Literal[False] = ..., async_client: Literal[False] = ..., **defaults: Any,
        ) -> Instructor: ...
    # fmt: on

    _ByOpenAI = _ByClass[OpenAI, AsyncOpenAI]
    _ByGenai = _ByEither[genai.Client, AsyncGenai]

    from_anthropic: _ByClass[
        Anthropic | AnthropicBedrock | AnthropicBedrockMantle | AnthropicVertex,
        AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle | AsyncAnthropicVertex,
    ]
    from_anyscale: _ByOpenAI
    from_azure_openai: _ByClass[AzureOpenAI, AsyncAzureOpenAI]
    from_bedrock: _ByFlag[Any]
    from_cerebras: _ByClass[cerebras.Cerebras, cerebras.AsyncCerebras]
    from_cohere: _ByClass[cohere.ClientV2 | cohere.Client, cohere.AsyncClientV2 | cohere.AsyncClient]
    from_databricks: _ByOpenAI
    from_deepseek: _ByOpenAI
    from_fireworks: _ByClass[fireworks.Fireworks, fireworks.AsyncFireworks]
    from_genai: _ByGenai
    from_google: _ByGenai
    from_groq: _ByClass[groq.Groq, groq.AsyncGroq]
    from_litellm: _ByEither[Any, Callable[..., Awaitable[Any]]]
    from_local: Callable[..., Any]  # of the clients that `from_provider("local")` makes
    from_mistral: _ByFlag[Mistral]
    from_ollama: _ByOpenAI
    from_openrouter: _ByOpenAI
    from_perplexity: _ByOpenAI
    from_together: _ByClass[together.Together | OpenAI, together.AsyncTogether | AsyncOpenAI]
    from_vertexai: _ByGenai
    from_writer: _ByClass[writerai.Writer, writerai.AsyncWriter]
    from_xai: _ByClass[xai_sdk.Client, xai_sdk.AsyncClient]
