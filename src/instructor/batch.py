"""Batches of a provider: thousands of requests in one file, answered within a day for half the price.

    processor = BatchProcessor("openai/gpt-4o-mini", Person)
    file = processor.create_batch_from_messages([[{"role": "user", "content": text}] for text in texts], "people.jsonl")
    batch_id = processor.submit_batch(file)
    ...                                                         # hours later, in another program perhaps
    for result in processor.get_results(batch_id):
        print(result.custom_id, result.result if result.success else result.error_message)

Theory of operation. The dialect that writes and reads a call writes and reads each line, so a batch takes every type
that a call takes. What is different with each provider is in a `_Service`: how a line looks, and which of the SDK's
functions are called. The steps of both processors are generators that yield what is to be called; a sync processor
calls it, an async one awaits it.
"""

from __future__ import annotations

import enum
import io
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

from typing_extensions import TypeForm

from instructor.bulk.transport import RecordedSync
from instructor.call import CallBuilder
from instructor.core.types import Json
from instructor.exceptions import ConfigurationError, InstructorError, ProviderError
from instructor.factories import from_provider
from instructor.mode import Mode
from instructor.outputs import output_for

__path__: list[str] = []
"""`instructor.batch.processor` is a path of older versions, so this is a package to the import system."""
T = TypeVar("T")
Steps = Generator[Callable[[], Any], Any, Any]
"""Yields what is to be called, and is sent what comes of it."""
File = str | os.PathLike[str] | io.BytesIO


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


@dataclass(frozen=True)
class BatchSuccess(Generic[T]):
    """A request that was answered with a valid value."""

    custom_id: str
    result: T
    success: ClassVar[bool] = True


@dataclass(frozen=True)
class BatchError:
    """A request without a valid value: refused by the provider, or answered with something else."""

    custom_id: str
    error_type: str
    error_message: str
    raw_data: Any = field(default=None, repr=False)
    """What came."""
    success: ClassVar[bool] = False


BatchResult = BatchSuccess[T] | BatchError


def filter_successful(results: Iterable[BatchResult[T]]) -> list[BatchSuccess[T]]:
    """Return the results that have a value."""
    return [each for each in results if isinstance(each, BatchSuccess)]


def filter_errors(results: Iterable[BatchResult[Any]]) -> list[BatchError]:
    """Return the results that have none."""
    return [each for each in results if isinstance(each, BatchError)]


def extract_results(results: Iterable[BatchResult[T]]) -> list[T]:
    """Return the values."""
    return [each.result for each in filter_successful(results)]


def get_results_by_custom_id(results: Iterable[BatchResult[T]]) -> dict[str, BatchResult[T]]:
    """Return the results by the ids of their requests."""
    return {each.custom_id: each for each in results}


@dataclass(frozen=True)
class BatchRequest(Generic[T]):
    """One line of a batch.

    Example:
        >>> BatchRequest("row-7", messages, Person, "gpt-4o-mini").to_openai_format()["custom_id"]
        'row-7'
    """

    custom_id: str
    messages: Sequence[Mapping[str, Any]]
    response_model: TypeForm[T]
    model: str
    max_tokens: int | None = 1000
    temperature: float | None = None

    def to_openai_format(self) -> Json:
        """Return the line as OpenAI has it."""
        return self._line("openai")

    def to_anthropic_format(self) -> Json:
        """Return the line as Anthropic has it."""
        return self._line("anthropic")

    def get_json_schema(self) -> Json:
        """Return the schema of the answer."""
        return output_for(self.response_model).schema

    def save_to_file(self, file: File, provider: str) -> None:
        """Append the line to a file."""
        line = json.dumps(self._line(provider), ensure_ascii=False) + "\n"
        if isinstance(file, io.BytesIO):
            file.write(line.encode())
            return
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(line)

    def _line(self, provider: str) -> Json:
        service = _service(provider)
        return service.line(self.custom_id, service.body(_offline(provider, self.model, service), self))


class _Service:
    """One provider's batches."""

    provider: ClassVar[str]
    mode: ClassVar[Mode]
    states: ClassVar[Mapping[str, BatchStatus]]

    def body(self, calls: CallBuilder, request: BatchRequest[Any]) -> Json:
        """Write the body of a request, as a call would have it."""
        options = {"model": request.model, "max_tokens": request.max_tokens, "temperature": request.temperature}
        given = {name: value for name, value in options.items() if value is not None}
        return dict(calls.prepare(request.response_model, list(request.messages), given).run.body)

    def line(self, custom_id: str, body: Json) -> Json:
        raise NotImplementedError

    def submit(self, client: Any, content: bytes, metadata: Mapping[str, str] | None) -> Steps:
        raise NotImplementedError

    def info(self, batch: Any) -> BatchJobInfo:
        raise NotImplementedError

    def results(self, client: Any, batch_id: str) -> Steps:
        """Return the lines of a batch that has ended."""
        raise NotImplementedError

    def read(self, line: Json) -> tuple[str, Json | None, str, str]:
        """Return a line's id and the response in it; without one, the kind and the text of the error."""
        raise NotImplementedError


