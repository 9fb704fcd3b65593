"""mirascope: `structured_stream` of a container; its items are counted as they come to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mirascope import llm
from models import tasks_of


def _stream(url: str, model: Any) -> Any:
    llm.register_provider("openai:completions", scope="openai/", api_key="none", base_url=url)
    asked = llm.format(model, mode="tool")
    return lambda: llm.Model("openai/bench:completions").stream("Extract everything.", format=asked).structured_stream()


def items(url: str, model: Any, **_: Any) -> Callable[[], int]:
    stream = _stream(url, tasks_of(model))

    def run() -> int:
        *_, last = stream()
        return len(last.tasks)

    return run


def snapshots(url: str, model: Any, **_: Any) -> Callable[[], int]:
    stream = _stream(url, model)
    return lambda: sum(1 for _ in stream())
