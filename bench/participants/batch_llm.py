"""async-batch-llm over the SDK's own client, with a checkpoint of each row, as its documentation says."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from async_batch_llm import (
    ArtifactIdentity,
    CallableStrategy,
    CallOutcome,
    JsonlArtifactStore,
    ProcessorConfig,
    process_prompts,
)
from models import MODEL
from participants.bare import client_of, tool


def rows(url: str, model: Any, count: int, flight: int, http: str = "", **_: Any) -> Callable[[], dict[str, float]]:
    sdk, loop = client_of(url, http), asyncio.new_event_loop()

    async def invoke(prompt: str, **_: Any) -> Any:
        asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **tool(model)}
        reply = await sdk.chat.completions.create(**asked)
        value = model.model_validate_json(reply.choices[0].message.tool_calls[0].function.arguments)
        return CallOutcome(value.model_dump(mode="json"), token_usage={"total_tokens": reply.usage.total_tokens})

    async def every(folder: str) -> None:
        identity = ArtifactIdentity(provider="openai", model=MODEL)
        store = JsonlArtifactStore(Path(folder) / "run.jsonl", identity=identity)
        prompts = [(str(number), f"Row {number}") for number in range(count)]
        strategy = CallableStrategy(invoke, identity=identity)
        config = ProcessorConfig(concurrency=flight)
        batch = await process_prompts(strategy, prompts, config=config, artifact_store=store)
        assert sum(result.success for result in batch.results) == count

    def run() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.monotonic()
            loop.run_until_complete(every(folder))
            return {"count": count, "rows_a_second": count / (time.monotonic() - begin)}

    return run
