"""Calling google-genai: `client.models`, and `client.aio.models` of the same client."""

from __future__ import annotations

import base64
import inspect
import json
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from instructor.core.types import Json
from instructor.exceptions import ConfigurationError
from instructor.providers.functions import AsyncFunction, Function, SDKAdapter, has_begun, held, object_of

_MAKING = ("_from_response", "_GenerateContentResponse_from")
"""How the functions are called by which the SDK makes its object."""


def sync_transport(client: Any) -> Function:
    models = client.models
    return Function(models.generate_content, models.generate_content_stream, _ADAPTER, client)


def async_transport(client: Any) -> AsyncFunction:
    models = getattr(client, "aio", client).models
    adapter = replace(_ADAPTER, close=_aclosed)
    return AsyncFunction(models.generate_content, models.generate_content_stream, adapter, client)


def _asked(body: dict[str, Any]) -> dict[str, Any]:
    from google.genai import types

    try:
        config = types.GenerateContentConfig.model_validate(body.get("config") or {})
        contents = [types.Content.model_validate(_with_bytes(content)) for content in body["contents"]]
    except ValidationError as error:
        wrong = "; ".join(
            f"{fault['msg']} @ {'.'.join(map(str, fault['loc']))}" for fault in error.errors(include_url=False)
        )
        raise ConfigurationError(f"Invalid {error.title}: {wrong}") from error
    return {**body, "contents": contents, "config": config}


def _with_bytes(content: Json) -> Json:
    """Decode what JSON holds as base64: the SDK takes a text here for the bytes themselves."""
    return {**content, "parts": [_part_with_bytes(part) for part in content.get("parts", ())]}


def _part_with_bytes(part: Json) -> Json:
    made = dict(part)
    for name in ("thoughtSignature", "thought_signature"):
        if isinstance(made.get(name), str):
            made[name] = base64.urlsafe_b64decode(made[name])
    for name in ("inlineData", "inline_data"):
        blob = made.get(name)
        if isinstance(blob, Mapping) and isinstance(blob.get("data"), str):
            made[name] = {**blob, "data": base64.urlsafe_b64decode(blob["data"])}
    return made


def _read(response: Any) -> Json:
    if isinstance(response, dict):
        return response
    wire: Json = response.model_dump(
        mode="json",
        by_alias=True,
        exclude_none=True,
        exclude={"sdk_http_response", "parsed", "automatic_function_calling_history"},
        warnings=False,
    )
    return wire


def _built(wire: Json) -> Any:
    from google.genai import types

    return types.GenerateContentResponse.model_validate_json(json.dumps(wire))


def _headers(response: Any) -> Mapping[str, str]:
    http = getattr(response, "sdk_http_response", None)
    return dict(http.headers or {}) if http is not None else {}


async def _aclosed(stream: Any) -> None:
    """Close a stream and what it reads from, which the SDK leaves to the garbage collector."""
    found = [stream]  # an asynchronous generator
    for each in found:  # which grows meanwhile: each holds what it stands in the middle of reading
        for value in each.ag_frame.f_locals.values() if each.ag_frame else ():
            source = getattr(value, "segment_iterator", value)
            if inspect.isasyncgen(source) and source not in found:
                found.append(source)
    for each in found:
        await each.aclose()


def _refused(error: BaseException) -> Json | None:
    """Return the JSON of which the SDK was making an object when it failed."""
    from google.genai import types

    if not any(frame.f_code.co_name.startswith(_MAKING) for frame, _ in traceback.walk_tb(error.__traceback__)):
        return None  # what it has in its hands it has given already
    bodies = (value.body for value in held(error) if isinstance(value, types.HttpResponse))
    return next((found for body in bodies if (found := object_of(body)) is not None), None)


def _begun(error: BaseException) -> bool:
    return has_begun(error) or _refused(error) is not None


_ADAPTER = SDKAdapter(_asked, _read, _built, _headers, refused=_refused, begun=_begun)
