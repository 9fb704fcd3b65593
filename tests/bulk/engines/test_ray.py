"""Bulk runs on a Ray cluster of this machine, with real processes: `make test-engines`.

Actors and drivers are killed; at the end each row is there once, and no answered row was asked again beyond those that
were in flight.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from engines import Numbers
from instructor.bulk import JobStoppedError, Limits, Store
from instructor.exceptions import ConfigurationError
from instructor.testing import Asked, Reply, Scripted, error

ray = pytest.importorskip("ray", reason="it is large: make test-engines")
psutil = pytest.importorskip("psutil")

from instructor.bulk.ray import Extractor, RayActors  # noqa: E402 - it needs Ray

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the actors do not find this module

ROWS, ACTORS, IN_FLIGHT = 500, 2, 16
LIMITS = Limits(concurrency=IN_FLIGHT)


class Number(BaseModel):
    value: int


def client_of(url: str) -> Any:
    """Make an async client, in an actor."""
    return instructor.from_provider("openai/m", async_client=True, base_url=url)


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    os.environ["OPENAI_API_KEY"] = "test"
    start()
    yield
    ray.shutdown()


def start() -> None:
    ray.init(num_cpus=ACTORS, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")


def texts(count: int = ROWS) -> list[str]:
    return [f"Row {i}" for i in range(count)]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_rows_are_asked_by_actors(tmp_path: Path, is_async: bool) -> None:
    numbers, store = Numbers(), tmp_path / "s.sqlite"
    with Scripted(numbers) as server:
        client: Any = instructor.from_provider("openai/m", async_client=is_async, base_url=server.base_url)
        run = client.map(texts(60), response_model=Number, store=store, limits=LIMITS, engine="ray", ordered=True)
        rows = [row async for row in run] if is_async else list(run)
    assert [row.value for row in rows] == [Number(value=i) for i in range(60)]
    assert all(row.attempts == 1 and row.usage.input_tokens for row in rows)
    assert [row.value for row in Store(store).rows()] == [{"value": i} for i in range(60)]
    assert not (tmp_path / "s.sqlite.workers").exists()


def actor_pids() -> list[int]:
    return [each.pid for each in psutil.Process().children(recursive=True) if "ray::_Actor" in "".join(each.cmdline())]


def test_an_actor_that_dies_loses_nothing(tmp_path: Path) -> None:
    numbers, killed = Numbers(), []

    def kill() -> None:
        killed.append(actor_pids()[0])
        os.kill(killed[0], signal.SIGKILL)

    numbers.at[ROWS // 2] = kill
    with Scripted(numbers) as server:
        engine = RayActors(partial(client_of, server.base_url), actors=ACTORS)
        client = instructor.from_provider("openai/m", base_url=server.base_url)
        run = client.map(texts(), response_model=Number, store=tmp_path / "s.sqlite", limits=LIMITS, engine=engine)
        rows = list(run)
    assert killed
    assert sorted(row.value.value for row in rows if row.value is not None) == list(range(ROWS))
    assert sum(numbers.answers.values()) - ROWS <= IN_FLIGHT


PROGRAM = """
import os, sys
import instructor, ray
from pydantic import BaseModel
from instructor.bulk import Limits

class Number(BaseModel):
    value: int

url, store, rows, in_flight, actors = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
ray.init(num_cpus=actors, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
client = instructor.from_provider("openai/m", base_url=url)
run = client.map(
    [f"Row {i}" for i in range(rows)], response_model=Number, store=store, limits=Limits(concurrency=in_flight),
    engine="ray",
)
for row in run:
    assert row.ok, row.error
    print(row.input, flush=True)
"""


def test_a_driver_that_dies_takes_its_actors_along_and_the_next_run_goes_on(tmp_path: Path) -> None:
    numbers, store = Numbers(), tmp_path / "s.sqlite"
    with Scripted(numbers) as server:
        command = [sys.executable, "-c", PROGRAM, server.base_url, str(store), str(ROWS), str(IN_FLIGHT), str(ACTORS)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for count, _ in enumerate(process.stdout, 1):
            if count == ROWS // 2:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        at_death = sum(numbers.answers.values())
        calm_since, seen = time.monotonic(), at_death
        while time.monotonic() - calm_since < 3:  # until no orphan has called for three seconds
            time.sleep(0.1)
            if (now := sum(numbers.answers.values())) != seen:
                calm_since, seen = time.monotonic(), now
        orphans = seen - at_death
        rest = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    process.stdout.close()
    assert orphans <= IN_FLIGHT
    assert len(rest.stdout.splitlines()) == ROWS
    assert sorted(row.value["value"] for row in Store(store).rows()) == list(range(ROWS))
    assert sum(numbers.answers.values()) - ROWS <= IN_FLIGHT


def dataset(numbers: Any, folder: Path, url: str, count: int) -> Any:
    arguments = {
        "client": partial(client_of, url), "response_model": Number, "messages": "{{ text }}", "store": str(folder),
        "limits": LIMITS, "actors": ACTORS, "max_retries": 0,
    }  # fmt: skip
    rows = ray.data.from_items([{"id": i, "text": f"Row {i}"} for i in range(count)])
    return rows.map_batches(
        Extractor, fn_constructor_kwargs=arguments, batch_format="pyarrow", batch_size=20,
        compute=ray.data.ActorPoolStrategy(size=ACTORS),
    ).take_all()  # fmt: skip


def test_a_dataset_has_columns_of_answers_and_is_not_asked_twice(tmp_path: Path) -> None:
    numbers = Numbers(bad=7)
    with Scripted(numbers) as server:
        rows = dataset(numbers, tmp_path / "s", server.base_url, ROWS)
        asked = sum(numbers.answers.values())
        again = dataset(numbers, tmp_path / "s", server.base_url, ROWS)
    for table in (rows, again):
        assert sorted(row["id"] for row in table) == list(range(ROWS))
        for row in table:
            if row["id"] % 100 == 7:
                assert row["answer"] is None
                assert "value" in row["error"]
            else:
                assert row["answer"] == {"value": row["id"]}
                assert row["error"] is None
    assert asked == ROWS
    assert sum(numbers.answers.values()) - asked == ROWS // 100  # the failed ones


def test_an_account_that_is_refused_stops_the_run(tmp_path: Path) -> None:
    def refuse(_: Asked) -> Reply:
        return error(401, "no such key")

    with Scripted(refuse) as server:
        client = instructor.from_provider("openai/m", base_url=server.base_url)
        with pytest.raises(JobStoppedError, match="no such key"):
            list(client.map(texts(), response_model=Number, store=tmp_path / "s", limits=LIMITS, engine="ray"))
    assert len(server.requests) <= IN_FLIGHT + 4  # rows are given out a little ahead


def test_clients_that_actors_cannot_make_are_refused() -> None:
    client = instructor.from_provider("openai/m", api_key="sk-secret")
    with pytest.raises(ConfigurationError, match=r"RayActors\(make_client\)") as caught:
        list(client.map(["Row 1"], response_model=Number, engine="ray"))
    assert "sk-secret" not in str(caught.value)
    actors = RayActors(partial(client_of, "http://127.0.0.1:1"))
    with pytest.raises(ConfigurationError, match="concurrency=1 cannot be divided among 2 workers"):
        list(client.map(["Row 1"], response_model=Number, engine=actors, limits=Limits(concurrency=1)))
