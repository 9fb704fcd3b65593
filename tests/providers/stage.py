"""The servers and clients of all wires for property tests, and what each wire cannot be made to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import instructor
from cases import Case, cases
from instructor import Mode
from instructor.testing import Asked, Reply
from instructor.testing import strategies as model

WIRES = tuple((os.environ.get("WIRES") or "openai,anthropic,google,bedrock,cohere,mistral,xai").split(","))
"""The wires; the variable `WIRES` of the environment chooses some."""
CASES = {case.name: case for case in cases() if case.name in WIRES}
UNKNOWN = {"xai": "REASON_INVALID", "google": "OTHER", "cohere": "USER_CANCEL"}
"""Finish reasons that prove nothing, where the SDK or the wire knows no word of our own making."""
ENDINGS: dict[str, tuple[model.Ending, ...]] = {
    # gRPC's messages are whole or not there. An error right at the beginning may be told of without the metadata that
    # came before it, and is then a refused request.
    "xai": ("end", "length", "cut", "drop", "unknown"),
    "bedrock": ("end", "length", "cut", "drop", "error", "unknown"),  # frames with checksums
}


class Stage:
    """The servers and clients of all wires, made once: one function answers whatever case is being tried."""

    def __init__(self) -> None:
        self.running = ExitStack()
        self.loop = asyncio.new_event_loop()
        self.reply: Callable[[Asked], Reply] | None = None
        self.servers: dict[str, Any] = {}
        self.clients: dict[tuple[str, Mode, bool], Any] = {}

    def client(self, case: Case, mode: Mode, is_async: bool) -> Any:
        key = (case.name, mode, is_async)
        if key not in self.clients:
            if case.name not in self.servers:
                self.servers[case.name] = self.running.enter_context(case.server(lambda asked: self.reply(asked)))  # type: ignore[misc]
            self.clients[key] = self.loop.run_until_complete(self._made(case, mode, is_async))
        return self.clients[key]

    async def _made(self, case: Case, mode: Mode, is_async: bool) -> Any:
        """Make a client; some SDKs keep the event loop that runs meanwhile."""
        options = case.options(self.servers[case.name])
        return instructor.from_provider(f"{case.name}/{case.model}", mode=mode, async_client=is_async, **options)

    def collect(self, stream: Any, take: Callable[[Any], None]) -> None:
        """Hand over what a stream gives, one by one; what came before an error too."""

        async def all_of() -> None:
            async for each in stream:
                take(each)

        if hasattr(stream, "__anext__"):
            self.loop.run_until_complete(all_of())
        else:
            for each in stream:
                take(each)

    def close(self) -> None:
        for (name, _, _), client in self.clients.items():
            close = CASES[name].close
            if close is not None or hasattr(client.client, "close"):
                closing = close(client.client) if close is not None else client.client.close()
                self.loop.run_until_complete(_awaited(closing))
        self.running.close()
        self.loop.close()


async def _awaited(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()
