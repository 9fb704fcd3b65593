"""Calling litellm, which is functions: `completion` and `acompletion`, of its module or of a router.

It moves a refusal to a place of its own, from where it is fetched. Of a streamed refusal it keeps nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from instructor.core.types import Json
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire, is_awaitable
from instructor.providers.functions import AsyncFunction, Function, SDKAdapter, as_wire
from instructor.providers.openai.chat import OpenAIChat


def sync_transport(client: Any) -> Function:
    return Function(getattr(client, "completion", client), adapter=replace(_ADAPTER, close=_close))


def async_transport(client: Any) -> AsyncFunction:
    return AsyncFunction(getattr(client, "acompletion", client), adapter=_ADAPTER)


def _close(stream: Any) -> None:
    """Close a sync stream: litellm's own cannot be closed, but the provider's stream inside can."""
    for each in (stream, getattr(stream, "completion_stream", None)):
        close = getattr(each, "close", None)
        if close is not None:
            close()


def _read(response: Any) -> Json:
    wire = as_wire(response)
    for choice in wire.get("choices") or ():
        message = choice.get("message")
        if message:
            message.setdefault("refusal", (message.get("provider_specific_fields") or {}).get("refusal"))
    return wire


def _built(wire: Json) -> Any:
    from litellm import ModelResponse  # pyright: ignore[reportMissingImports] - it has an environment of its own

    return ModelResponse(**wire)


_ADAPTER = SDKAdapter(read=_read, build=_built)


def _make(async_client: bool, options: dict[str, Any]) -> Any:  # noqa: ARG001 - all options are of the calls
    sdk = PROVIDER.load()
    return sdk.acompletion if async_client else sdk.completion


def _client_kinds(client: Any) -> tuple[bool, ...]:
    """Take a function, or what has both of them: the module, a router."""
    if hasattr(client, "completion") and hasattr(client, "acompletion"):
        return (False, True)
    return (is_awaitable(client),) if callable(client) else ()


PROVIDER = Provider(
    name="litellm",
    sdk="litellm",
    clients=("completion",),
    async_clients=("acompletion",),
    wire=Wire(OpenAIChat("litellm"), sync_transport, async_transport),
    modes=OpenAIChat.modes,
    legacy={Mode.FUNCTIONS: Mode.TOOLS, Mode.JSON_O1: Mode.JSON_SCHEMA},
    make=_make,
    client_kinds=_client_kinds,
)
