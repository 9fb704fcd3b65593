"""The embedded model, called with OpenAI's wire JSON: sync or async, streamed or not."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path
from typing import Any

from instructor.core.types import Json
from instructor.local.answer import Answer, fold
from instructor.local.engine import engine
from instructor.local.request import read_request
from instructor.local.weights import check


class LocalModel:
    """A model whose weights are a GGUF file. It is loaded at the first request, once a process."""

    def __init__(self, weights: str | Path = "") -> None:
        self.path = check(str(weights))

    def chat(self, body: Mapping[str, Any]) -> Json:
        """Answer a chat-completions body with a whole `chat.completion`."""
        return fold(list(self.stream({**body, "stream": False})))

    def stream(self, body: Mapping[str, Any]) -> Generator[Json, None, None]:
        """Answer with `chat.completion.chunk`s as they are written. Closing the generator ends the generation."""
        request = read_request(body)
        answer = Answer(request)
        events: queue.SimpleQueue[Json | Exception | None] = queue.SimpleQueue()
        run = engine(self.path).start(request.body, events.put)
        try:
            while not answer.done and (event := events.get()) is not None:
                yield from _chunks(answer, event)
            yield from answer.close()
        finally:
            run.stop()

    async def achat(self, body: Mapping[str, Any]) -> Json:
        """`chat`, awaited."""
        return fold([chunk async for chunk in self.astream({**body, "stream": False})])

    async def astream(self, body: Mapping[str, Any]) -> AsyncGenerator[Json, None]:
        """`stream`, awaited."""
        request = read_request(body)
        answer = Answer(request)
        events: asyncio.Queue[Json | Exception | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loaded = await asyncio.to_thread(engine, self.path)
        run = loaded.start(request.body, lambda event: loop.call_soon_threadsafe(events.put_nowait, event))
        try:
            while not answer.done and (event := await events.get()) is not None:
                for chunk in _chunks(answer, event):
                    yield chunk
            for chunk in answer.close():
                yield chunk
        finally:
            run.stop()


def _chunks(answer: Answer, event: Json | Exception) -> list[Json]:
    if isinstance(event, Exception):
        raise event
    return answer.feed(event)
