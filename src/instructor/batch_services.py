"""What is different with each provider's batches: the lines of a file, and which functions of the SDK are called.

What waits is a step: a `Service` yields what is to be called. A sync processor calls it, an async one awaits it.
"""

from __future__ import annotations

import enum
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from instructor.core.types import Json
from instructor.exceptions import ConfigurationError
from instructor.mode import Mode

Steps = Generator[Callable[[], Any], Any, Any]
"""Yields what is to be called, and is sent what comes of it."""


class BatchStatus(str, enum.Enum):
    """How far a batch is, in one vocabulary for all providers."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True)
class BatchJobInfo:
    """What a provider says of a batch."""

    id: str
    provider: str
    status: BatchStatus
    total: int = 0
    """Requests."""
    completed: int = 0
    failed: int = 0
    created: float | None = None
    """Seconds since the epoch."""
    raw: Any = field(default=None, repr=False)
    """The SDK's own object."""


class Service(ABC):
    """One provider's batches, by its SDK. What calls the SDK returns what the SDK's function returns."""

    provider: ClassVar[str]
    mode: ClassVar[Mode]
    """How answers are asked for."""
    states: ClassVar[Mapping[str, BatchStatus]]
    """The provider's words for how far a batch is."""

    def __init__(self, client: Callable[[], Any], *, is_async: bool = False) -> None:
        """`client` returns the SDK's client; it is called when a request is made."""
        self._made, self._is_async = client, is_async

    @property
    def client(self) -> Any:
        """The SDK's client, of the kind that the processor is."""
        return self._made()

    @abstractmethod
    def line(self, custom_id: str, body: Json) -> Json:
        """Return a request's line in a file; `body` is what a call would send."""

    @abstractmethod
    def request(self, line: Json) -> tuple[str, Json]:
        """Return a line's id, and the body that a call would send."""

    @abstractmethod
    def submit(self, content: bytes, model: str, metadata: Mapping[str, str] | None) -> Steps:
        """Send a file of lines, and return the batch's id."""

    @abstractmethod
    def retrieve(self, batch_id: str) -> Any:
        """Ask for a batch."""

    @abstractmethod
    def cancel(self, batch_id: str) -> Any:
        """Cancel a batch."""

    def delete(self, batch_id: str) -> Any:
        """Delete a batch that has ended."""
        raise ConfigurationError(f"{self.provider} keeps its batches: {batch_id!r} can be cancelled, but not deleted.")

    @abstractmethod
    def list(self, limit: int) -> Any:
        """Ask for the last batches."""

    def listed(self, page: Any) -> Iterable[Any]:
        """Return the batches of what `list` returned."""
        batches: Iterable[Any] = page.data
        return batches

    @abstractmethod
    def info(self, batch: Any) -> BatchJobInfo:
        """Return what the SDK's object says."""

    def state_of(self, word: str) -> BatchStatus:
        """Return a status. A word that is not known yet is that of a batch that goes on."""
        return self.states.get(word, BatchStatus.PROCESSING)

    @abstractmethod
    def results(self, batch_id: str) -> Steps:
        """Return the lines of a batch that has ended."""

    @abstractmethod
    def read(self, line: Json) -> tuple[str, Json | None, str, str]:
        """Return a line's id and the response in it; without one, the kind and the text of the error."""


class _Chat(Service):
    """Lines with a whole HTTP response, of the chat wire."""

    def read(self, line: Json) -> tuple[str, Json | None, str, str]:
        response, error = line.get("response") or {}, line.get("error") or {}
        body = response.get("body") or {}
        if response.get("status_code") == 200:
            return line["custom_id"], body, "", ""
        error = error or body.get("error") or {}
        kind = str(error.get("code") or error.get("type") or f"status {response.get('status_code')}")
        return line["custom_id"], None, kind, str(error.get("message") or error)


