"""One of many workers of a run, in a process of an engine that has several: Ray, Daft."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from instructor.bulk.engine import Done, Engine, Work, failed
from instructor.bulk.journal import Answer, Identity
from instructor.bulk.limits import Limits
from instructor.bulk.shards import Shards
from instructor.exceptions import ConfigurationError

MakeClient = Callable[[], Any]
"""A function without arguments that returns a client: clients cannot be sent to other processes."""


class Worker:
    """Asks for rows with a client and limits of its own, and writes each answer before it returns it.

    All its coroutines run on one event loop.
    """

    def __init__(
        self, make_client: MakeClient, folder: str | PathLike[str] | None, arguments: Mapping[str, Any]
    ) -> None:
        """`arguments` are those of `client.map` without its rows."""
        self._prepared = make_client().map((), **arguments).prepared
        facts = self._prepared.configuration
        self.schema: str = facts.schema
        """The JSON schemas of the answer, by the names of their tools."""
        self.many: bool = self._prepared.many
        self._engine: Engine | None = None
        self._stopped = False
        self._tasks: set[asyncio.Task[Done]] = set()
        self._shards = None if folder is None else Shards(Path(folder), facts.job, facts.text)
        self._writing = ThreadPoolExecutor(1, "instructor-journal")

    async def answer(self, row: Any) -> Answer:
        """Return the answer to a row. If its messages cannot be made, that is the row's error.

        Raises:
            Stop: No other row can succeed, or the budget is spent.
        """
        try:
            work = self._prepared.work_of(row)
        except Exception as error:
            return failed(Identity(b"", b"", b"", None), error).answer
        return await self.ask(work)

    async def ask(self, work: Work) -> Answer:
        """Return the answer to a request. It is written already.

        Raises:
            Stop: No other row can succeed, or the budget is spent.
        """
        if self._shards is not None and (found := self._shards.find(work.identity)) is not None:
            return found
        if (engine := self._engine) is None:
            engine = self._engine = self._prepared.engine()
            await engine.start(_nothing, None)
            if self._stopped:
                engine.stop()
        task: asyncio.Task[Done] = asyncio.ensure_future(engine.ask(work))
        self._tasks.add(task)
        try:
            answer = (await task).answer
        finally:
            self._tasks.discard(task)
        if self._shards is not None:
            await asyncio.get_running_loop().run_in_executor(self._writing, self._shards.commit, answer)
        return answer

    def stop(self) -> None:
        """Let no row begin any more."""
        self._stopped = True
        if self._engine is not None:
            self._engine.stop()

    async def close(self) -> None:
        """End the calls in flight, and let go of the journal."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()
        self._writing.shutdown()
        if self._shards is not None:
            self._shards.close()


def _nothing() -> None: ...


def divided(limits: Limits, count: int) -> Limits:
    """Return the limits of each of several workers.

    Raises:
        ConfigurationError: A limit is smaller than the number of workers.
    """
    parts: dict[str, Any] = {}
    for name in ("concurrency", "rpm", "tpm", "total_tokens"):
        whole = getattr(limits, name)
        if whole is not None:
            if whole < count:
                raise ConfigurationError(f"{name}={whole} cannot be divided among {count} workers: use fewer workers.")
            parts[name] = whole // count
    if limits.max_cost is not None:
        parts["max_cost"] = limits.max_cost / count
    return replace(limits, **parts)
