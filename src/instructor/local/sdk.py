"""The embedded model as an SDK of its own: two clients, and how they are called."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from types import SimpleNamespace
from typing import Any

from instructor.core.types import Json
from instructor.local.chat import LocalModel
from instructor.local.weights import NAMES, check
from instructor.providers.base import Provider, Wire
from instructor.providers.functions import AsyncFunction, Function, SDKAdapter
from instructor.providers.openai.chat import OpenAIChat

_models: dict[str, LocalModel] = {}
_finding = threading.Lock()


def model(name: str | None = None) -> LocalModel:
    """Return the model of a name, or of a GGUF file's path; a ConfigurationError says what is missing."""
    with _finding:
        key = name or ""
        if key not in _models:
            _models[key] = LocalModel(key)
        return _models[key]


class Local:
    """The embedded model's client: `create` takes a chat-completions body, and gives what OpenAI's SDK would."""

    def create(self, **body: Any) -> Any:
        """Return a `chat.completion`, or with `stream` a generator of its chunks."""
        chosen = model(body.get("model"))
        return _streamed(chosen.stream(body)) if body.get("stream") else _shaped(chosen.chat(body))


class AsyncLocal:
    """The async counterpart."""

    async def create(self, **body: Any) -> Any:
        """Return a `chat.completion`, or with `stream` an asynchronous generator of its chunks."""
        chosen = model(body.get("model"))
        return _astreamed(chosen.astream(body)) if body.get("stream") else _shaped(await chosen.achat(body))


def sync_transport(client: Local) -> Function:
    return Function(client.create, adapter=_FORMS)


def async_transport(client: AsyncLocal) -> AsyncFunction:
    return AsyncFunction(client.create, adapter=_FORMS)


def _streamed(chunks: Generator[Json, None, None]) -> Generator[Any, None, None]:
    try:
        for chunk in chunks:
            yield _shaped(chunk)
    finally:
        chunks.close()


async def _astreamed(chunks: AsyncGenerator[Json, None]) -> AsyncGenerator[Any, None]:
    try:
        async for chunk in chunks:
            yield _shaped(chunk)
    finally:
        await chunks.aclose()


def _shaped(value: Any) -> Any:
    """Return wire JSON the attributes that users read: `response.choices[0].message.content`."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: _shaped(part) for key, part in value.items()})
    return [_shaped(part) for part in value] if isinstance(value, list) else value


_FORMS = SDKAdapter(build=_shaped)


PROVIDER = Provider(
    name="local",
    sdk="instructor.local.sdk",
    clients=("Local",),
    async_clients=("AsyncLocal",),
    wire=Wire(OpenAIChat("local"), sync_transport, async_transport),
    modes=OpenAIChat.modes,
    model=NAMES[0],
    check=check,
)
