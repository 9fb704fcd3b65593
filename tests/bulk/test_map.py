"""`client.map`, sync and async: rows, keys, resuming, errors, retries, limits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from harness import Harness
from instructor.bulk import BudgetReachedError, BulkReport, JobStoppedError, Limits, Prices, Row, RowError, Store
from instructor.exceptions import ConfigurationError
from instructor.testing import Asked, Gate, Reply, answer, error


class User(BaseModel):
    name: str
    age: int


def text_of(asked: Asked) -> str:
    """Return the row's text of a request: the last message of the user."""
    return str([m for m in asked.body["messages"] if m["role"] == "user"][-1]["content"])


def named(asked: Asked) -> Reply:
    """Answer with the last word of the row's text as a name."""
    return answer({"name": text_of(asked).split()[-1], "age": 1})


def mapped(client: Any, rows: Any, **options: Any) -> Any:
    return client.map(rows, **{"response_model": User, "model": "scripted", **options})


async def read(harness: Harness, run: Any) -> list[Row[Any]]:
    rows: list[Row[Any]] = await harness.items(run)
    return rows


def texts(count: int) -> list[str]:
    return [f"I am n{index}" for index in range(count)]


def names(rows: Iterable[Row[Any]]) -> list[str]:
    return [row.value.name for row in rows if row.value]


