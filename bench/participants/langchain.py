"""LangChain: `with_structured_output().stream`, by tools, which yields containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_openai import ChatOpenAI
from models import MODEL, tasks_of


def _stream(url: str, model: Any) -> Any:
    chat = ChatOpenAI(model=MODEL, base_url=url, api_key="none", max_retries=0)  # type: ignore[arg-type]
    chain = chat.with_structured_output(model, method="function_calling")
    return lambda: chain.stream("Extract everything.")


def items(url: str, model: Any, **_: Any) -> Callable[[], int]:
    stream = _stream(url, tasks_of(model))

    def run() -> int:
        *_, last = stream()
        return len(last.tasks)

    return run


def snapshots(url: str, model: Any, **_: Any) -> Callable[[], int]:
    stream = _stream(url, model)
    return lambda: sum(1 for _ in stream())