class OpenAIBatches(_Chat):
    provider, mode = "openai", Mode.JSON_SCHEMA
    states: ClassVar[Mapping[str, BatchStatus]] = {
        "validating": BatchStatus.PENDING, "in_progress": BatchStatus.PROCESSING, "finalizing": BatchStatus.PROCESSING,
        "completed": BatchStatus.COMPLETED, "failed": BatchStatus.FAILED, "expired": BatchStatus.EXPIRED,
        "cancelling": BatchStatus.CANCELLED, "cancelled": BatchStatus.CANCELLED,
    }  # fmt: skip

    def line(self, custom_id: str, body: Json) -> Json:
        return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}

    def request(self, line: Json) -> tuple[str, Json]:
        return line["custom_id"], line["body"]

    def submit(self, content: bytes, model: str, metadata: Mapping[str, str] | None) -> Steps:
        del model  # each line has it
        file = yield lambda: self.client.files.create(file=("batch.jsonl", content), purpose="batch")
        more = {} if metadata is None else {"metadata": dict(metadata)}
        batch = yield lambda: self.client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", **more
        )
        return batch.id

    def retrieve(self, batch_id: str) -> Any:
        return self.client.batches.retrieve(batch_id)

    def cancel(self, batch_id: str) -> Any:
        return self.client.batches.cancel(batch_id)

    def list(self, limit: int) -> Any:
        return self.client.batches.list(limit=limit)

    def info(self, batch: Any) -> BatchJobInfo:
        counts = batch.request_counts
        total, done, failed = (0, 0, 0) if counts is None else (counts.total, counts.completed, counts.failed)
        status = self.state_of(batch.status)
        return BatchJobInfo(batch.id, self.provider, status, total, done, failed, batch.created_at, batch)

    def results(self, batch_id: str) -> Steps:
        batch = yield lambda: self.client.batches.retrieve(batch_id)
        lines: list[Json] = []
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                content = yield partial(self.client.files.content, file_id)
                lines += lines_of(content.text)
        return lines


class AnthropicBatches(Service):
    provider, mode = "anthropic", Mode.TOOLS
    states: ClassVar[Mapping[str, BatchStatus]] = {
        "in_progress": BatchStatus.PROCESSING, "canceling": BatchStatus.CANCELLED, "ended": BatchStatus.COMPLETED,
    }  # fmt: skip

    def line(self, custom_id: str, body: Json) -> Json:
        return {"custom_id": custom_id, "params": body}

    def request(self, line: Json) -> tuple[str, Json]:
        return line["custom_id"], line["params"]

    def submit(self, content: bytes, model: str, metadata: Mapping[str, str] | None) -> Steps:
        del model  # each line has it
        if metadata:
            raise ConfigurationError("Anthropic's batches take no metadata: leave metadata= out.")
        requests = lines_of(content.decode())
        batch = yield lambda: self.client.messages.batches.create(requests=requests)
        return batch.id

    def retrieve(self, batch_id: str) -> Any:
        return self.client.messages.batches.retrieve(batch_id)

    def cancel(self, batch_id: str) -> Any:
        return self.client.messages.batches.cancel(batch_id)

    def delete(self, batch_id: str) -> Any:
        return self.client.messages.batches.delete(batch_id)

    def list(self, limit: int) -> Any:
        return self.client.messages.batches.list(limit=limit)

    def info(self, batch: Any) -> BatchJobInfo:
        counts = batch.request_counts
        failed = counts.errored + counts.canceled + counts.expired
        total = counts.processing + counts.succeeded + failed
        created = batch.created_at.timestamp()
        status = self.state_of(batch.processing_status)
        return BatchJobInfo(batch.id, self.provider, status, total, counts.succeeded, failed, created, batch)

    def results(self, batch_id: str) -> Steps:
        found = yield lambda: self.client.messages.batches.results(batch_id)
        if hasattr(found, "__aiter__"):

            async def every() -> list[Json]:
                return [each.model_dump(mode="json", exclude_none=True, warnings=False) async for each in found]

            lines = yield every
            return lines
        return [each.model_dump(mode="json", exclude_none=True, warnings=False) for each in found]

    def read(self, line: Json) -> tuple[str, Json | None, str, str]:
        result = line["result"]
        if result["type"] == "succeeded":
            return line["custom_id"], result["message"], "", ""
        error = (result.get("error") or {}).get("error") or {}
        return line["custom_id"], None, error.get("type") or result["type"], error.get("message") or result["type"]


