"""Batches through the real SDKs: files and batches on a server of this machine that answers each line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from batch_server import Json, Provider, sdk_client
from harness import Harness
from instructor.batch import (
    AsyncBatchProcessor,
    BatchError,
    BatchJob,
    BatchProcessor,
    BatchRequest,
    BatchStatus,
    BatchSuccess,
    extract_results,
    filter_errors,
    get_results_by_custom_id,
)
from instructor.exceptions import ConfigurationError, ProviderError


class Person(BaseModel):
    name: str
    age: int


TEXTS = ["Ann is 1", "Bob is old", "Cid is 3"]


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture(params=["openai", "anthropic", "mistral", "google"])
async def processor(request: pytest.FixtureRequest, provider: Provider, harness: Harness) -> Any:
    client = sdk_client(request.param, provider.root, is_async=harness.is_async)
    make: Any = AsyncBatchProcessor if harness.is_async else BatchProcessor
    yield make(f"{request.param}/m", Person, client=client)
    if request.param == "google":
        await client.aio.aclose()
        client.close()


def text_of(path: str | Path) -> str:
    return Path(path).read_text("utf-8")


def conversations() -> list[list[Json]]:
    return [[{"role": "user", "content": text}] for text in TEXTS]


def test_a_file_is_written_whole(processor: Any, tmp_path: Path) -> None:
    path = processor.create_batch_from_messages(conversations(), tmp_path / "in.jsonl")
    assert len(text_of(path).splitlines()) == 3
    assert [each.name for each in tmp_path.iterdir()] == ["in.jsonl"]


async def test_a_batch_from_its_file_to_its_results(harness: Harness, processor: Any, tmp_path: Path) -> None:
    path = processor.create_batch_from_messages(conversations(), tmp_path / "in.jsonl")
    batch_id = await harness.result(processor.submit_batch(path))
    info = await harness.result(processor.get_batch_status(batch_id))
    assert info.status is BatchStatus.COMPLETED
    assert info.total == (0 if processor.provider == "google" else 3)  # Google's API does not say how many
    results = await harness.result(processor.get_results(batch_id, tmp_path / "out.jsonl"))
    by_id = get_results_by_custom_id(results)
    assert by_id["request-0"] == BatchSuccess("request-0", Person(name="Ann", age=1))
    assert by_id["request-2"].success
    wrong = by_id["request-1"]
    assert isinstance(wrong, BatchError)
    assert "age" in wrong.error_message
    refused = by_id["request-9"]
    assert isinstance(refused, BatchError)
    assert (refused.error_type, refused.error_message) == ("rate_limit", "too many")
    assert sorted(each.name for each in extract_results(results)) == ["Ann", "Cid"]
    assert len(filter_errors(results)) == 2
    again = processor.parse_results(text_of(tmp_path / "out.jsonl"))
    assert get_results_by_custom_id(again).keys() == by_id.keys()
    assert [each.id for each in await harness.result(processor.list_batches())] == [batch_id]


async def test_in_memory_with_names_and_lists(harness: Harness, provider: Provider, processor: Any) -> None:
    processor.response_model = list[Person]
    buffer = processor.create_batch_from_messages(conversations(), custom_ids=["a", "b", "c"])
    assert isinstance(buffer, io.BytesIO)
    await harness.result(processor.submit_batch(buffer))
    assert [line.get("custom_id") or line["key"] for line in provider.lines] == ["a", "b", "c"]
    assert "tasks" in json.dumps(provider.lines[0])


async def test_a_batch_that_has_not_ended(harness: Harness, provider: Provider, processor: Any) -> None:
    provider.has_ended = False
    with pytest.raises(ProviderError, match="has not ended: its status is processing"):
        await harness.result(processor.get_results("batches/b"))
    cancelled = await harness.result(
        processor.cancel_batch("msgbatch_1" if processor.provider == "anthropic" else "batches/b")
    )
    assert cancelled.status in (BatchStatus.CANCELLED, BatchStatus.PROCESSING)


def test_the_lines_of_requests(tmp_path: Path) -> None:
    request: BatchRequest[Person] = BatchRequest("row-7", [{"role": "user", "content": "Ann is 1"}], Person, "m")
    line = request.to_openai_format()
    assert (line["custom_id"], line["method"], line["url"]) == ("row-7", "POST", "/v1/chat/completions")
    assert line["body"]["max_tokens"] == 1000
    assert "temperature" not in line["body"]
    assert line["body"]["response_format"]["json_schema"]["strict"] is True
    assert line["body"]["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    params = request.to_anthropic_format()["params"]
    assert params["tool_choice"]["type"] == "tool"
    mistral = request.to_mistral_format()
    assert (mistral["custom_id"], "model" in mistral["body"]) == ("row-7", False)
    google = request.to_google_format()
    assert google["key"] == "row-7"
    assert google["request"]["generation_config"]["max_output_tokens"] == 1000
    assert google["request"]["contents"] == [{"role": "user", "parts": [{"text": "Ann is 1"}]}]
    for _ in range(2):
        request.save_to_file(tmp_path / "a.jsonl", "openai")
    assert [json.loads(each)["custom_id"] for each in (tmp_path / "a.jsonl").read_text().splitlines()] == ["row-7"] * 2
    assert "name" in request.get_json_schema()["properties"]


def test_the_oldest_interface(provider: Provider) -> None:
    line = BatchRequest("a", [{"role": "user", "content": "Ann is 1"}], Person, "m").to_openai_format()
    wrong = BatchRequest("b", [{"role": "user", "content": "Bob is old"}], Person, "m").to_openai_format()
    content = "".join(json.dumps(provider.openai_line(each)) + "\n" for each in (line, wrong))
    values, errors = BatchJob.parse_from_string(content, Person)
    assert values == [Person(name="Ann", age=1)]
    assert [error["custom_id"] for error in errors] == ["b"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BatchProcessor("opnai/m", Person), "must be one of openai, anthropic, mistral, google, got 'opnai'"),
        (lambda: BatchProcessor("openai", Person), 'must be "provider/model"'),
        (
            lambda: BatchProcessor("openai/m", cast("Any", [Person])).create_batch_from_messages(conversations()),
            "Did you mean list",
        ),
        (lambda: BatchProcessor("openai/m", Person).submit_batch(io.BytesIO(b"\n")), "has no requests"),
        (
            lambda: BatchProcessor("openai/m", Person).create_batch_from_messages(conversations(), custom_ids="aab"),
            "a name of its own for each request, got 'a'",
        ),
    ],
)
def test_mistakes(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        make()


async def test_a_follow_up_asks_again_for_what_is_wrong(
    harness: Harness, provider: Provider, processor: Any, tmp_path: Path
) -> None:
    """The wrong answer is sent back with its fault; what was refused is sent again as it was."""
    ids = ["a", "b", "request-9"]
    path = processor.create_batch_from_messages(conversations(), tmp_path / "in.jsonl", custom_ids=ids)
    batch_id = await harness.result(processor.submit_batch(path))
    results = await harness.result(processor.get_results(batch_id))
    results = [each for each in results if each.custom_id != "request-9" or not each.success]  # refused as well
    again = processor.create_follow_up(path, results, tmp_path / "again.jsonl")
    lines = [json.loads(line) for line in text_of(again).splitlines()]
    first = dict(map(processor._service.request, map(json.loads, text_of(path).splitlines())))
    bodies = dict(map(processor._service.request, lines))
    assert bodies.keys() == {"b", "request-9"}
    assert bodies["request-9"] == first["request-9"]
    turns = {"google": "contents"}.get(processor.provider, "messages")
    assert len(bodies["b"][turns]) == len(first["b"][turns]) + 2
    assert bodies["b"][turns][:-2] == first["b"][turns]
    assert "old" in json.dumps(bodies["b"][turns][-2])
    assert "age" in json.dumps(bodies["b"][turns][-1])
    await harness.result(processor.submit_batch(again))  # the provider takes it
    assert len(provider.lines) == 2


async def test_a_follow_up_needs_an_error_and_its_request(processor: Any, tmp_path: Path) -> None:
    path = processor.create_batch_from_messages(conversations(), tmp_path / "in.jsonl")
    with pytest.raises(ConfigurationError, match="nothing to ask again"):
        processor.create_follow_up(path, [BatchSuccess("request-0", Person(name="Ann", age=1))])
    with pytest.raises(ConfigurationError, match="does not have the requests 'other'"):
        processor.create_follow_up(path, [BatchError("other", "x", "y")])


async def test_a_batch_is_deleted_where_the_provider_can(harness: Harness, provider: Provider, processor: Any) -> None:
    name = {"anthropic": "msgbatch_1", "google": "batches/b"}.get(processor.provider, "batch_1")
    if processor.provider == "openai":
        with pytest.raises(ConfigurationError, match="openai keeps its batches"):
            await harness.result(processor.delete_batch(name))
        return
    info = await harness.result(processor.delete_batch(name))
    assert info.status is BatchStatus.COMPLETED
    assert provider.deleted == 1
