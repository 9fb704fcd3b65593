"""Calling cohere's second version of chat; a client of the first has it under `v2`."""

from __future__ import annotations

from typing import Any

from instructor.engine.call import Json
from instructor.transport.function import AsyncFunction, Forms, Function


def blocking(client: Any) -> Function:
    chat = _second(client)
    return Function(chat.chat, chat.chat_stream, _FORMS, client)


def awaiting(client: Any) -> AsyncFunction:
    chat = _second(client)
    return AsyncFunction(chat.chat, chat.chat_stream, _FORMS, client)


def _second(client: Any) -> Any:
    from cohere.v2.client import AsyncV2Client, V2Client

    return client if isinstance(client, (V2Client, AsyncV2Client)) else client.v2


def _built(wire: Json) -> Any:
    from cohere.v2.types.v2chat_response import V2ChatResponse

    return V2ChatResponse.model_validate(wire)


_FORMS = Forms(build=_built)
