"""Traces of bulk runs: each row is a trace of its own, with a link to the span of the job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from opentelemetry import trace
from pydantic import BaseModel

from harness import Harness
from instructor.bulk import Store
from instructor.testing import Asked, Reply, answer, error
from observed import Seen, identity, named, parent


class User(BaseModel):
    name: str


def by_row(asked: Asked) -> Reply:
    text = str(asked.messages[-1]["content"])
    return error(400, "bad row") if text == "bad" else answer({"name": text})


async def test_rows_are_roots_with_a_link(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server(by_row))
    sent_in: list[int] = []
    inner = client.client._client.send

    def send(*arguments: Any, **options: Any) -> Any:
        sent_in.append(trace.get_current_span().get_span_context().span_id)
        return inner(*arguments, **options)

    client.client.with_options = lambda **_: client.client  # the HTTP client is shared anyhow
    client.client._client.send = send
    with seen.tracer.start_as_current_span("mine") as mine:
        rows = await harness.items(client.map(["a", "b", "c", "bad"], response_model=User, model="m"))
    assert sum(row.ok for row in rows) == 3
    (job,) = [span for span in seen.spans if span.name == "map User"]
    assert parent(job) == mine.get_span_context().span_id
    assert job.context is not None
    told = named(job)
    assert [told[f"instructor.rows.{what}"] for what in ("ok", "failed", "reused")] == [3, 1, 0]
    assert told["instructor.usage.input_tokens"] > 0
    assert len(seen.calls) == 4
    for call in seen.calls:
        assert call.parent is None
        assert call.context is not None
        assert call.context.trace_id != job.context.trace_id
        assert [link.context.span_id for link in call.links] == [identity(job)]
    assert sorted(map(str, map(parent, seen.requests))) == sorted(str(identity(call)) for call in seen.calls)
    assert sorted(sent_in) == sorted(map(identity, seen.requests))


async def test_rows_of_a_store_are_no_calls(harness: Harness, scripted_server: Any, seen: Seen, tmp_path: Path) -> None:
    client = harness.client(scripted_server([answer({"name": "Ann"})]))
    for _ in range(2):
        store = Store(tmp_path / "run.sqlite")
        rows = await harness.items(client.map(["a"], response_model=User, model="m", store=store))
        assert [row.value for row in rows] == [User(name="Ann")]
    assert len(seen.calls) == len(seen.requests) == 1
    jobs = [named(span) for span in seen.spans if span.name == "map User"]
    assert [told["instructor.rows.reused"] for told in jobs] == [0, 1]


async def test_a_run_that_is_left_ends_its_span(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server(by_row))
    run = client.map(map(str, range(1000)), response_model=User, model="m")
    assert (await harness.next(aiter(run) if harness.is_async else iter(run))).ok
    await harness.close(run)
    assert [span.name for span in seen.spans].count("map User") == 1
    assert all(span.end_time for span in seen.spans)
    assert len(seen.calls) >= len(seen.requests) >= 1
    assert json.loads(seen.calls[0].to_json())["parent_id"] is None