class _OpenAIBatches(_Service):
    provider, mode = "openai", Mode.JSON_SCHEMA
    states: ClassVar[Mapping[str, BatchStatus]] = {
        "validating": BatchStatus.PENDING, "in_progress": BatchStatus.PROCESSING, "finalizing": BatchStatus.PROCESSING,
        "completed": BatchStatus.COMPLETED, "failed": BatchStatus.FAILED, "expired": BatchStatus.EXPIRED,
        "cancelling": BatchStatus.CANCELLED, "cancelled": BatchStatus.CANCELLED,
    }  # fmt: skip

    def line(self, custom_id: str, body: Json) -> Json:
        return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}

    def submit(self, client: Any, content: bytes, metadata: Mapping[str, str] | None) -> Steps:
        file = yield lambda: client.files.create(file=("batch.jsonl", content), purpose="batch")
        more = {} if metadata is None else {"metadata": dict(metadata)}
        batch = yield lambda: client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", **more
        )
        return batch.id

    def retrieve(self, client: Any, batch_id: str) -> Any:
        return client.batches.retrieve(batch_id)

    def cancel(self, client: Any, batch_id: str) -> Any:
        return client.batches.cancel(batch_id)

    def list(self, client: Any, limit: int) -> Any:
        return client.batches.list(limit=limit)

    def info(self, batch: Any) -> BatchJobInfo:
        counts = batch.request_counts
        total, done, failed = (0, 0, 0) if counts is None else (counts.total, counts.completed, counts.failed)
        status = self.states[batch.status]
        return BatchJobInfo(batch.id, self.provider, status, total, done, failed, batch.created_at, batch)

    def results(self, client: Any, batch_id: str) -> Steps:
        batch = yield lambda: client.batches.retrieve(batch_id)
        lines: list[Json] = []
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                content = yield partial(client.files.content, file_id)
                lines += [json.loads(line) for line in content.text.splitlines() if line.strip()]
        return lines

    def read(self, line: Json) -> tuple[str, Json | None, str, str]:
        response, error = line.get("response") or {}, line.get("error") or {}
        body = response.get("body") or {}
        if response.get("status_code") == 200:
            return line["custom_id"], body, "", ""
        error = error or body.get("error") or {}
        kind = str(error.get("code") or error.get("type") or f"status {response.get('status_code')}")
        return line["custom_id"], None, kind, str(error.get("message") or error)


class _AnthropicBatches(_Service):
    provider, mode = "anthropic", Mode.TOOLS
    states: ClassVar[Mapping[str, BatchStatus]] = {
        "in_progress": BatchStatus.PROCESSING, "canceling": BatchStatus.CANCELLED, "ended": BatchStatus.COMPLETED,
    }  # fmt: skip

    def line(self, custom_id: str, body: Json) -> Json:
        return {"custom_id": custom_id, "params": body}

    def submit(self, client: Any, content: bytes, metadata: Mapping[str, str] | None) -> Steps:
        if metadata:
            raise ConfigurationError("Anthropic's batches take no metadata: leave metadata= out.")
        requests = [json.loads(line) for line in content.splitlines() if line.strip()]
        batch = yield lambda: client.messages.batches.create(requests=requests)
        return batch.id

    def retrieve(self, client: Any, batch_id: str) -> Any:
        return client.messages.batches.retrieve(batch_id)

    def cancel(self, client: Any, batch_id: str) -> Any:
        return client.messages.batches.cancel(batch_id)

    def list(self, client: Any, limit: int) -> Any:
        return client.messages.batches.list(limit=limit)

    def info(self, batch: Any) -> BatchJobInfo:
        counts = batch.request_counts
        failed = counts.errored + counts.canceled + counts.expired
        total = counts.processing + counts.succeeded + failed
        created = batch.created_at.timestamp()
        status = self.states[batch.processing_status]
        return BatchJobInfo(batch.id, self.provider, status, total, counts.succeeded, failed, created, batch)

    def results(self, client: Any, batch_id: str) -> Steps:
        found = yield lambda: client.messages.batches.results(batch_id)
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


_SERVICES: dict[str, _OpenAIBatches | _AnthropicBatches] = {
    "openai": _OpenAIBatches(),
    "anthropic": _AnthropicBatches(),
}


