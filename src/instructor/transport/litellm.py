"""Calling litellm, which is functions: `completion` and `acompletion`, of its module or of a router.

It moves a refusal to a place of its own, from where it is fetched. Of a streamed refusal it keeps nothing.
"""

from __future__ import annotations

from typing import Any

from instructor.engine.call import Json, Request
from instructor.engine.ports import Received
from instructor.transport.function import AsyncFunction, Function, ObjectConnection


class LiteLLM(Function):
    """The blocking function."""

    def __init__(self, client: Any) -> None:
        super().__init__(getattr(client, "completion", client))

    def send(self, request: Request) -> Received:
        return _with_refusal(super().send(request))

    def open(self, request: Request) -> ObjectConnection:
        return _Connection(self.create(**request.body))

    def response(self, wire: Json) -> Any:
        return _response(wire)


class AsyncLiteLLM(AsyncFunction):
    """The awaiting function."""

    def __init__(self, client: Any) -> None:
        super().__init__(getattr(client, "acompletion", client))

    async def send(self, request: Request) -> Received:
        return _with_refusal(await super().send(request))

    def response(self, wire: Json) -> Any:
        return _response(wire)


class _Connection(ObjectConnection):
    """A blocking stream: litellm's own cannot be closed, but the provider's SDK's inside can."""

    def close(self) -> None:
        super().close()
        close = getattr(getattr(self._stream, "completion_stream", None), "close", None)
        if close is not None:
            close()


def _with_refusal(received: Received) -> Received:
    for choice in received.wire.get("choices") or ():
        message = choice.get("message") or {}
        message.setdefault("refusal", (message.get("provider_specific_fields") or {}).get("refusal"))
    return received


def _response(wire: Json) -> Any:
    from litellm import ModelResponse  # pyright: ignore[reportMissingImports] - it has an environment of its own

    return ModelResponse(**wire)