class MistralBatches(_Chat):
    provider, mode = "mistral", Mode.JSON_SCHEMA
    states: ClassVar[Mapping[str, BatchStatus]] = {
        "QUEUED": BatchStatus.PENDING, "RUNNING": BatchStatus.PROCESSING, "SUCCESS": BatchStatus.COMPLETED,
        "FAILED": BatchStatus.FAILED, "TIMEOUT_EXCEEDED": BatchStatus.EXPIRED,
        "CANCELLATION_REQUESTED": BatchStatus.CANCELLED, "CANCELLED": BatchStatus.CANCELLED,
    }  # fmt: skip

    def _function(self, owner: Any, name: str) -> Any:
        return getattr(owner, f"{name}_async" if self._is_async else name)

    def line(self, custom_id: str, body: Json) -> Json:
        return {"custom_id": custom_id, "body": {name: value for name, value in body.items() if name != "model"}}

    def request(self, line: Json) -> tuple[str, Json]:
        return line["custom_id"], line["body"]

    def submit(self, content: bytes, model: str, metadata: Mapping[str, str] | None) -> Steps:
        upload, create = self._function(self.client.files, "upload"), self._function(self.client.batch.jobs, "create")
        file = yield lambda: upload(file={"file_name": "batch.jsonl", "content": content}, purpose="batch")
        more = {} if metadata is None else {"metadata": dict(metadata)}
        batch = yield lambda: create(endpoint="/v1/chat/completions", input_files=[file.id], model=model, **more)
        return batch.id

    def retrieve(self, batch_id: str) -> Any:
        return self._function(self.client.batch.jobs, "get")(job_id=batch_id)

    def cancel(self, batch_id: str) -> Any:
        return self._function(self.client.batch.jobs, "cancel")(job_id=batch_id)

    def delete(self, batch_id: str) -> Any:
        return self._function(self.client.batch.jobs, "delete")(job_id=batch_id)

    def list(self, limit: int) -> Any:
        return self._function(self.client.batch.jobs, "list")(page_size=limit)

    def listed(self, page: Any) -> Iterable[Any]:
        return page.data or ()

    def info(self, batch: Any) -> BatchJobInfo:
        status, created = self.state_of(batch.status), float(batch.created_at)
        counts = batch.total_requests, batch.succeeded_requests, batch.failed_requests
        return BatchJobInfo(batch.id, self.provider, status, *counts, created, batch)

    def results(self, batch_id: str) -> Steps:
        batch = yield lambda: self.retrieve(batch_id)
        lines: list[Json] = []
        for file_id in (batch.output_file, batch.error_file):
            if file_id:
                response = yield partial(self._function(self.client.files, "download"), file_id=file_id)
                yield response.aread if self._is_async else response.read
                lines += lines_of(response.text)
        return lines


_BESIDE_GENERATION = ("system_instruction", "tools", "tool_config", "safety_settings", "cached_content", "labels")
"""What stands beside `generationConfig` in a request over HTTP; for the SDK all of it is one config."""


