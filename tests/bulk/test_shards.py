"""Journals of several workers: each answer is found by all, and moved into the store once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor.bulk import Limits, Store
from instructor.bulk.journal import Journal
from instructor.bulk.shards import Shards, absorb
from instructor.bulk.transport import Stop
from instructor.bulk.workers import Worker, divided
from instructor.exceptions import ConfigurationError
from instructor.testing import answer, error


class Number(BaseModel):
    value: int


def worker_of(harness: Harness, server: Any, folder: Path | None, **options: Any) -> Worker:
    return Worker(lambda: harness.client(server), folder, {"response_model": Number, "model": "m", **options})


async def test_an_answer_of_one_worker_is_found_by_another(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    server = scripted_server([answer({"value": 1}), answer({"value": "none"}), answer({"value": 2})])
    first = worker_of(harness, server, tmp_path / "w", max_retries=0)
    second = worker_of(harness, server, tmp_path / "w", max_retries=0)
    assert (await first.answer("one")).value == '{"value":1}'
    assert (await second.answer("one")).value == '{"value":1}'
    failed = await first.answer("two")
    assert failed.error is not None
    assert failed.usage.input_tokens
    assert (await second.answer("two")).value == '{"value":2}'  # a failure is asked again
    assert (await first.answer("two")).value == '{"value":2}'
    assert len(server.requests) == 3
    await first.close()
    await second.close()


async def test_a_run_takes_over_what_workers_left(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server = scripted_server([answer({"value": 1}), answer({"value": 2})])
    store = tmp_path / "s.sqlite"
    worker = worker_of(harness, server, tmp_path / "s.sqlite.workers")
    await worker.answer("one")
    await worker.close()
    run = harness.client(server).map(["one", "two"], response_model=Number, model="m", store=store)
    rows = {row.input: row for row in await harness.items(run)}
    assert rows["one"].reused
    assert not rows["two"].reused
    assert [row.value for row in Store(store).rows()] == [{"value": 1}, {"value": 2}]
    assert not (tmp_path / "s.sqlite.workers").exists()


def test_the_journal_of_a_worker_that_lives_is_left_alone(tmp_path: Path) -> None:
    living = Shards(tmp_path / "w", b"job", "{}")
    journal = Journal(tmp_path / "s.sqlite")
    journal.begin(b"job", "{}")
    assert absorb(journal, tmp_path / "w") == 0
    assert len(list((tmp_path / "w").glob("*.sqlite"))) == 1
    living.close()
    assert absorb(journal, tmp_path / "w") == 0
    assert not (tmp_path / "w").exists()
    journal.close()


async def test_an_account_that_is_refused_stops_a_worker(harness: Harness, scripted_server: Any) -> None:
    worker = worker_of(harness, scripted_server([error(401, "no such key")]), None)
    with pytest.raises(Stop, match="account"):
        await worker.answer("one")
    await worker.close()


async def test_a_row_without_messages_is_an_error_of_its_own(harness: Harness, scripted_server: Any) -> None:
    worker = worker_of(harness, scripted_server([]), None, messages=lambda row: row["no such field"])
    failed = await worker.answer({"text": "one"})
    assert failed.error is not None
    assert "KeyError" in failed.error
    await worker.close()


def test_limits_are_divided_among_workers() -> None:
    whole = Limits(concurrency=64, rpm=501, tpm=1000, total_tokens=10_000, max_cost=3)
    assert divided(whole, 2) == Limits(concurrency=32, rpm=250, tpm=500, total_tokens=5000, max_cost=1.5)
    assert divided(Limits(), 4) == Limits(concurrency=16)
    with pytest.raises(ConfigurationError, match="rpm=3 cannot be divided among 4 workers"):
        divided(Limits(rpm=3), 4)


def test_clients_say_how_they_are_made_again() -> None:
    made = instructor.from_provider("openai/m", base_url="http://127.0.0.1:1", api_key="sk-secret")
    assert made._binding.make is None  # a key is not sent to other processes
