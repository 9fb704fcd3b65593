"""Answers as a column of a Daft frame.

    frame.with_column("person", extract(frame["text"], client=make_client, response_model=Person))

Daft calls an object of its own in each process. Its coroutines run on a loop of one worker, whichever of Daft's threads
calls it, so that the limits are kept.
"""

from __future__ import annotations

import asyncio
import threading
from os import PathLike
from typing import Any

from instructor._install import install_command
from instructor.bulk.limits import Limits
from instructor.bulk.rows import BulkReport, JobStoppedError
from instructor.bulk.table import AnswerTable
from instructor.bulk.transport import Stop
from instructor.bulk.workers import MakeClient, Worker
from instructor.exceptions import ConfigurationError

try:
    import daft  # pyright: ignore[reportMissingImports]
except ModuleNotFoundError as error:
    raise ConfigurationError(f"This needs the module {error.name!r}: {install_command('daft')}") from error


def extract(
    column: Any,
    *,
    client: MakeClient,
    response_model: Any,
    messages: Any = None,
    store: str | PathLike[str] | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> Any:
    """Return an expression: a struct with `answer` (of the type of `response_model`), `error`, `attempts`,
    `input_tokens` and `output_tokens`. A row that fails has an error and no answer; the others keep theirs.

    Args:
        column: The expression of the text, or of a struct whose fields a template of `messages` uses.
        client: A function that makes a client. On Daft's Ray runner each process makes one.
        response_model: The type of the answer to one row. `Iterable[User]` gives a list.
        messages: As in `client.map`: a function of the row, a template, or an instruction.
        store: A folder in which each process keeps its answers: they are not asked for again.
        limits: The limits of each process.
        options: All other arguments are those of `create`.

    Raises:
        JobStoppedError: While the frame is computed: no other row can succeed, or the budget is spent.

    Example:
        >>> people = frame.with_column(
        ...     "person", extract(frame["text"], client=make_client, response_model=Person, store="people/")
        ... )
        >>> people.where(people["person"]["error"].is_null()).select(people["person"]["answer"]["name"])
    """
    arguments = {"response_model": response_model, "messages": messages, "limits": limits, **options}
    prepared = client().map((), **arguments).prepared
    fields = AnswerTable(prepared.configuration.schema, many=prepared.many).fields
    kind = daft.DataType.struct({name: daft.DataType.from_arrow_type(each) for name, each in fields.items()})
    most = prepared.limits.concurrency

    class Answers:
        """A worker, as Daft calls it."""

        def __init__(self) -> None:
            self._worker = Worker(client, store, arguments)
            self._table = AnswerTable(self._worker.schema, many=self._worker.many)
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="instructor-daft", daemon=True).start()

        @daft.method(return_dtype=kind)  # type: ignore[untyped-decorator]
        async def answer(self, row: Any) -> Any:
            asked = asyncio.run_coroutine_threadsafe(self._answer(row), self._loop)
            return await asyncio.wrap_future(asked)

        async def _answer(self, row: Any) -> Any:
            try:
                return self._table.rows([await self._worker.answer(row)])[0]
            except Stop as stop:
                message = f"No other row can succeed: {stop.cause or stop}"
                raise JobStoppedError(message, BulkReport(), reason=stop.reason) from stop.cause

    return daft.cls(Answers, max_concurrency=most)().answer(column)
