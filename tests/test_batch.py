"""Batches through the real SDKs: files and batches on a server of this machine that answers each line."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import anthropic
import openai
import pytest
from google import genai
from mistralai.client import Mistral
from pydantic import BaseModel

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


Json = dict[str, Any]
TEXTS = ["Ann is 1", "Bob is old", "Cid is 3"]


def person(text: str) -> Json:
    name, _, age = text.partition(" is ")
    return {"name": name, "age": int(age) if age.isdigit() else age}


class Provider:
    """The files and batches of all providers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, Any]] = []
        self.has_ended = True
        self.lines: list[Json] = []
        provider = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(provider.get(self.path.partition("?")[0]))

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or 0))
                self.answer(provider.post(self.path, data, self.headers.get("content-type") or ""))

            def answer(self, body: bytes | Json) -> None:
                self.send_response(200)
                if "/upload/" in self.path:  # Google's: the first request is told where the bytes go
                    self.send_header("X-Goog-Upload-Status", "final" if "bytes=" in self.path else "active")
                    self.send_header("X-Goog-Upload-URL", f"{provider.root}/google/upload/files?bytes=1")
                self.send_header(
                    "Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json"
                )
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            def log_message(self, format: str, *arguments: Any) -> None: ...  # noqa: A002

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # OpenAI

    def openai_batch(self, **more: Any) -> Json:
        status = "completed" if self.has_ended else "in_progress"
        counts = {"total": len(self.lines), "completed": len(self.lines), "failed": 0}
        files = {"input_file_id": "file_1", "output_file_id": "file_out", "error_file_id": "file_err"}
        about = {"endpoint": "/v1/chat/completions", "completion_window": "24h", "created_at": 1}
        return {
            "id": "batch_1",
            "object": "batch",
            "status": status,
            "request_counts": counts,
            **files,
            **about,
            **more,
        }

    def openai_line(self, line: Json) -> Json:
        text = line["body"]["messages"][-1]["content"]
        message = {"role": "assistant", "content": json.dumps(person(text))}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}  # fmt: skip
        return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}

    # Anthropic

    def anthropic_batch(self) -> Json:
        counts = {"processing": 0, "succeeded": len(self.lines), "errored": 0, "canceled": 0, "expired": 0}
        times = dict.fromkeys(("created_at", "expires_at", "ended_at"), "2026-01-01T00:00:00Z")
        status = "ended" if self.has_ended else "in_progress"
        url = f"{self.root}/v1/messages/batches/msgbatch_1/results"
        about: Json = {"archived_at": None, "cancel_initiated_at": None, "results_url": url, **times}
        return {
            "id": "msgbatch_1", "type": "message_batch", "processing_status": status, "request_counts": counts, **about,
        }  # fmt: skip

    def anthropic_line(self, line: Json) -> Json:
        asked = line["params"]["messages"][-1]["content"]
        text = asked if isinstance(asked, str) else asked[-1]["text"]
        use = {"type": "tool_use", "id": "t", "name": line["params"]["tools"][0]["name"], "input": person(text)}
        message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [use],
                   "stop_reason": "tool_use", "stop_sequence": None,
                   "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
        return {"custom_id": line["custom_id"], "result": {"type": "succeeded", "message": message}}

    # Mistral: the lines of its results are those of OpenAI

    def mistral_job(self, status: str) -> Json:
        count = len(self.lines)
        counts = {"total_requests": count, "completed_requests": count, "succeeded_requests": count}
        files = {"input_files": ["file_1"], "output_file": "file_out", "error_file": "file_err"}
        return {"id": "job_1", "object": "batch", "endpoint": "/v1/chat/completions", "errors": [], "status": status,
                "created_at": 1, "failed_requests": 0, **counts, **files}  # fmt: skip

    # Google

    def google_batch(self, state: str) -> Json:
        output = {"responsesFile": "files/file_out"} if state.endswith("SUCCEEDED") else None
        return {
            "name": "batches/b1",
            "metadata": {"state": state, "createTime": "2026-01-01T00:00:00Z", "output": output},
        }

    def google_line(self, line: Json) -> Json:
        text = json.dumps(person(line["request"]["contents"][-1]["parts"][0]["text"]))
        content = {"role": "model", "parts": [{"text": text}]}
        return {"key": line["key"], "response": {"candidates": [{"content": content, "finishReason": "STOP"}]}}

    def of_google(self, path: str, data: bytes) -> bytes | Json:
        state = "BATCH_STATE_SUCCEEDED" if self.has_ended else "BATCH_STATE_RUNNING"
        if path.endswith("?bytes=1"):
            self.lines = [json.loads(line) for line in data.splitlines()]
            return {"file": {"name": "files/f1"}}
        if "/upload/" in path:
            return {}
        if ":download" in path:
            lines = [self.google_line(line) for line in self.lines[::-1]]
            lines.append({"key": "request-9", "error": {"code": 429, "status": "rate_limit", "message": "too many"}})
            return "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.asked.append((path, json.loads(data) if data else None))
        if path.endswith(":cancel"):
            self.has_ended = False
            return {}
        return {"operations": [self.google_batch(state)]} if path.endswith("batches") else self.google_batch(state)

    def get(self, path: str) -> bytes | Json:
        if path.startswith("/google"):
            return self.of_google(path, b"")
        self.asked.append((path, None))
        if path.endswith("/file_out/content"):
            return "".join(json.dumps(self.openai_line(line)) + "\n" for line in self.lines[::-1]).encode()
        if path.endswith("/file_err/content"):
            of_line = {"code": "rate_limit", "message": "too many"}
            failed = {
                "custom_id": "request-9",
                "response": {"status_code": 429, "body": {"error": of_line}},
                "error": None,
            }
            return (json.dumps(failed) + "\n").encode()
        if path.endswith("/results"):
            lines = [self.anthropic_line(line) for line in self.lines[::-1]]
            error: Json = {"type": "error", "error": {"type": "rate_limit", "message": "too many"}}
            lines.append({"custom_id": "request-9", "result": {"type": "errored", "error": error}})
            return "".join(json.dumps(line) + "\n" for line in lines).encode()
        if "/batch/jobs" in path:
            job = self.mistral_job("SUCCESS" if self.has_ended else "RUNNING")
            return {"object": "list", "data": [job], "total": 1} if path.endswith("jobs") else job
        batch = self.anthropic_batch() if "/messages/" in path else self.openai_batch()
        return {"object": "list", "data": [batch], "has_more": False} if path.endswith("batches") else batch

    def post(self, path: str, data: bytes, kind: str) -> bytes | Json:
        if path.startswith("/google"):
            return self.of_google(path, data)
        if path.endswith("/files"):
            form: Message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + data)
            parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
            content = parts["file"].get_payload(decode=True)  # type: ignore[union-attr]
            self.lines = [json.loads(line) for line in content.splitlines()]  # type: ignore[union-attr]
            return {"id": "file_1", "object": "file", "bytes": len(data), "created_at": 1, "filename": "batch.jsonl",
                    "purpose": "batch", "status": "processed", "sample_type": "batch_request",
                    "source": "upload"}  # fmt: skip
        self.asked.append((path, json.loads(data) if data else None))
        if "/batch/jobs" in path:
            return self.mistral_job("CANCELLED" if path.endswith("/cancel") else "QUEUED")
        if path.endswith("/cancel"):
            return self.openai_batch(status="cancelled") if "msgbatch" not in path else self.anthropic_batch()
        if "/messages/" in path:
            self.lines = json.loads(data)["requests"]
            return self.anthropic_batch()
        return self.openai_batch()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


def _sdk(name: str, root: str, *, is_async: bool) -> Any:
    if name == "openai":
        return (openai.AsyncOpenAI if is_async else openai.OpenAI)(base_url=f"{root}/v1", api_key="test", max_retries=0)
    if name == "anthropic":
        return (anthropic.AsyncAnthropic if is_async else anthropic.Anthropic)(
            base_url=root, api_key="test", max_retries=0
        )
    if name == "mistral":
        return Mistral(api_key="test", server_url=root)
    return genai.Client(api_key="test", http_options=genai.types.HttpOptions(base_url=f"{root}/google"))


@pytest.fixture(params=["openai", "anthropic", "mistral", "google"])
async def processor(request: pytest.FixtureRequest, provider: Provider, harness: Harness) -> Any:
    client = _sdk(request.param, provider.root, is_async=harness.is_async)
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
