"""Batches of a provider: thousands of requests in one file, answered within a day for half the price.

    processor = BatchProcessor("openai/gpt-4o-mini", Person)
    file = processor.create_batch_from_messages([[{"role": "user", "content": text}] for text in texts], "people.jsonl")
    batch_id = processor.submit_batch(file)
    ...                                                         # hours later, in another program perhaps
    for result in processor.get_results(batch_id):
        print(result.custom_id, result.result if result.success else result.error_message)

Theory of operation. The dialect that writes and reads a call writes and reads each line, so a batch takes every type
that a call takes. What is different with each provider is in `batch_services.py`: how a line looks, and which of the
SDK's functions are called. The steps of both processors are generators that yield what is to be called; a sync
processor calls it, an async one awaits it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

from typing_extensions import TypeForm

from instructor.batch_services import BatchJobInfo as BatchJobInfo
from instructor.batch_services import BatchStatus as BatchStatus
from instructor.batch_services import Service, Steps, lines_of, service_of
from instructor.bulk.transport import RecordedSync
from instructor.call import CallBuilder
from instructor.core import prompts
from instructor.core.reask import format_errors
from instructor.core.types import Json, Request
from instructor.exceptions import ConfigurationError, InstructorError, ProviderError
from instructor.factories import from_provider
from instructor.outputs import output_for

__path__: list[str] = []
"""`instructor.batch.processor` is a path of older versions, so this is a package to the import system."""
T = TypeVar("T")
File = str | os.PathLike[str] | io.BytesIO


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
    cause: BaseException | None = field(default=None, repr=False, compare=False)
    """What is wrong with the answer; None if there was none."""
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

    def to_mistral_format(self) -> Json:
        """Return the line as Mistral has it: the model is named once, when the batch is submitted."""
        return self._line("mistral")

    def to_google_format(self) -> Json:
        """Return the line as Google's Gemini API has it: the model is named once, when the batch is submitted."""
        return self._line("google")

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
        service = service_of(provider)(_no_client)
        return service.line(self.custom_id, self._body(_offline(provider, self.model, service)))

    def _body(self, calls: CallBuilder) -> Json:
        """Return what a call would send."""
        options = {"model": self.model, "max_tokens": self.max_tokens, "temperature": self.temperature}
        given = {name: value for name, value in options.items() if value is not None}
        return dict(calls.prepare(self.response_model, list(self.messages), given).run.body)


def _no_client() -> Any:
    raise TypeError("A line is written without a client.")


def _offline(provider: str, model: str, service: Service) -> CallBuilder:
    """Return what writes and reads calls; it sends none."""
    client = from_provider(f"{provider}/{model}", mode=service.mode, api_key="none")
    return CallBuilder(client._binding)


class _Batches(Generic[T]):
    """What both processors have in common."""

    def __init__(self, model: str, response_model: TypeForm[T], client: Any = None) -> None:
        """`model` is "provider/model"; `client` is one of the provider's SDK (default: a new one, with the key of the
        environment)."""
        self.provider, _, self.model_name = model.partition("/")
        self._service = service_of(self.provider)(lambda: self.client, is_async=self._is_async)
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
            lines.append(json.dumps(self._service.line(name, request._body(self._calls))))
        return _written(lines, file_path)

    def create_follow_up(
        self, file: File, results: Iterable[BatchResult[T]], file_path: str | os.PathLike[str] | None = None
    ) -> str | io.BytesIO:
        """Write a file that asks again for the results that are errors; the names of the requests stay.

        An invalid answer is sent back with what is wrong with it. A request that was refused is sent again as it was.

        Args:
            file: The file of the batch that the results are of.
            results: The results; those that have a value are left out.
            file_path: The file to write. None: the requests are returned in memory.

        Returns:
            The path, or the bytes.

        Raises:
            ConfigurationError: No result is an error, or the file does not have its request.

        Example:
            >>> follow_up = processor.create_follow_up("people.jsonl", processor.get_results(batch_id))
            >>> batch_id = processor.submit_batch(follow_up)
        """
        errors = {each.custom_id: each for each in filter_errors(results)}
        if not errors:
            raise ConfigurationError("No result is an error: there is nothing to ask again.")
        lines: list[str] = []
        for line in lines_of(_content(file).decode()):
            name, body = self._service.request(line)
            if (error := errors.pop(name, None)) is None:
                continue
            if error.cause is not None:
                reply = self._calls.binding.dialect.decode(error.raw_data)
                notes = prompts.wrong(format_errors(error.cause))
                body = dict(self._calls.binding.dialect.correct(Request(body), reply, notes).body)
            lines.append(json.dumps(self._service.line(name, body)))
        if errors:
            raise ConfigurationError(f"The file does not have the requests {', '.join(map(repr, errors))}.")
        return _written(lines, file_path)

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
            return BatchError(custom_id, type(error).__name__, text, wire, error.__cause__ or error)

    def _submit(self, file: File, metadata: Mapping[str, str] | None) -> Steps:
        content = _content(file)
        if not content.strip():
            raise ConfigurationError("The batch has no requests.")
        batch_id = yield from self._service.submit(content, self.model_name, metadata)
        return batch_id

    def _status(self, batch_id: str) -> Steps:
        return self._service.info((yield lambda: self._service.retrieve(batch_id)))

    def _cancelled(self, batch_id: str) -> Steps:
        batch = yield lambda: self._service.cancel(batch_id)
        if batch is None:
            batch = yield lambda: self._service.retrieve(batch_id)
        return self._service.info(batch)

    def _deleted(self, batch_id: str) -> Steps:
        info = yield from self._status(batch_id)
        yield lambda: self._service.delete(batch_id)
        return info

    def _listed(self, limit: int) -> Steps:
        page = yield lambda: self._service.list(limit)
        return [self._service.info(batch) for batch in self._service.listed(page)]

    def _results(self, batch_id: str, file_path: str | os.PathLike[str] | None) -> Steps:
        info = yield from self._status(batch_id)
        if info.status in (BatchStatus.PENDING, BatchStatus.PROCESSING):
            raise ProviderError(
                self.provider, f"The batch {batch_id!r} has not ended: its status is {info.status.value}."
            )
        lines = yield from self._service.results(batch_id)
        if file_path is not None:
            _written(map(json.dumps, lines), file_path)
        return self.parse_results(lines)


def _content(file: File) -> bytes:
    return file.getvalue() if isinstance(file, io.BytesIO) else Path(file).read_bytes()


def _written(lines: Iterable[str], file_path: str | os.PathLike[str] | None) -> str | io.BytesIO:
    """Write lines into a file that appears when it is complete; without a path, into memory."""
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


_NOTHING = [{"role": "user", "content": "(asked in a batch)"}]


def _counted() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


class BatchProcessor(_Batches[T]):
    """Makes, follows and reads the batches of a provider.

    Args:
        model: "openai/...", "anthropic/...", "mistral/..." or "google/...".
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

    def delete_batch(self, batch_id: str) -> BatchJobInfo:
        """Delete a batch that has ended, and return what it was.

        Raises:
            ConfigurationError: The provider keeps its batches (OpenAI).
        """
        return cast("BatchJobInfo", self._done(self._deleted(batch_id)))


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

    async def delete_batch(self, batch_id: str) -> BatchJobInfo:
        """Delete a batch that has ended, and return what it was.

        Raises:
            ConfigurationError: The provider keeps its batches (OpenAI).
        """
        return cast("BatchJobInfo", await self._done(self._deleted(batch_id)))


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
