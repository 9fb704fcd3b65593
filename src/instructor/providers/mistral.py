"""Mistral's chat completions: OpenAI's wire, but for some names and for how a tool is forced."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from instructor.core import prompts
from instructor.core.types import TEXT, Call, Delta, Json, Message, Reply, Request
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.content import file_of
from instructor.providers.functions import AsyncFunction, Function, SDKAdapter, as_wire, object_of
from instructor.providers.openai.chat import OpenAIChat
from instructor.providers.pieces import Calls

_NAMES = {"seed": "random_seed", "max_completion_tokens": "max_tokens"}
_NO_ID = "null"
"""What the SDK calls a call without an id, which all its deltas after the first are."""


class Mistral(OpenAIChat):
    """The dialect of one provider that speaks this wire."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider, counts_streams=False)  # it counts them unasked

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        named = {_NAMES.get(name, name): value for name, value in options.items()}
        turns = [{**turn, "role": "system"} if turn.get("role") == "developer" else turn for turn in messages]
        return super().encode_plain(turns, named)

    own_parts = frozenset(("text", "image_url", "document_url", "reference", "thinking"))
    translated_parts = ("input_audio", "file")
    by_address = frozenset(("image_url", "file"))

    def translate_part(self, part: Json) -> Json | None:
        """Return a sound or a file in this wire's form; its own forms of them have other fields, and stay."""
        match part:
            case {"type": "input_audio", "input_audio": {"data": str(data)}}:
                return {"type": "input_audio", "input_audio": data}
            case {"type": "input_audio", "input_audio": str()} | {"type": "file", "file_id": _}:
                return part
            case {"type": "file"}:
                file = file_of(part, by_address=True)
                if file.id:
                    return {"type": "file", "file_id": file.id}
                url = f"data:{file.media_type};base64,{file.data}" if file.data else file.url
                return {
                    "type": "document_url",
                    "document_url": url,
                    **({"document_name": file.name} if file.name else {}),
                }
        return None

    def choice(self, body: Json, call: Call) -> str:
        """Force any tool."""
        del body, call
        return "any"

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        """Append the reply and the notes.

        A text beside calls is refused, and so is a user's word right after a tool's result: then nothing is said.
        """
        if reply.calls:
            reply = replace(reply, text="")
        turns = request.body[self.turns_key]
        silent = not reply.calls and not reply.text.strip()
        if silent and turns and isinstance(turns[-1], Mapping) and turns[-1].get("role") == "tool":
            reply = replace(reply, text=prompts.NOTHING_SAID)
        return super().correct(request, reply, notes)

    def delta(self, event: Json) -> Iterable[Delta]:
        return self._told_apart(super().delta(event), Calls())

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads one stream, and knows the calls that came before."""
        calls = Calls()
        return lambda event: self._told_apart(OpenAIChat.delta(self, event), calls)

    def _told_apart(self, deltas: Iterable[Delta], calls: Calls) -> Iterator[Delta]:
        """Yield deltas that distinguish calls: without an index the SDK says 0, and `null` for an id."""
        seen: set[int] = set()
        for delta in deltas:
            if delta.channel == TEXT:
                yield delta
                continue
            call_id = "" if delta.id in (None, _NO_ID) else str(delta.id)
            nameless = not call_id and delta.channel in seen  # several that came whole, without any mark
            seen.add(delta.channel)
            yield calls.read(None if nameless else delta.channel, call_id, delta.name or "", delta.text)


def _body(error: BaseException) -> Json | None:
    """Return the JSON that came, where the SDK refuses it because it fits no model of its own."""
    if not isinstance(error.__cause__, ValidationError):
        return None
    body = object_of(getattr(error, "body", None))
    if body is None or "data" not in body:
        return body
    data = body["data"]  # of an event
    return data if isinstance(data, dict) and "choices" in data else {"error": data}


def sync_transport(client: Any) -> Function:
    return Function(client.chat.complete, client.chat.stream, _ADAPTER, client)


def async_transport(client: Any) -> AsyncFunction:
    open_stream = client.chat.stream_async

    async def stream(**body: Any) -> Any:
        try:
            return await open_stream(**body)
        except asyncio.CancelledError as error:
            await _release(error)
            raise

    return AsyncFunction(client.chat.complete_async, stream, _ADAPTER, client)


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


_ADAPTER = SDKAdapter(read=_read, build=_built, refused=_body)


PROVIDER = Provider(
    name="mistral",
    sdk="mistralai.client",
    clients=("Mistral",),
    async_clients=("Mistral",),
    wire=Wire(Mistral("mistral"), sync_transport, async_transport),
    modes=Mistral.modes,
    legacy={Mode.MISTRAL_TOOLS: Mode.TOOLS, Mode.MISTRAL_STRUCTURED_OUTPUTS: Mode.JSON_SCHEMA},
    key="MISTRAL_API_KEY",
)
