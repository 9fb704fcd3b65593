"""Calling mistralai: one client has both colours, its events hold the chunk under `data`."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from instructor.engine.call import Json
from instructor.transport.paired import AsyncPaired, Forms, Paired
from instructor.transport.wirejson import as_wire


def blocking(client: Any) -> Paired:
    return Paired(client.chat.complete, client.chat.stream, _FORMS)


def awaiting(client: Any) -> AsyncPaired:
    return AsyncPaired(client.chat.complete_async, client.chat.stream_async, _FORMS)


def _read(response: Any) -> Json:
    return as_wire(getattr(response, "data", response))


def _built(wire: Json) -> Any:
    from mistralai.client.models import ChatCompletionResponse

    try:
        return ChatCompletionResponse.model_validate(wire)
    except ValidationError:
        return wire


_FORMS = Forms(read=_read, build=_built)
