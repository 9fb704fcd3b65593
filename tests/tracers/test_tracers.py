"""Tracers that wrap the SDK, or us: `make test-tracers`. Each is put in place after the client was made and used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

pytest.importorskip("openinference.instrumentation.instructor", reason="it patches what it finds: make test-tracers")

from openai.resources.chat.completions import AsyncCompletions, Completions
from openinference.instrumentation.instructor import (  # pyright: ignore[reportMissingImports]
    InstructorInstrumentor,
)
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor  # pyright: ignore[reportMissingImports]
from opentelemetry.instrumentation.openai import OpenAIInstrumentor  # pyright: ignore[reportMissingImports]
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import instructor
from harness import Harness, asking
from instructor.testing import answer
from observed import identity, parent


class User(BaseModel):
    name: str
    age: int


ANN = {"name": "Ann", "age": 1}
MESSAGES = [{"role": "user", "content": "Ann is 1"}]


@pytest.fixture(autouse=True)
def _unwrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all wrappers off again: some instrumentations leave theirs."""
    for resource in (Completions, AsyncCompletions):
        monkeypatch.setattr(resource, "create", vars(resource)["create"])


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def tracer_of_the_sdk(provider: TracerProvider) -> Iterator[Any]:
    tracer = OpenAIInstrumentor()
    yield lambda: tracer.instrument(tracer_provider=provider)
    tracer.uninstrument()


@pytest.fixture
def tracer_of_ours(provider: TracerProvider) -> Iterator[Any]:
    tracer = InstructorInstrumentor()
    yield lambda: tracer.instrument(tracer_provider=provider)
    tracer.uninstrument()


async def test_a_late_tracer_of_the_sdk_sees_calls_and_streams(
    harness: Harness, scripted_server: Any, tracer_of_the_sdk: Any, exporter: InMemorySpanExporter
) -> None:
    client = harness.client(scripted_server([answer(ANN), answer(ANN), answer([ANN, ANN])]))
    assert await harness.create(client, User) == User(**ANN)
    assert exporter.get_finished_spans() == ()
    tracer_of_the_sdk()
    assert await harness.create(client, User) == User(**ANN)
    stream = await harness.result(client.create_iterable(**asking(), response_model=User))
    assert len(await harness.items(stream)) == 2
    call, of_stream = exporter.get_finished_spans()
    assert call.attributes is not None
    assert of_stream.attributes is not None
    assert "Ann" in str(call.attributes["gen_ai.output.messages"])
    assert "Ann" in str(of_stream.attributes["gen_ai.output.messages"])
    assert call.attributes["gen_ai.usage.input_tokens"]
    assert of_stream.attributes["gen_ai.is_streaming"] is True
    assert of_stream.attributes["gen_ai.usage.output_tokens"] == stream.report.usage.output_tokens


async def test_openinference_sees_the_calls_of_clients(
    harness: Harness, scripted_server: Any, tracer_of_ours: Any, exporter: InMemorySpanExporter
) -> None:
    tracer_of_ours()
    client = harness.client(scripted_server([answer(ANN), answer([ANN]), answer(ANN)]))
    assert await harness.create(client, User, model="m") == User(**ANN)
    assert list(await harness.create(client, list[User])) == [User(**ANN)]
    await harness.result(client.create_with_completion(**asking(), response_model=User))
    one, many, _ = spans = exporter.get_finished_spans()
    assert {span.name for span in spans} == {"instructor.async_create" if harness.is_async else "instructor.create"}
    assert one.attributes is not None
    assert many.attributes is not None
    assert one.attributes["instructor.response_model"] == "User"
    assert one.attributes["llm.model_name"] == "m"
    assert one.attributes["llm.provider"] == "openai"
    assert json.loads(str(one.attributes["output.value"])) == ANN
    assert json.loads(str(many.attributes["output.value"])) == [ANN]