class GoogleBatches(Service):
    provider, mode = "google", Mode.JSON_SCHEMA
    states: ClassVar[Mapping[str, BatchStatus]] = {
        "JOB_STATE_UNSPECIFIED": BatchStatus.PENDING, "JOB_STATE_QUEUED": BatchStatus.PENDING,
        "JOB_STATE_PENDING": BatchStatus.PENDING, "JOB_STATE_SUCCEEDED": BatchStatus.COMPLETED,
        "JOB_STATE_PARTIALLY_SUCCEEDED": BatchStatus.COMPLETED, "JOB_STATE_FAILED": BatchStatus.FAILED,
        "JOB_STATE_CANCELLING": BatchStatus.CANCELLED, "JOB_STATE_CANCELLED": BatchStatus.CANCELLED,
        "JOB_STATE_EXPIRED": BatchStatus.EXPIRED,
    }  # fmt: skip

    @property
    def client(self) -> Any:
        client = super().client
        if getattr(client, "vertexai", False):
            raise ConfigurationError(
                "Batches of Vertex AI are read from Cloud Storage or BigQuery, which is not supported: "
                "pass a client of the Gemini API (genai.Client(api_key=...))."
            )
        return getattr(client, "aio", client) if self._is_async else client

    def line(self, custom_id: str, body: Json) -> Json:
        config = {name: value for name, value in body["config"].items() if name != "automatic_function_calling"}
        beside = {name: config.pop(name) for name in _BESIDE_GENERATION if name in config}
        if isinstance(system := beside.get("system_instruction"), str):
            beside["system_instruction"] = {"parts": [{"text": system}]}
        return {
            "key": custom_id, "request": {"contents": body["contents"], **beside, "generation_config": config},
        }  # fmt: skip

    def request(self, line: Json) -> tuple[str, Json]:
        beside = dict(line["request"])
        contents, config = beside.pop("contents"), beside.pop("generation_config", {})
        return line["key"], {"contents": contents, "config": {**config, **beside}}

    def submit(self, content: bytes, model: str, metadata: Mapping[str, str] | None) -> Steps:
        about = dict(metadata or {})
        if about.keys() - {"display_name"}:
            raise ConfigurationError(f"Google's batches have a display_name and no other metadata, got {about!r}.")
        file = yield lambda: self.client.files.upload(
            file=io.BytesIO(content), config={"mime_type": "application/jsonl", **about}
        )
        batch = yield lambda: self.client.batches.create(model=model, src=file.name, config=about)
        return batch.name

    def retrieve(self, batch_id: str) -> Any:
        return self.client.batches.get(name=batch_id)

    def cancel(self, batch_id: str) -> Any:
        return self.client.batches.cancel(name=batch_id)  # which returns nothing

    def delete(self, batch_id: str) -> Any:
        return self.client.batches.delete(name=batch_id)

    def list(self, limit: int) -> Any:
        return self.client.batches.list(config={"page_size": limit})

    def listed(self, page: Any) -> Iterable[Any]:
        return page.page or ()

    def info(self, batch: Any) -> BatchJobInfo:
        status = self.state_of("" if batch.state is None else batch.state.value)
        stats = batch.completion_stats
        done, failed = (0, 0) if stats is None else (stats.successful_count or 0, stats.failed_count or 0)
        total = done + failed + (0 if stats is None else max(0, stats.incomplete_count or 0))
        created = None if batch.create_time is None else batch.create_time.timestamp()
        return BatchJobInfo(batch.name, self.provider, status, total, done, failed, created, batch)

    def results(self, batch_id: str) -> Steps:
        batch = yield lambda: self.retrieve(batch_id)
        if batch.dest is None or not batch.dest.file_name:
            return []
        content = yield lambda: self.client.files.download(file=batch.dest.file_name)
        return lines_of(content.decode())

    def read(self, line: Json) -> tuple[str, Json | None, str, str]:
        if line.get("response"):
            return line["key"], line["response"], "", ""
        error = line.get("error") or {}
        return (
            line["key"],
            None,
            str(error.get("status") or error.get("code") or "error"),
            str(error.get("message", error)),
        )


SERVICES: dict[str, type[Service]] = {
    each.provider: each for each in (OpenAIBatches, AnthropicBatches, MistralBatches, GoogleBatches)
}


def service_of(provider: str) -> type[Service]:
    """Return the batches of a provider.

    Raises:
        ConfigurationError: It has none.
    """
    if provider not in SERVICES:
        raise ConfigurationError(f"The provider of a batch must be one of {', '.join(SERVICES)}, got {provider!r}.")
    return SERVICES[provider]


def lines_of(text: str) -> list[Json]:
    """Return the values of JSON lines."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]
