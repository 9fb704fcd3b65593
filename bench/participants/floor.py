"""The floor: raw bytes from the HTTP client, each event parsed by jiter, and nothing made of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import jiter
from models import MESSAGES, MODEL

_TOOL = {"type": "function", "function": {"name": "Floor", "parameters": {"type": "object", "properties": {}}}}


def events(url: str, _model: type[Any], **_: Any) -> Callable[[], int]:
    client = httpx2.Client()
    asked = {"model": MODEL, "messages": MESSAGES, "stream": True, "tools": [_TOOL]}
    body, headers = json.dumps(asked).encode(), {"content-type": "application/json"}

    def run() -> int:
        count, kept, parse = 0, b"", jiter.from_json
        with client.stream("POST", f"{url}/chat/completions", content=body, headers=headers) as response:
            for data in response.iter_raw():
                *whole, kept = (kept + data).split(b"\n\n")
                for event in whole:
                    if event != b"data: [DONE]":
                        parse(event[6:])
                        count += 1
        return count

    return run


items = snapshots = events