async def test_openinference_sees_streams(
    harness: Harness, scripted_server: Any, tracer_of_ours: Any, exporter: InMemorySpanExporter
) -> None:
    tracer_of_ours()
    client = harness.client(scripted_server([answer([ANN, ANN])]))
    stream = await harness.create(client, list[User], stream=True)
    users = [user async for user in stream] if harness.is_async else list(stream)
    assert users == [User(**ANN)] * 2
    assert stream.report.complete  # what the tracer gives is still a stream
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert json.loads(str(span.attributes["output.value"])) == [ANN, ANN]


async def test_openinference_sees_patched_functions(
    harness: Harness, scripted_server: Any, tracer_of_ours: Any, exporter: InMemorySpanExporter
) -> None:
    tracer_of_ours()
    sdk = harness.sdk(scripted_server([answer(ANN), answer(ANN)]))
    create = instructor.patch(create=sdk.chat.completions.create)
    user = await harness.result(create(model="m", response_model=User, messages=MESSAGES))
    assert user == User(**ANN)
    instructor.patch(sdk)
    await harness.result(sdk.chat.completions.create(model="m", response_model=User, messages=MESSAGES))
    names = [span.name for span in exporter.get_finished_spans()]
    assert names == (
        ["instructor.async_patch", "instructor.async_create"]
        if harness.is_async
        else ["instructor.patch", "instructor.create"]
    )


# Traces of ours beside an instrumentation of the SDK's: one span for a request, and it is theirs.


INSTRUMENTATIONS = [
    "opentelemetry.instrumentation.openai",
    "opentelemetry.instrumentation.openai_v2",
    "openinference.instrumentation.openai",
]


@pytest.mark.parametrize("module", INSTRUMENTATIONS)
async def test_there_is_one_span_for_a_request(
    harness: Harness, scripted_server: Any, provider: TracerProvider, exporter: InMemorySpanExporter, module: str
) -> None:
    client = harness.client(scripted_server([answer(ANN), answer(ANN), answer([ANN, ANN])]))
    instrumentation = import_module(module).OpenAIInstrumentor()
    instructor.observe.enable(tracer_provider=provider)
    try:
        await harness.create(client, User)
        assert [span.name for span in exporter.get_finished_spans()] == ["chat scripted", "extract User"]
        exporter.clear()
        instrumentation.instrument(tracer_provider=provider)
        await harness.create(client, User)
        stream = await harness.result(client.create_iterable(**asking(), response_model=User))
        assert len(await harness.items(stream)) == 2
    finally:
        instrumentation.uninstrument()
        instructor.observe.disable()
    spans = exporter.get_finished_spans()
    ours = [span for span in spans if span.name == "extract User"]
    theirs = [span for span in spans if span not in ours]
    assert len(ours) == len(theirs) == 2
    assert {span.instrumentation_scope and span.instrumentation_scope.name for span in theirs}.isdisjoint(
        {"instructor"}
    )
    assert set(map(parent, theirs)) == set(map(identity, ours))


async def test_spans_of_the_http_client_are_below_the_request(
    harness: Harness, scripted_server: Any, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    instrumentation = HTTPX2ClientInstrumentor()
    instrumentation.instrument(tracer_provider=provider)
    instructor.observe.enable(tracer_provider=provider)
    try:
        client = harness.client(scripted_server(lambda asked: answer([ANN] if asked.body.get("stream") else ANN)))
        await harness.create(client, User)
        await harness.items(client.create_iterable(**asking(), response_model=User))
        rows = await harness.items(client.map(["a", "b"], response_model=User, model="m"))
        assert all(row.ok for row in rows)
    finally:
        instrumentation.uninstrument()
        instructor.observe.disable()
    spans = exporter.get_finished_spans()
    sent = [span for span in spans if span.name == "POST"]
    requests = [span for span in spans if span.name.startswith("chat ")]
    assert len(sent) == len(requests) == 4
    assert sorted(filter(None, map(parent, sent))) == sorted(map(identity, requests))
