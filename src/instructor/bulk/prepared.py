"""The arguments of a run, checked, and all that can be known before it starts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

from instructor._install import install_command
from instructor.bulk.batches import BatchEngine, Batches
from instructor.bulk.configuration import configuration
from instructor.bulk.engine import AsyncioEngine, Calls, Engine, EngineName, Reader, Work
from instructor.bulk.estimate import estimate
from instructor.bulk.inputs import Source, source_of
from instructor.bulk.job import Job, Outbox, Settings
from instructor.bulk.journal import Journal
from instructor.bulk.limits import Limits, Prices
from instructor.bulk.requests import Prompt, Requests, checked_keys
from instructor.bulk.rows import BulkReport, Estimate, OnError
from instructor.bulk.shards import absorb
from instructor.bulk.store import Store
from instructor.exceptions import ConfigurationError

_NOT_FOR_ROWS = {
    "stream": "a bulk run gives whole rows.",
    "cache": "the store keeps the answers: pass store=.",
    "hooks": "pass on_row= and on_progress=, or add hooks to the client.",
}
_SAMPLE = [{"role": "user", "content": ""}]


class Prepared:
    """What a run does, as a value: the same one makes the run itself, an estimate, and the workers of an engine."""

    def __init__(self, calls: Calls, rows: Any, given: Mapping[str, Any]) -> None:
        options: dict[str, Any] = {**calls.binding.defaults, **given["options"]}
        for name, why in _NOT_FOR_ROWS.items():
            if options.get(name):
                raise ConfigurationError(f"map() does not take {name}=: {why}")
        _check(given)
        _check_for_limits(options)
        self._calls = calls
        self._source = source_of(rows)
        self._context = options.pop("context", None)
        if self._context is not None and not isinstance(self._context, Mapping):
            raise ConfigurationError(f"context must be a dict, got {self._context!r}.")
        options.pop("cache", None)
        self._messages = given["messages"]
        self._prompt = Prompt(self._messages, self._source.text_field, self._context)
        binding = calls.binding
        plan = calls.over(binding.transport).prepare(given["response_model"], _SAMPLE, options)
        own = {name: options[name] for name in options if name in plan.run.body or name in ("model", "extra_headers")}
        self._requests = Requests(
            provider=binding.provider, client=binding.client or binding.transport.create, mode=str(binding.mode),
            options=own, context=self._context, strict=options.get("strict", True), output=plan.output,
        )  # fmt: skip
        limits: Limits = given["limits"] or Limits()
        if limits.prices is None:
            limits = replace(limits, prices=Prices.of_model(binding.provider, options.get("model")))
        if limits.max_cost is not None and limits.prices is None:
            raise ConfigurationError(
                f"max_cost needs to know the prices of {options.get('model')!r}: pass "
                "Limits(prices=Prices(input=..., output=...)), for a million tokens. "
                f"For those of well-known models: {install_command('prices')}"
            )
        self.limits = limits
        """The limits of the run, with the prices of the model if they are known."""
        self._given = {**given, "options": options}
        checked_keys(self._source, given["key"])
        store = given["store"]
        self.store: Store | None = store if store is None or isinstance(store, Store) else Store(store)
        """The store of the run; None if there is none."""
        self.total = _total(self._source, given)
        """The number of rows, if it is known."""
        self.many: bool = plan.output.many
        self.output: Any = plan.output
        """The shape of the answers."""
        self.configuration = configuration(
            binding, options.get("model"), self._requests.options, self._prompt.describe(), plan.output
        )

    def estimate(self) -> Estimate:
        """Return what the run would take: rows, tokens, money, time. No request is made.

        Raises:
            ConfigurationError: The rows can be read only once.
        """
        return estimate(
            self._source, self._settings(), self._prompt, self._requests,
            self.store, self.configuration,
        )  # fmt: skip

    def _settings(self) -> Settings:
        given = self._given
        return Settings(
            given["response_model"], self.limits, given["key"], given["on_error"], given["ordered"], given["dedupe"],
            given["retry_failed"], given["reuse"], given["limit"], self._positions(), given["on_row"],
            given["on_progress"], {name: value for name, value in given["options"].items() if name != "messages"},
        )  # fmt: skip

    def _positions(self) -> frozenset[int] | None:
        count: int | None = self._given["sample"]
        if count is None:
            return None
        rows = self._source.again("sample")
        total = self._source.total
        if total is None:
            total = sum(1 for _ in rows)
        chance = random.Random(self._given["seed"])  # noqa: S311 - no secret
        return frozenset(chance.sample(range(total), min(count, total)))

    def work_of(self, row: Any) -> Work:
        """Return the request of one row."""
        rendered = self._prompt.of(row)
        return Work(self._requests.identity(rendered.final()), rendered.messages, rendered.context)

    def engine(self) -> Engine:
        """Return what makes the requests."""
        engine, settings = self._given["engine"], self._settings()
        if engine == "asyncio":
            return AsyncioEngine(self._calls, settings.response_model, settings.options, self.limits)
        if engine == "batch" or isinstance(engine, Batches):
            batches = Batches() if engine == "batch" else engine
            return BatchEngine(batches, self._calls, settings.response_model, settings.options, self.limits)
        from instructor.bulk.ray import RayActors

        actors = RayActors() if engine == "ray" else engine
        folder = None if self.store is None else _workers_folder(self.store)
        arguments = {"response_model": settings.response_model, "limits": self.limits, **settings.options}
        return actors.engine(self._calls.binding.make, folder, arguments)

    def job(self, outbox: Outbox, report: BulkReport) -> Job:
        """Return the run itself. It opens the store."""
        engine, store, settings = self.engine(), self.store, self._settings()
        journal = Journal(None) if store is None else Journal(store.path, durable=store.durable)
        journal.begin(self.configuration.job, self.configuration.described(self.total))
        if store is not None:
            absorb(journal, _workers_folder(store))  # of a run that was killed
        reader = Reader(self._calls, settings.response_model, settings.options)
        return Job(engine, reader, self._source, settings, self._prompt, self._requests, journal, outbox, report)


def _workers_folder(store: Store) -> Path:
    """Return the folder in which the workers of a run keep their answers until the store has them."""
    return store.path.with_name(f"{store.path.name}.workers")


def _check(given: Mapping[str, Any]) -> None:
    for name, known in (
        ("on_error", get_args(OnError)), ("reuse", ("exact", "compatible")), ("engine", get_args(EngineName)),
    ):  # fmt: skip
        if given[name] not in known and not (
            name == "engine" and (isinstance(given[name], Batches) or hasattr(given[name], "engine"))
        ):
            raise ConfigurationError(f"{name} must be one of {', '.join(known)}, got {given[name]!r}.")
    for name in ("limit", "sample"):
        value = given[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigurationError(f"{name} must be a number of rows (1, 2 ...), got {value!r}.")
    if given["limits"] is not None and not isinstance(given["limits"], Limits):
        raise ConfigurationError(f"limits must be an instructor.bulk.Limits, got {given['limits']!r}.")
    if given["key"] is not None and not (isinstance(given["key"], str) or callable(given["key"])):
        raise ConfigurationError(f"key must be the name of a field or a function of the row, got {given['key']!r}.")


def _check_for_limits(options: Mapping[str, Any]) -> None:
    for each in fields(Limits):
        if each.name in options:
            value = options[each.name]
            raise ConfigurationError(f"{each.name} is one of the limits: pass limits=Limits({each.name}={value!r}).")


def _total(source: Source, given: Mapping[str, Any]) -> int | None:
    counts = [count for count in (source.total, given["limit"], given["sample"]) if count is not None]
    return min(counts) if source.total is not None else None
