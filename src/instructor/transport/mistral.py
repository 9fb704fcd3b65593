"""Calling mistralai: one client has both colours, its events hold the chunk under `data`."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

from pydantic import ValidationError

from instructor.engine.call import Json
from instructor.transport.function import AsyncFunction, Forms, Function, object_of
from instructor.transport.wirejson import as_wire


def _body(error: BaseException) -> Json | None:
    """Return the JSON that came, where the SDK refuses it because it fits no model of its own."""
    if not isinstance(error.__cause__, ValidationError):
        return None
    body = object_of(getattr(error, "body", None))
    if body is None or "data" not in body:
        return body
    data = body["data"]  # of an event
    return data if isinstance(data, dict) and "choices" in data else {"error": data}


def blocking(client: Any) -> Function:
    return Function(client.chat.complete, client.chat.stream, _FORMS, client)


def awaiting(client: Any) -> AsyncFunction:
    open_stream = client.chat.stream_async

    async def stream(**body: Any) -> Any:
        try:
            return await open_stream(**body)
        except asyncio.CancelledError as error:
            await _release(error)
            raise

    return AsyncFunction(client.chat.complete_async, stream, _FORMS, client)


async def _release(error: BaseException) -> None:
    """Close the response of a cancelled call: cancelled after it came, while hooks run, the SDK forgets it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        response = frame.f_locals.get("http_res")
        if response is not None:
            await response.aclose()


def _read(response: Any) -> Json:
    return as_wire(getattr(response, "data", response))


def _built(wire: Json) -> Any:
    from mistralai.client.models import ChatCompletionResponse

    try:
        return ChatCompletionResponse.model_validate(wire)
    except ValidationError:
        return wire


_FORMS = Forms(read=_read, build=_built, refused=_body)
