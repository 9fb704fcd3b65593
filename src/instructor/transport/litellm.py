"""Calling litellm, which is functions: `completion` and `acompletion`, of its module or of a router.

It moves a refusal to a place of its own, from where it is fetched. Of a streamed refusal it keeps nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from instructor.engine.call import Json
from instructor.transport.function import AsyncFunction, Forms, Function
from instructor.transport.wirejson import as_wire


def blocking(client: Any) -> Function:
    return Function(getattr(client, "completion", client), forms=replace(_FORMS, close=_close))


def awaiting(client: Any) -> AsyncFunction:
    return AsyncFunction(getattr(client, "acompletion", client), forms=_FORMS)


def _close(stream: Any) -> None:
    """Close a blocking stream: litellm's own cannot be, but the provider's SDK's inside can."""
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


_FORMS = Forms(read=_read, build=_built)
