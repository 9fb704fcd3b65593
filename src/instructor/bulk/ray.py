"""Runs over the processes and machines of a Ray cluster.

    client.map(rows, response_model=Person, store="people.sqlite", engine="ray")
    dataset.map_batches(Extractor, fn_constructor_kwargs={"client": make_client, ...}, ...)

Theory of operation. The process that calls `client.map` reads the rows, keeps the store, and gives each row to the
actor that has the fewest. An actor has a client of its own and a share of the limits. It writes an answer into a
journal of its own before it returns it:

    an actor dies      Ray starts it anew; its rows are given out again, and found in its journal if they were answered
    the driver dies    Ray ends its actors; the next run with the store takes over what their journals have
    both are well      the driver writes all answers into the store, and the journals go

So a row whose answer was written is never asked again. Rows that were in flight are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from instructor._install import install_command
from instructor.bulk.engine import Done, Work
from instructor.bulk.journal import Answer, Journal
from instructor.bulk.limits import Limits
from instructor.bulk.rows import BulkReport, JobStoppedError, Stopped
from instructor.bulk.table import AnswerTable
from instructor.bulk.transport import Stop
from instructor.bulk.workers import MakeClient, Worker, divided
from instructor.exceptions import ConfigurationError

try:
    import ray  # pyright: ignore[reportMissingImports]
    from ray.exceptions import RayActorError, RayError  # pyright: ignore[reportMissingImports]
except ModuleNotFoundError as error:
    raise ConfigurationError(f"The engine needs the module {error.name!r}: {install_command('ray')}") from error

_PATIENCE = 10.0
"""Seconds that the actors have to end what they do when the run ends."""
_START = 60.0
"""Seconds in which all actors must have begun."""
_TRIES = 3
"""How often a row is given out while its actor dies: then the row is the reason perhaps."""


@dataclass(frozen=True)
class RayActors:
    """The engine of `client.map` on Ray. It uses the cluster that Ray is connected to, or starts one on this machine.

    Args:
        client: A function that makes the client of an actor. It may be left out if the client of `map` was made by
            `from_provider` and takes its key from the environment.
        actors: How many there are. The limits are divided among them.
        options: Ray's options of each actor, for example `{"num_cpus": 0.5}`.

    Example:
        >>> def make_client():
        ...     return instructor.from_provider("openai/gpt-4o-mini", async_client=True)
        >>> client.map(rows, response_model=Person, engine=RayActors(make_client, actors=4))
    """

    client: MakeClient | None = None
    actors: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.actors, bool) or not isinstance(self.actors, int) or self.actors < 1:
            raise ConfigurationError(f"actors must be a number, 1 or more, got {self.actors!r}.")
        if self.client is not None and not callable(self.client):
            raise ConfigurationError(f"client must be a function that makes a client, got {self.client!r}.")

    def engine(self, make: MakeClient | None, folder: Path | None, arguments: Mapping[str, Any]) -> RayEngine:
        """Return the engine of one run. `make` makes a client like that of the run, if there is such a function.

        Raises:
            ConfigurationError: Nothing makes a client for the actors, or the limits cannot be divided.
        """
        make = self.client or make
        if make is None:
            raise ConfigurationError(
                "This client cannot be made again in Ray's actors: pass engine=RayActors(make_client), with a "
                "function that returns a client. (A client of from_provider whose key is in the environment can.)"
            )
        return RayEngine(self, make, folder, arguments)


class RayEngine:
    """Gives rows to actors. See the theory of operation of this module."""

    def __init__(self, actors: RayActors, make: MakeClient, folder: Path | None, arguments: Mapping[str, Any]) -> None:
        limits: Limits = arguments["limits"]
        self._share = divided(limits, actors.actors)
        self._actors, self._make, self.folder, self._arguments = actors, make, folder, arguments
        self._load: dict[Any, int] = {}
        self._starts_ray = False
        self.size = self.most = limits.concurrency
        self.rate_limited = self.parked = 0
        """The actors wait for their limits themselves, so that no row is parked here."""
        self._stopped = False

    @property
    def in_flight(self) -> int:
        return sum(min(load, self._share.concurrency) for load in self._load.values())

    async def start(self, changed: Callable[[], None], journal: Journal | None) -> None:
        del journal  # each actor has its own
        self._changed = changed
        if not ray.is_initialized():
            self._starts_ray = True
            await asyncio.to_thread(ray.init, include_dashboard=False, log_to_driver=False)
        folder = None if self.folder is None else str(self.folder.resolve())
        kind = ray.remote(_Actor).options(
            **{"max_restarts": -1, "max_concurrency": 2 * self._share.concurrency + 8, **self._actors.options}
        )
        arguments = {**self._arguments, "limits": self._share}
        for _ in range(self._actors.actors):
            self._load[kind.remote(self._make, folder, arguments)] = 0
        try:
            ready = asyncio.gather(*(actor.ready.remote() for actor in self._load))
            await asyncio.wait_for(ready, _START)
        except asyncio.TimeoutError as error:
            free = ray.available_resources().get("CPU", 0)
            raise ConfigurationError(
                f"Ray has not started {self._actors.actors} actors in {_START:.0f} seconds. It has {free:g} free CPUs: "
                "use fewer actors, or pass RayActors(..., options={'num_cpus': 0})."
            ) from error
        except RayError as error:
            raise ConfigurationError(f"Ray cannot start the actors: {error}") from error

    async def ask(self, work: Work) -> Done:
        answer = await self._answered(work)
        if isinstance(answer, _Stopped):
            raise Stop(answer.reason, RuntimeError(answer.message))
        self.rate_limited += sum(attempt.status == "rate_limited" for attempt in answer.attempts)
        return Done(answer)

    async def _answered(self, work: Work) -> Answer | _Stopped:
        tries = 0
        while True:
            if self._stopped:
                return _Stopped("cancelled", "")
            actor = min(self._load, key=self._load.__getitem__)
            self._load[actor] += 1
            self._changed()
            try:
                answer: Answer | _Stopped = await actor.ask.remote(work)
                return answer
            except RayActorError:
                tries += 1
                if tries == _TRIES:
                    raise
            finally:
                self._load[actor] -= 1
                self._changed()

    def ended(self) -> None: ...

    def stop(self) -> None:
        self._stopped = True
        for actor in self._load:
            actor.stop.remote()

    async def close(self) -> None:
        ended = [actor.close.remote() for actor in self._load]
        if ended:
            await asyncio.wait([asyncio.wrap_future(each.future()) for each in ended], timeout=_PATIENCE)
        for actor in self._load:
            ray.kill(actor)
        if self._starts_ray:
            await asyncio.to_thread(ray.shutdown)


class _Stopped(NamedTuple):
    """Why no other row may be asked."""

    reason: Stopped
    message: str


class _Actor:
    """A worker, as Ray calls it."""

    def __init__(self, make: MakeClient, folder: str | None, arguments: Mapping[str, Any]) -> None:
        self._worker = Worker(make, folder, arguments)

    async def ready(self) -> None:
        """Return when the actor has begun."""

    async def ask(self, work: Work) -> Answer | _Stopped:
        try:
            return await self._worker.ask(work)
        except Stop as stop:
            return _Stopped(stop.reason, str(stop.cause or stop))

    async def stop(self) -> None:
        self._worker.stop()

    async def close(self) -> None:
        await self._worker.close()


class Extractor:
    """Asks for the rows of a dataset, a batch at a time: for `Dataset.map_batches` with actors.

    Each batch gets the columns `answer` (of the type of `response_model`), `error`, `attempts`, `input_tokens` and
    `output_tokens`. A row that fails has an error and no answer; it does not end the dataset.

    Args:
        client: A function that makes the client of an actor.
        response_model: The type of the answer to one row. `Iterable[User]` gives a list.
        messages: As in `client.map`: a function of the row, a template, or an instruction.
        store: A folder in which each actor keeps its answers: when the same dataset is run again, rows that were
            answered are not asked. On a cluster of several machines it is a folder of each machine's own disk.
        limits: The limits of all actors together.
        actors: How many actors there are, as given to `map_batches`.
        options: All other arguments are those of `create`.

    Raises:
        JobStoppedError: No other row can succeed, or the budget is spent.

    Example:
        >>> arguments = {"client": make_client, "response_model": Person, "store": "/data/people", "actors": 2}
        >>> dataset.map_batches(
        ...     Extractor, fn_constructor_kwargs=arguments, batch_format="pyarrow", batch_size=64,
        ...     compute=ray.data.ActorPoolStrategy(size=2),
        ... )
    """

    def __init__(
        self,
        client: MakeClient,
        *,
        response_model: Any,
        messages: Any = None,
        store: str | PathLike[str] | None = None,
        limits: Limits | None = None,
        actors: int = 1,
        **options: Any,
    ) -> None:
        share = divided(limits or Limits(), actors)
        self._worker = Worker(
            client, store, {"response_model": response_model, "messages": messages, "limits": share, **options}
        )
        self._table = AnswerTable(self._worker.schema, many=self._worker.many)

    async def __call__(self, batch: Any) -> AsyncIterator[Any]:
        """Yield the batch, an Arrow table, with the columns of the answers."""
        rows = batch.to_pylist()
        try:
            answers = await asyncio.gather(*(self._worker.answer(row) for row in rows))
        except Stop as stop:
            raise JobStoppedError(f"No other row can succeed: {stop.cause or stop}", BulkReport()) from stop.cause
        yield self._table.appended(batch, answers)
