"""Bulk runs whose rows are answered in batches of the provider, through the real SDKs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import instructor
from batch_server import Provider, sdk_client
from harness import Harness
from instructor.bulk import Batches, BudgetReachedError, JobStoppedError, Limits, Row, Store
from instructor.exceptions import ConfigurationError


class Person(BaseModel):
    name: str
    age: int


TEXTS = ["Ann is 1", "Cid is 3", "Dan is 4", "Eve is 5", "Fay is 6"]
QUICK = Batches(poll=0.001)


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def client(provider: Provider, harness: Harness) -> Any:
    sdk = sdk_client("openai", provider.root, is_async=harness.is_async)
    return instructor.from_openai(sdk, mode=instructor.Mode.JSON_SCHEMA, model="m")


def mapped(client: Any, rows: Any, **options: Any) -> Any:
    return client.map(rows, **{"response_model": Person, "engine": QUICK, **options})


def names(rows: list[Row[Any]]) -> list[str]:
    return sorted(row.value.name for row in rows if row.value)


@pytest.mark.parametrize("name", ["openai", "anthropic", "mistral", "google"])
async def test_rows_are_answered_in_one_batch(harness: Harness, provider: Provider, name: str) -> None:
    sdk = sdk_client(name, provider.root, is_async=harness.is_async)
    functions: dict[str, Callable[[], Any]] = {
        "openai": lambda: instructor.from_openai(sdk, mode=instructor.Mode.JSON_SCHEMA, model="m"),
        "anthropic": lambda: instructor.from_anthropic(sdk, model="m", max_tokens=100),
        "mistral": lambda: instructor.from_mistral(
            sdk, mode=instructor.Mode.JSON_SCHEMA, use_async=harness.is_async, model="m"
        ),
        "google": lambda: instructor.from_genai(
            sdk, mode=instructor.Mode.JSON_SCHEMA, use_async=harness.is_async, model="m"
        ),
    }
    rows = await harness.items(mapped(functions[name](), TEXTS))
    assert names(rows) == ["Ann", "Cid", "Dan", "Eve", "Fay"]
    assert all(row.attempts == 1 for row in rows)
    assert len(provider.lines) == 5
    assert provider.live == []
    if name == "google":
        await sdk.aio.aclose()
        sdk.close()


async def test_several_batches_in_the_order_of_the_source(harness: Harness, provider: Provider, client: Any) -> None:
    run = mapped(client, TEXTS, engine=Batches(rows=2, at_once=2, poll=0.001), ordered=True)
    rows = await harness.items(run)
    assert [row.input for row in rows] == TEXTS
    assert [len(lines) for lines in provider.files] == [2, 2, 1]
    assert run.report.usage.total_tokens == 50


async def test_a_wrong_reply_is_corrected_live(harness: Harness, provider: Provider, client: Any) -> None:
    rows = await harness.items(mapped(client, ["Ann is 1", "Bob is old"]))
    assert names(rows) == ["Ann", "Bob"]
    assert {row.value.name: row.attempts for row in rows} == {"Ann": 1, "Bob": 2}
    (asked,) = provider.live
    assert "old" in str(asked["messages"][-2])
    assert "age" in str(asked["messages"][-1])


async def test_a_row_without_a_reply_is_asked_live(harness: Harness, provider: Provider, client: Any) -> None:
    provider.left_out = {"Bob"}
    rows = await harness.items(mapped(client, ["Ann is 1", "Bob is 40"]))
    assert names(rows) == ["Ann", "Bob"]
    (asked,) = provider.live
    assert [message["content"] for message in asked["messages"]] == ["Bob is 40"]


async def test_a_run_that_is_stopped_finds_its_batch_again(
    harness: Harness, provider: Provider, client: Any, tmp_path: Path
) -> None:
    store, provider.has_ended = tmp_path / "s.sqlite", False
    run = mapped(client, TEXTS, store=store)

    def stop() -> None:
        assert provider.submitted.acquire(timeout=60)
        run.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    assert await harness.items(run) == []
    stopping.join()
    assert run.report.stopped == "cancelled"
    (batch,) = Store(store).batches()
    assert (batch.id, batch.provider, len(batch.names)) == ("batch_1", "openai", 5)

    provider.has_ended = True
    rows = await harness.items(mapped(client, [*TEXTS, "Gus is 7"], store=store))
    assert names(rows) == ["Ann", "Cid", "Dan", "Eve", "Fay", "Gus"]
    assert [len(lines) for lines in provider.files] == [5, 1]

    again = await harness.items(mapped(client, TEXTS, store=store))
    assert all(row.reused for row in again)
    assert len(provider.batches) == 2


async def test_the_store_has_a_reply_as_any_other(
    harness: Harness, provider: Provider, client: Any, tmp_path: Path
) -> None:
    store = tmp_path / "s.sqlite"
    await harness.items(mapped(client, ["Ann is 1", "Bob is old"], store=store))
    rows = await harness.items(mapped(client, ["Ann is 1", "Bob is old"], store=store, engine="asyncio"))
    assert [(row.value.age, row.reused) for row in rows] == [(1, True), (40, True)]
    assert len(provider.live) == 1


async def test_a_batch_that_fails_ends_the_run(
    harness: Harness, provider: Provider, client: Any, tmp_path: Path
) -> None:
    provider.status = "failed"
    with pytest.raises(JobStoppedError, match="The batch 'batch_1' is failed"):
        await harness.items(mapped(client, TEXTS, store=tmp_path / "s.sqlite"))
    assert Store(tmp_path / "s.sqlite").batches() == []
    provider.status = ""
    assert len(await harness.items(mapped(client, TEXTS, store=tmp_path / "s.sqlite"))) == 5


async def test_a_question_that_fails_for_a_while(harness: Harness, provider: Provider, client: Any) -> None:
    provider.errors = 2
    assert len(await harness.items(mapped(client, TEXTS, limits=Limits(attempts=4)))) == 5
    assert provider.errors == 0


async def test_a_budget_ends_the_run_between_batches(harness: Harness, provider: Provider, client: Any) -> None:
    run = mapped(client, TEXTS, engine=Batches(rows=2, at_once=1, poll=0.001), limits=Limits(total_tokens=15))
    rows: list[Row[Any]] = []
    with pytest.raises(BudgetReachedError, match="total_tokens=15 is spent after 2 rows"):
        await harness.collect(run, rows)
    assert len(rows) == 2
    assert len(provider.batches) == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Batches(rows=0), "rows must be a number, 1 or more, got 0"),
        (lambda: Batches(poll=-1), "poll must be a number of seconds above 0, got -1"),
        (lambda: [*mapped(_other("from_deepseek"), TEXTS)], "must be one of openai, anthropic, mistral, google"),
        (lambda: [*mapped(_other("from_openai", instructor.Mode.RESPONSES_TOOLS), TEXTS)], "use another mode"),
    ],
)
def test_mistakes(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def _other(function: str, mode: instructor.Mode = instructor.Mode.TOOLS) -> Any:
    sdk = openai.OpenAI(api_key="test", base_url="http://127.0.0.1:9/v1")
    return getattr(instructor, function)(sdk, mode=mode, model="m")