def _service(provider: str) -> _OpenAIBatches | _AnthropicBatches:
    if provider not in _SERVICES:
        raise ConfigurationError(f"The provider of a batch must be one of {', '.join(_SERVICES)}, got {provider!r}.")
    return _SERVICES[provider]


def _offline(provider: str, model: str, service: _Service) -> CallBuilder:
    """Return what writes and reads calls; it sends none."""
    client = from_provider(f"{provider}/{model}", mode=service.mode, api_key="none")
    return CallBuilder(client._binding)


class _Batches(Generic[T]):
    """What both processors have in common."""

    def __init__(self, model: str, response_model: TypeForm[T], client: Any = None) -> None:
        """`model` is "provider/model"; `client` is one of the provider's SDK (default: a new one, with the key of the
        environment)."""
        self.provider, _, self.model_name = model.partition("/")
        self._service = _service(self.provider)
        if not self.model_name:
            raise ConfigurationError(f'The model must be "provider/model", got {model!r}.')
        self.response_model: Any = response_model
        self._client = client
        self._calls = _offline(self.provider, self.model_name, self._service)

    _is_async: ClassVar[bool]

    @property
    def client(self) -> Any:
        """The SDK's client. It is made when it is first needed."""
        if self._client is None:
            self._client = from_provider(f"{self.provider}/{self.model_name}", self._is_async).client
        return self._client

    def create_batch_from_messages(
        self,
        messages_list: Iterable[Sequence[Mapping[str, Any]]],
        file_path: str | os.PathLike[str] | None = None,
        max_tokens: int | None = 1000,
        temperature: float | None = None,
        custom_ids: Iterable[str] | None = None,
    ) -> str | io.BytesIO:
        """Write a file of requests, one for each conversation.

        Args:
            messages_list: The conversations.
            file_path: The file, which appears when it is complete. None: the requests are returned in memory.
            max_tokens: The most tokens of each answer.
            temperature: That of each request (default: the provider's).
            custom_ids: The names of the requests (default: request-0, request-1 ...).

        Returns:
            The path, or the bytes.

        Raises:
            ConfigurationError: Messages or the type are wrong, or a name comes twice. Nothing was written.
        """
        lines, seen = [], set[str]()
        names = iter(custom_ids) if custom_ids is not None else (f"request-{number}" for number in _counted())
        for messages in messages_list:
            name = next(names, None)
            if name is None or name in seen:
                raise ConfigurationError(f"custom_ids must have a name of its own for each request, got {name!r}.")
            seen.add(name)
            request: BatchRequest[T] = BatchRequest(
                name, messages, self.response_model, self.model_name, max_tokens, temperature
            )
            lines.append(json.dumps(self._service.line(name, self._service.body(self._calls, request))))
        content = "".join(f"{line}\n" for line in lines)
        if file_path is None:
            return io.BytesIO(content.encode())
        target = Path(file_path)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            part.write_text(content, "utf-8")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return str(file_path)

    def parse_results(self, content: str | Iterable[Json]) -> list[BatchResult[T]]:
        """Read the lines of a batch's results, in the provider's form."""
        lines = content.splitlines() if isinstance(content, str) else content
        found = (json.loads(line) if isinstance(line, str) else line for line in lines if line)
        return [self._parsed(line) for line in found]

    def _parsed(self, line: Json) -> BatchResult[T]:
        custom_id, wire, kind, message = self._service.read(line)
        if wire is None:
            return BatchError(custom_id, kind, message, line)
        transport = RecordedSync([wire])
        calls = CallBuilder(replace(self._calls.binding, transport=transport, is_async=False))
        try:
            asked = {"model": self.model_name, "max_retries": 0}
            return BatchSuccess(custom_id, calls.create(self.response_model, _NOTHING, asked))
        except (InstructorError, ValueError, TypeError) as error:
            text = str(error).partition("\n")[0]
            return BatchError(custom_id, type(error).__name__, text, wire)

    def _submit(self, file: File, metadata: Mapping[str, str] | None) -> Steps:
        content = file.getvalue() if isinstance(file, io.BytesIO) else Path(file).read_bytes()
        if not content.strip():
            raise ConfigurationError("The batch has no requests.")
        batch_id = yield from self._service.submit(self.client, content, metadata)
        return batch_id

    def _status(self, batch_id: str) -> Steps:
        return self._service.info((yield lambda: self._service.retrieve(self.client, batch_id)))

    def _cancelled(self, batch_id: str) -> Steps:
        return self._service.info((yield lambda: self._service.cancel(self.client, batch_id)))

    def _listed(self, limit: int) -> Steps:
        page = yield lambda: self._service.list(self.client, limit)
        return [self._service.info(batch) for batch in page.data]

    def _results(self, batch_id: str, file_path: str | os.PathLike[str] | None) -> Steps:
        info = yield from self._status(batch_id)
        if info.status in (BatchStatus.PENDING, BatchStatus.PROCESSING):
            raise ProviderError(
                self.provider, f"The batch {batch_id!r} has not ended: its status is {info.status.value}."
            )
        lines = yield from self._service.results(self.client, batch_id)
        if file_path is not None:
            Path(file_path).write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
        return self.parse_results(lines)


