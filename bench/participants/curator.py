"""Bespoke Curator, as its documentation says. Its cache of requests and answers is made anew for each run."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ |= {"TELEMETRY_ENABLED": "false", "CURATOR_DISABLE_RICH_DISPLAY": "1", "OPENAI_API_KEY": "none"}

import tiktoken
from bespokelabs import curator
from models import MODEL


class _Quarter:
    """Stands for the tokenizer that it would download when it runs: a token for four characters."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return [0] * (len(text) // 4)


tiktoken.get_encoding = tiktoken.encoding_for_model = lambda *_: _Quarter()


def rows(url: str, model: Any, count: int, flight: int, **_: Any) -> Callable[[], dict[str, float]]:
    def run() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CURATOR_CACHE_DIR"] = folder
            limits = {"max_requests_per_minute": 10_000_000, "max_tokens_per_minute": 1_000_000_000}
            llm = curator.LLM(
                model_name=MODEL, response_format=model, backend="openai",
                backend_params={"base_url": url, "max_concurrent_requests": flight, **limits},
            )  # fmt: skip
            begin = time.monotonic()
            found = llm([f"Row {number}" for number in range(count)], working_dir=folder)
            seconds = time.monotonic() - begin
            assert len(found.dataset) == count
            return {"count": count, "rows_a_second": count / seconds}

    return run
