"""A store of a bulk run is watched while it is written."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from served import KEY, Event, _events, served

import instructor
from instructor.bulk import Limits, Store, StoreError
from instructor.testing import Asked, Gate, Reply, Scripted, answer, error


class Person(BaseModel):
    name: str


def letter(asked: Asked) -> Reply:
    text = str(asked.body["messages"][-1]["content"])
    return error(400, "too long") if "bad" in text else answer({"tasks": [{"name": text}, {"name": text}]})


@contextlib.contextmanager
def watching(port: int, number: int = 0) -> Iterator[Iterator[Event]]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", f"/stores/{number}/events")
        yield _events(connection.getresponse())


def job(server: Scripted, rows: Iterable[str], store: Path, **options: Any) -> Any:
    sdk = openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0)
    client = instructor.from_openai(sdk)
    return sdk, client.map(rows, response_model=Iterable[Person], model="scripted", store=store, **options)


def until(events: Iterator[Event], kind: str, **facts: Any) -> tuple[Event, list[Event]]:
    seen = []
    for event in events:
        seen.append(event)
        if event.kind == kind and all(event.data.get(name) == value for name, value in facts.items()):
            return event, seen
    raise AssertionError(f"no {kind} with {facts}: {seen}")


def test_rows_and_counts_of_a_run_that_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with Scripted(letter) as server:
        sdk, run = job(server, ["Ann", "Bob", "bad"], path)
        with sdk:
            list(run)
        with served(server, stores=[path]) as page, watching(page.port) as events:
            progress, seen = until(events, "progress", rows=3)
    store = next(event.data for event in seen if event.kind == "store")
    assert (store["many"], store["fields"], store["model"]) == (True, [], "openai/scripted")
    rows = {row["key"]: row for event in seen if event.kind == "rows" for row in event.data["rows"]}
    by_input = {row["input"]: row for row in rows.values()}
    assert by_input["Ann"]["value"] == [{"name": "Ann"}, {"name": "Ann"}]
    assert by_input["bad"]["error"]
    counts = progress.data
    assert (counts["failed"], counts["items"], counts["total"], counts["state"]) == (1, 4, 3, "ended")
    assert (counts["rate"], counts["seconds_left"], counts["attempts"]) == (None, None, 3)


def test_a_store_is_watched_from_before_its_first_run(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    gate = Gate()
    replies = [answer({"tasks": [{"name": "Ann"}]}), answer({"tasks": []}, wait_after=0, gate=gate)]
    with Scripted(replies) as server, served(server, stores=[path]) as page, watching(page.port) as events:
        sdk, run = job(server, ["one", "two"], path, limits=Limits(concurrency=1))
        with sdk:
            assert next(run).value == [Person(name="Ann")]
            progress, seen = until(events, "progress", rows=1)
            assert (progress.data["state"], progress.data["total"]) == ("running", 2)
            assert progress.data["rate"] > 0
            assert progress.data["seconds_left"] > 0
            assert [len(event.data["rows"]) for event in seen if event.kind == "rows"] == [1]
            gate.reached()
            gate.open()
            list(run)
        _, seen = until(events, "progress", rows=2, state="ended")
        assert [row["value"] for event in seen if event.kind == "rows" for row in event.data["rows"]] == [[]]


def test_another_prompt_is_another_job_and_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with Scripted(letter) as server, served(server, stores=[path]) as page, watching(page.port) as events:
        for prompt, texts in (("{{ text }}", ["Ann", "Bob"]), ("Say: {{ text }}", ["Cy"])):
            sdk, run = job(server, texts, path, messages=prompt)
            with sdk:
                list(run)
            _, seen = until(events, "progress", rows=len(texts), state="ended")
            assert [event.kind for event in seen if event.kind == "store"] == ["store"]
            assert sum(len(event.data["rows"]) for event in seen if event.kind == "rows") == len(texts)


def test_of_many_rows_the_first_are_sent_and_all_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instructor.web.stores.SHOWN", 3)
    path = tmp_path / "people.sqlite"
    with Scripted(letter) as server:
        sdk, run = job(server, [f"t{number}" for number in range(8)], path)
        with sdk:
            list(run)
        with served(server, stores=[path]) as page, watching(page.port) as events:
            progress, seen = until(events, "progress", rows=8)
    assert progress.data["shown"] == 3
    assert sum(len(event.data["rows"]) for event in seen if event.kind == "rows") == 3


def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    from instructor.web.app import PageServer, Session

    path = tmp_path / "a.sqlite"
    path.write_text("text")
    with pytest.raises(StoreError, match="not a store"):
        PageServer(Session(stores=[path]))


def test_the_number_of_rows_is_in_the_store_and_makes_no_other_job(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with Scripted(letter) as server:
        for texts in (["Ann"], ["Ann", "Bob"]):
            sdk, run = job(server, texts, path)
            with sdk:
                list(run)
        assert len(server.requests) == 2  # Ann is asked for once
    first, second = Store(path).runs()
    assert (first.total, second.total, second.differs) == (1, 2, {})
    assert len(list(Store(path).rows())) == 2