_NOTHING = [{"role": "user", "content": "(asked in a batch)"}]


def _counted() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


class BatchProcessor(_Batches[T]):
    """Makes, follows and reads the batches of a provider.

    Args:
        model: "openai/..." or "anthropic/...".
        response_model: The type of each answer; `Iterable[User]` gives a list.
        client: A client of the provider's SDK. Without it one is made with the key of the environment.

    Example:
        >>> processor = BatchProcessor("openai/gpt-4o-mini", Person)
        >>> batch_id = processor.submit_batch(processor.create_batch_from_messages(conversations))
        >>> processor.get_batch_status(batch_id).status
        <BatchStatus.PROCESSING: 'processing'>
    """

    _is_async = False

    def _done(self, steps: Steps) -> Any:
        outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value
            outcome = step()

    def submit_batch(self, file: File, metadata: Mapping[str, str] | None = None) -> str:
        """Send a file of requests, and return the batch's id."""
        return cast("str", self._done(self._submit(file, metadata)))

    def get_batch_status(self, batch_id: str) -> BatchJobInfo:
        """Return how far a batch is."""
        return cast("BatchJobInfo", self._done(self._status(batch_id)))

    def get_results(self, batch_id: str, file_path: str | os.PathLike[str] | None = None) -> list[BatchResult[T]]:
        """Return the results of a batch that has ended; `file_path` keeps the provider's lines.

        Raises:
            ProviderError: It has not ended.
        """
        return cast("list[BatchResult[T]]", self._done(self._results(batch_id, file_path)))

    retrieve_results = get_results

    def list_batches(self, limit: int = 10) -> list[BatchJobInfo]:
        """Return the last batches."""
        return cast("list[BatchJobInfo]", self._done(self._listed(limit)))

    def cancel_batch(self, batch_id: str) -> BatchJobInfo:
        """Cancel a batch. What was answered before can be read."""
        return cast("BatchJobInfo", self._done(self._cancelled(batch_id)))


class AsyncBatchProcessor(_Batches[T]):
    """The same over an async client."""

    _is_async = True

    async def _done(self, steps: Steps) -> Any:
        outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value
            outcome = step()
            if hasattr(outcome, "__await__"):
                outcome = await outcome

    async def submit_batch(self, file: File, metadata: Mapping[str, str] | None = None) -> str:
        """Send a file of requests, and return the batch's id."""
        return cast("str", await self._done(self._submit(file, metadata)))

    async def get_batch_status(self, batch_id: str) -> BatchJobInfo:
        """Return how far a batch is."""
        return cast("BatchJobInfo", await self._done(self._status(batch_id)))

    async def get_results(self, batch_id: str, file_path: str | os.PathLike[str] | None = None) -> list[BatchResult[T]]:
        """Return the results of a batch that has ended; `file_path` keeps the provider's lines.

        Raises:
            ProviderError: It has not ended.
        """
        return cast("list[BatchResult[T]]", await self._done(self._results(batch_id, file_path)))

    retrieve_results = get_results

    async def list_batches(self, limit: int = 10) -> list[BatchJobInfo]:
        """Return the last batches."""
        return cast("list[BatchJobInfo]", await self._done(self._listed(limit)))

    async def cancel_batch(self, batch_id: str) -> BatchJobInfo:
        """Cancel a batch. What was answered before can be read."""
        return cast("BatchJobInfo", await self._done(self._cancelled(batch_id)))


class BatchJob:
    """The oldest interface: results of OpenAI's batches, read from a file."""

    @classmethod
    def parse_from_file(
        cls, file_path: str | os.PathLike[str], response_model: TypeForm[T]
    ) -> tuple[list[T], list[Json]]:
        """Return the values, and the errors as dicts."""
        return cls.parse_from_string(Path(file_path).read_text("utf-8"), response_model)

    @classmethod
    def parse_from_string(cls, content: str, response_model: TypeForm[T]) -> tuple[list[T], list[Json]]:
        """Return the values, and the errors as dicts."""
        results = BatchProcessor[T]("openai/any", response_model).parse_results(content)
        errors = [{"custom_id": each.custom_id, "error": each.error_message, "data": each.raw_data}
                  for each in filter_errors(results)]  # fmt: skip
        return extract_results(results), errors