async def test_every_row_comes_once_with_its_answer(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    run = mapped(harness.client(server), texts(100))
    rows = await read(harness, run)
    assert sorted(row.input for row in rows) == sorted(texts(100))
    assert all(
        row.value is not None and row.value.name == row.input.split()[-1] and row.attempts == 1 and row.ok
        for row in rows
    )
    assert len({row.key for row in rows}) == 100
    assert len(server.requests) == 100
    report = run.report
    assert (report.rows, report.ok, report.failed, report.attempts, report.total) == (100, 100, 0, 100, 100)
    assert report.usage.total_tokens == sum(row.usage.total_tokens for row in rows) > 0
    assert report.in_flight == 0


async def test_ordered_rows_come_in_the_order_of_the_source(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    rows = await read(harness, mapped(harness.client(server), texts(60), ordered=True))
    assert [row.input for row in rows] == texts(60)


async def test_a_list_for_each_row(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(lambda asked: answer({"tasks": [{"name": "a", "age": 1}, {"name": "b", "age": 2}]}))
    run = mapped(harness.client(server), texts(3), response_model=Iterable[User])
    rows = await read(harness, run)
    assert [row.value for row in rows] == [[User(name="a", age=1), User(name="b", age=2)]] * 3
    assert run.report.items == 6


async def test_the_same_call_goes_on_where_it_ended(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server, store = scripted_server(named), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    first = await read(harness, mapped(client, texts(20), store=store))
    again = await read(harness, mapped(client, [*texts(20), "I am new"], store=tmp_path / "s.sqlite"))
    assert len(server.requests) == 21
    assert [row.reused for row in again].count(True) == 20
    assert {row.key: row.value for row in first}.items() <= {row.key: row.value for row in again}.items()
    assert all(row.usage.total_tokens == 0 and row.attempts == 0 for row in again if row.reused)


async def test_concurrency_time_outs_retries_and_limits_are_no_part_of_a_request(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    server, store = scripted_server(named), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    await read(harness, mapped(client, texts(3), store=store))
    options = {"limits": Limits(concurrency=1, rpm=1000), "timeout": 99.0, "max_retries": 7, "ordered": True}
    await read(harness, mapped(client, texts(3), store=store, **options))
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "change",
    [{"temperature": 0.5}, {"model": "other"}, {"messages": "Say: {{ text }}"}, {"max_tokens": 5}, {"strict": False}],
)
async def test_what_changes_the_answer_is_asked_anew(
    harness: Harness, scripted_server: Any, tmp_path: Path, change: dict[str, Any]
) -> None:
    server, store = scripted_server(named), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    await read(harness, mapped(client, texts(3), store=store))
    await read(harness, mapped(client, texts(3), store=store, **change))
    assert len(server.requests) == 6


async def test_another_schema_or_validator_is_asked_anew_and_the_runs_say_what_differs(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    class Checked(User):
        @field_validator("age")
        @classmethod
        def positive(cls, value: int) -> int:
            return abs(value)

    server, store = scripted_server(named), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    await read(harness, mapped(client, texts(3), store=store))
    await read(harness, mapped(client, texts(3), store=store, response_model=Checked, temperature=0.1))
    assert len(server.requests) == 6
    first, second = store.runs()
    assert first.differs == {}
    assert set(second.differs) == {"type", "schema", "options"}
    assert second.differs["options"] == ({"extra_headers": {}, "model": "scripted"}, {
        "extra_headers": {}, "model": "scripted", "temperature": 0.1})  # fmt: skip
    assert len(list(store.rows())) == 3  # those of the first run are not mixed with them


async def test_more_tokens_may_keep_the_answers(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server, store = scripted_server(named), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    await read(harness, mapped(client, texts(3), store=store, max_tokens=100))
    await read(harness, mapped(client, texts(3), store=store, max_tokens=200, reuse="compatible"))
    assert len(server.requests) == 3
    await read(harness, mapped(client, texts(3), store=store, max_tokens=50, reuse="compatible"))
    assert len(server.requests) == 6


async def test_equal_rows_share_a_request_and_keep_their_lines(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    server = scripted_server(named)
    client = harness.client(server)
    rows = await read(harness, mapped(client, ["I am a", "I am b", "I am a", "I am a"], store=tmp_path / "s.sqlite"))
    assert sorted(names(rows)) == ["a", "a", "a", "b"]
    assert len({row.key for row in rows}) == 4
    assert len({id(row.value) for row in rows}) == 4
    assert len(server.requests) == 2
    assert [row.position for row in Store(tmp_path / "s.sqlite").rows()] == [0, 1, 2, 3]
    await read(harness, mapped(client, ["I am a", "I am a"], dedupe=False))
    assert len(server.requests) == 4


async def test_keys_by_field_and_by_function(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    rows = [{"id": index, "note": f"I am n{index}"} for index in range(3)]
    client = harness.client(server)
    assert sorted(row.key for row in await read(harness, mapped(client, rows, key="id"))) == ["0", "1", "2"]
    by_function = await read(harness, mapped(client, rows, key=lambda row: f"r{row['id']}"))
    assert sorted(row.key for row in by_function) == ["r0", "r1", "r2"]


async def test_a_key_that_comes_twice_is_an_error_before_the_first_call(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    rows = [{"id": 1, "note": "a"}, {"id": 2, "note": "b"}, {"id": 1, "note": "c"}]
    with pytest.raises(ConfigurationError, match="Two rows have the key '1'"):
        mapped(harness.client(server), rows, key="id")
    with pytest.raises(ConfigurationError, match="Two rows have the key '1'"):
        await read(harness, mapped(harness.client(server), iter([rows[0], rows[2]]), key="id"))
    assert len(server.requests) <= 1


async def test_messages_by_template_function_and_instruction(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    client = harness.client(server)
    row = {"first": "Ann", "last": "Ash", "age": 3}
    system = {"role": "system", "content": "Be exact."}
    expected = {
        "Who is {{ first }} {{ last }}?": "Who is Ann Ash?",
        "Extract the person.": 'Extract the person.\n\n{"first": "Ann", "last": "Ash", "age": 3}',
    }
    for template, text in expected.items():
        await read(harness, mapped(client, [row], messages=template))
        assert text_of(server.requests[-1]) == text
    await read(harness, mapped(client, [row], messages=[system, {"role": "user", "content": "{{ row.first }}!"}]))
    assert [m["content"] for m in server.requests[-1].body["messages"]][-1] == "Ann!"
    await read(harness, mapped(client, [row], messages=lambda row: f"{row['first']} {{{{ age }}}}"))
    assert text_of(server.requests[-1]) == "Ann {{ age }}"
    await read(harness, mapped(client, ["{{ x }} is text"], context={"x": 1}))
    assert text_of(server.requests[-1]) == "{{ x }} is text"


async def test_a_template_that_uses_no_field_is_an_error(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    with pytest.raises(ConfigurationError, match=r"uses no field of the row\. The row has 'text', 'a', 'row'"):
        await read(harness, mapped(harness.client(server), [{"a": 1}], messages="{{ zzzzz }}"))
    assert not server.requests


async def test_a_bad_row_is_collected_with_its_raw_text_and_harms_no_other(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    def reply(asked: Asked) -> Reply:
        return answer({"name": "x"}) if "n7" in str(asked.body) else named(asked)

    server, store = scripted_server(reply), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    run = mapped(client, texts(20), store=store, max_retries=1)
    rows = await read(harness, run)
    failed = [row for row in rows if not row.ok]
    assert [row.input for row in failed] == ["I am n7"]
    assert isinstance(failed[0].error, RowError)
    assert failed[0].error.kind == "InstructorRetryException"
    assert failed[0].error.text == '{"name": "x"}'
    assert failed[0].attempts == 2
    assert (run.report.ok, run.report.failed, run.report.attempts) == (19, 1, 21)
    stored = list(store.rows(failed=True))
    assert [(row.key, row.text, row.attempts) for row in stored] == [(failed[0].key, '{"name": "x"}', 2)]
    again = await read(harness, mapped(client, texts(20), store=store, max_retries=1))
    assert len(server.requests) == 21
    assert [str(row.error) for row in again if not row.ok] == [str(failed[0].error)]


async def test_only_failed_rows_are_asked_again_if_wanted(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    broken = True

    def reply(asked: Asked) -> Reply:
        return answer({"name": "x"}) if broken and "n7" in str(asked.body) else named(asked)

    server, store = scripted_server(reply), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    await read(harness, mapped(client, texts(20), store=store, max_retries=0))
    broken = False
    rows = await read(harness, mapped(client, texts(20), store=store, retry_failed=True))
    assert all(row.ok for row in rows)
    assert len(server.requests) == 21
    assert not list(store.rows(failed=True))


async def test_failed_rows_may_be_skipped_or_raised(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(lambda asked: answer({"name": "x"}) if "n3" in str(asked.body) else named(asked))
    client = harness.client(server)
    run = mapped(client, texts(10), on_error="skip", max_retries=0)
    assert len(await read(harness, run)) == 9
    assert run.report.failed == 1
    with pytest.raises(RowError, match="age"):
        await read(harness, mapped(client, texts(10), on_error="raise", max_retries=0))


async def test_a_function_that_fails_for_one_row_fails_that_row(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    rows = [{"n": 1}, {"m": 2}, {"n": 3}]
    found = await read(harness, mapped(harness.client(server), rows, messages=lambda row: f"I am {row['n']}"))
    assert {str(row.input): row.ok for row in found} == {"{'n': 1}": True, "{'m': 2}": False, "{'n': 3}": True}
    assert next(row.error.kind for row in found if row.error) == "KeyError"


async def test_rate_limits_cost_time_but_no_attempts(harness: Harness, scripted_server: Any) -> None:
    refused: dict[str, int] = {}

    def reply(asked: Asked) -> Reply:
        text = text_of(asked)
        refused[text] = refused.get(text, 0) + 1
        if refused[text] <= 7 and "n3" in text:
            return error(429, "slow down", headers={"retry-after": "0"})
        return named(asked)

    server = scripted_server(reply)
    run = mapped(harness.client(server), texts(8), limits=Limits(attempts=1), max_retries=0)
    rows = await read(harness, run)
    assert all(row.ok for row in rows)
    assert {row.input: row.attempts for row in rows}["I am n3"] == 8
    assert run.report.rate_limited == 7


async def test_server_errors_are_repeated_up_to_a_number(harness: Harness, scripted_server: Any) -> None:
    broken = error(500, "broken", headers={"retry-after": "0"})
    tries: dict[str, int] = {}

    def reply(asked: Asked) -> Reply:
        text = text_of(asked)
        tries[text] = tries.get(text, 0) + 1
        if "n1" in text or ("n2" in text and tries[text] < 3):
            return broken
        return named(asked)

    server = scripted_server(reply)
    rows = await read(harness, mapped(harness.client(server), texts(4), limits=Limits(attempts=3)))
    assert {row.input: (row.ok, row.attempts) for row in rows} == {
        "I am n0": (True, 1), "I am n1": (False, 3), "I am n2": (True, 3), "I am n3": (True, 1)}  # fmt: skip
    assert next(row.error.kind for row in rows if row.error) == "InternalServerError"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Incorrect API key provided"),
        (429, "You exceeded your current quota: insufficient_quota"),
        (404, "The model `m` does not exist"),
    ],
)
async def test_what_no_other_row_can_escape_stops_the_run_and_it_can_be_resumed(
    harness: Harness, scripted_server: Any, tmp_path: Path, status: int, message: str
) -> None:
    broken, count = False, 0

    def reply(asked: Asked) -> Reply:
        nonlocal count
        count += 1
        return error(status, message) if broken or count > 10 else named(asked)

    server, store = scripted_server(reply), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    run = mapped(client, texts(500), store=store, limits=Limits(concurrency=4))
    found: list[Row[User]] = []
    with pytest.raises(JobStoppedError, match="No other row can succeed") as stopped:
        await harness.collect(run, found)
    assert stopped.value.reason == run.report.stopped == "account"
    assert stopped.value.__cause__ is not None
    assert [row.ok for row in found] == [True] * 10
    assert len(server.requests) < 30
    count = -1000
    rows = await read(harness, mapped(client, texts(500), store=store))
    assert len(rows) == 500
    assert [row.reused for row in rows].count(True) == 10


async def test_a_high_error_rate_stops_the_run(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(lambda asked: answer({"name": "x"}))
    found: list[Row[User]] = []
    with pytest.raises(JobStoppedError, match=r"rows failed, which is more than max_error_rate=0\.5"):
        await harness.collect(mapped(harness.client(server), texts(1000), max_retries=0), found)
    assert 50 <= len(found) < 150


@pytest.mark.parametrize("limit", ["total_tokens", "max_cost"])
async def test_a_budget_ends_the_run_with_no_more_than_the_calls_in_flight_above(
    harness: Harness, scripted_server: Any, tmp_path: Path, limit: str
) -> None:
    server, store = scripted_server(named), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    prices = Prices(input=1_000_000, output=1_000_000)
    one = (await read(harness, mapped(client, texts(1))))[0].usage.total_tokens
    budget = Limits(concurrency=4, prices=prices, **{limit: one * 20})
    run = mapped(client, texts(100), store=store, limits=budget)
    found: list[Row[User]] = []
    with pytest.raises(BudgetReachedError, match=f"{limit}={one * 20} is spent") as stopped:
        await harness.collect(run, found)
    assert stopped.value.report is run.report
    assert 18 <= len(found) <= 24
    assert run.report.stopped == limit
    assert run.report.cost == pytest.approx(run.report.usage.total_tokens)
    rows = await read(harness, mapped(client, texts(100), store=store))
    assert [row.reused for row in rows].count(True) == len(found)


async def test_re_asks_count_in_the_budget(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(lambda asked: answer({"name": "x"}))
    client = harness.client(server)
    with pytest.raises(BudgetReachedError):
        await read(harness, mapped(client, texts(1), limits=Limits(total_tokens=600), max_retries=100))
    assert 2 < len(server.requests) < 12


async def test_calls_in_flight_stay_under_the_limit(harness: Harness, scripted_server: Any) -> None:
    lock, current, most = threading.Lock(), 0, 0

    def reply(asked: Asked) -> Reply:
        nonlocal current, most
        with lock:
            current += 1
            most = max(most, current)
        barrier.wait(0.01)
        with lock:
            current -= 1
        return named(asked)

    barrier = threading.Event()
    server = scripted_server(reply)
    await read(harness, mapped(harness.client(server), texts(60), limits=Limits(concurrency=5)))
    assert 1 < most <= 5


async def test_an_endless_source_is_read_as_far_as_needed(harness: Harness, scripted_server: Any) -> None:
    server, pulled = scripted_server(named), 0

    def endless() -> Iterator[str]:
        nonlocal pulled
        while True:
            pulled += 1
            yield f"I am n{pulled}"

    run = mapped(harness.client(server), endless(), limits=Limits(concurrency=2))
    rows = [await harness.next(run) for _ in range(5)]
    await harness.close(run)
    assert len(rows) == 5
    assert pulled <= 5 + 8 * 2 + 64 + 2


async def test_an_async_source(harness: Harness, scripted_server: Any) -> None:
    async def source() -> AsyncIterator[str]:
        for text in texts(5):
            await asyncio.sleep(0)
            yield text

    server = scripted_server(named)
    assert len(await read(harness, mapped(harness.client(server), source()))) == 5


async def test_a_source_that_fails_ends_the_run_with_its_error(harness: Harness, scripted_server: Any) -> None:
    def source() -> Iterator[str]:
        yield from texts(3)
        raise OSError("the disk is gone")

    server = scripted_server(named)
    with pytest.raises(OSError, match="the disk is gone"):
        await read(harness, mapped(harness.client(server), source()))


async def test_limit_and_sample(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server, store = scripted_server(named), Store(tmp_path / "s.sqlite")
    client = harness.client(server)
    run = mapped(client, texts(50), store=store, limit=5)
    assert sorted(row.input for row in await read(harness, run)) == texts(5)
    assert run.report.total == 5
    one = await read(harness, mapped(client, texts(50), store=store, sample=10, seed=3))
    two = await read(harness, mapped(client, texts(50), store=store, sample=10, seed=3))
    assert {row.input for row in one} == {row.input for row in two}
    assert all(row.reused for row in two)
    before = len(server.requests)
    await read(harness, mapped(client, texts(50), store=store))
    assert len(server.requests) == 50 > before


async def test_hooks(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(named)
    heard: list[Any] = []
    reports: list[BulkReport] = []
    run = mapped(harness.client(server), texts(5), on_row=heard.append, on_progress=reports.append)
    rows = await read(harness, run)
    assert heard == rows
    assert reports[-1].rows == 5


async def test_stop_finishes_what_is_in_flight(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server = scripted_server(named)
    run = mapped(harness.client(server), texts(300), store=tmp_path / "s.sqlite", limits=Limits(concurrency=4))
    rows = [await harness.next(run)]
    run.stop()
    await harness.collect(run, rows)
    assert len(rows) == run.report.rows == len(server.requests) < 200
    assert run.report.stopped == "cancelled"


async def test_after_stop_no_row_begins(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    gate, came = Gate(), threading.Semaphore(0)

    def held(asked: Asked) -> Reply:
        came.release()
        return named(asked).but(wait_after=0, gate=gate)

    server, in_flight = scripted_server(held), []
    run = mapped(harness.client(server), texts(40), store=tmp_path / "s.sqlite", limits=Limits(concurrency=4))

    def stop() -> None:
        for _ in range(4):
            assert came.acquire(timeout=60)
        run.stop()
        in_flight.append(run.report.in_flight)
        gate.open(40)

    stopping = threading.Thread(target=stop)
    stopping.start()
    rows = await read(harness, run)
    stopping.join()
    assert len(rows) == len(server.requests) == 4
    assert in_flight == [4]
    assert run.report.in_flight == 0
    assert run.report.stopped == "cancelled"


async def test_stop_ends_a_row_that_waits_after_a_refusal(harness: Harness, scripted_server: Any) -> None:
    """A row that has no answer yet does not hold up the end of a run for the minute that its provider names."""
    refused = threading.Semaphore(0)

    def reply(asked: Asked) -> Reply:
        if text_of(asked).endswith("n0"):
            refused.release()
            return error(429, "slow down", headers={"retry-after": "3600"})
        return named(asked)

    server = scripted_server(reply)
    run = mapped(harness.client(server), texts(3), limits=Limits(concurrency=3))
    rows = [await harness.next(run), await harness.next(run)]
    assert refused.acquire(timeout=60)
    run.stop()
    await harness.collect(run, rows)
    assert sorted(names(rows)) == ["n1", "n2"]
    assert run.report.stopped == "cancelled"


async def test_leaving_the_loop_closes_the_store(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server = scripted_server(named)
    client, store = harness.client(server), tmp_path / "s.sqlite"
    run = mapped(client, texts(100), store=store)
    await harness.next(run)
    await harness.close(run)
    rows = await read(harness, mapped(client, texts(100), store=store))
    assert len(rows) == 100
    assert any(row.reused for row in rows)


async def test_an_estimate_makes_no_request_and_learns_from_the_store(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    server, store = scripted_server(named), tmp_path / "s.sqlite"
    client = harness.client(server)
    limits = Limits(rpm=10, prices=Prices(input=1, output=1))
    rows = [*texts(20), "I am n1"]
    before = mapped(client, rows, store=store, limits=limits).estimate()
    assert not server.requests
    assert not store.exists()
    assert (before.rows, before.done, before.duplicates, before.requests, before.seconds) == (21, 0, 1, 20, 120)
    assert before.prompt == [{"role": "user", "content": "I am n0"}]
    assert before.cost_low is not None
    assert before.cost_expected is not None
    assert 0 < before.cost_low < before.cost_expected
    sample = await read(harness, mapped(client, rows, store=store, sample=5))
    after = mapped(client, rows, store=store, limits=limits).estimate()
    assert after.done == 5
    each = sum(row.usage.total_tokens for row in sample) / 5
    assert after.tokens_expected == pytest.approx(after.requests * each, rel=0.05)


async def test_wrong_arguments_are_errors_before_any_request(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server(named))
    for wrong, text in (
        ({"on_error": "ignore"}, "on_error must be one of collect, skip, raise, got 'ignore'"),
        ({"engine": "dask"}, "engine must be one of asyncio, ray, batch, got 'dask'"),
        ({"stream": True}, "does not take stream="),
        ({"limit": 0}, "limit must be a number of rows"),
        ({"limits": 5}, "limits must be an instructor.bulk.Limits, got 5"),
        ({"temprature": 1}, "Did you mean 'temperature'"),
        ({"limits": Limits(max_cost=1)}, "max_cost needs to know the prices of 'scripted'"),
        ({"key": 3}, "key must be the name of a field"),
        ({"messages": 3}, "messages must be a template"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            mapped(client, ["a"], **wrong)
    for rows, text in (("no such file", "is not a file or a folder"), (5, "rows must be an iterable")):
        with pytest.raises(ConfigurationError, match=text):
            mapped(client, rows)


async def test_a_sync_run_works_inside_a_running_loop(scripted_server: Any) -> None:
    async with Harness("sync") as harness:
        client = harness.client(scripted_server(named))
        assert len(list(mapped(client, texts(3)))) == 3  # this test runs in a loop


async def test_runs_of_one_client_at_the_same_time(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        client = harness.client(scripted_server(named))
        one, two = await asyncio.gather(
            harness.items(mapped(client, texts(40), limits=Limits(concurrency=3))),
            harness.items(mapped(client, [f"You are m{i}" for i in range(40)], limits=Limits(concurrency=3))),
        )
        assert len(one) == len(two) == 40
