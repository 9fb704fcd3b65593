"""What a streamed call gives: an iterator that can also say how it went."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Iterator
from types import AsyncGeneratorType, TracebackType
from typing import Any, Generic, TypeVar, cast

from typing_extensions import Self

from instructor.engine.drive import WayOut
from instructor.engine.ledger import Ledger
from instructor.report import Report

T = TypeVar("T")


class _Told:
    """What both kinds of stream tell of themselves."""

    def __init__(self, ledger: Ledger, way_out: WayOut) -> None:
        self._ledger, self._way_out = ledger, way_out
        self._left = False

    def _is_left(self, error: Exception) -> bool:
        """Whether somebody else closes the stream just now: no code of the generator's has raised this error."""
        return self._left and error.__traceback__ is not None and error.__traceback__.tb_next is None

    @property
    def report(self) -> Report:
        """The account so far; it is true also after an early end."""
        return self._ledger.report

    @property
    def completion(self) -> Any:
        """The provider's response, put together from the last stream; built when asked for.

        Of a list's text it keeps the first 1,048,576 characters, and says so at their end.
        """
        return self._ledger.completion()

    @property
    def response_headers(self) -> Any:
        """The headers of the last response; None before there is one."""
        return self._ledger.headers


class Stream(_Told, Generic[T]):
    """An iterator over items or snapshots, and a context manager that closes the connection when left.

    A `for` loop that is left closes it too. To take some values and go on later, take them with `next(stream)`.
    """

    def __init__(self, values: Generator[T, None, None], ledger: Ledger, way_out: WayOut) -> None:
        super().__init__(ledger, way_out)
        self._values = values

    def __iter__(self) -> Iterator[T]:
        try:
            yield from self._values  # a generator of its own: the loop alone holds it, and leaving the loop closes both
        except ValueError as error:
            if not self._is_left(error):
                raise

    def __next__(self) -> T:
        try:
            return next(self._values)
        except ValueError as error:
            if self._is_left(error):
                raise StopIteration from None
            raise

    def close(self) -> None:
        """Close the connection at once, also while another thread reads: there the stream just ends.

        What was delivered stays in the report.
        """
        self._left = True
        try:
            self._values.close()
        except ValueError as error:
            if not self._is_left(error):
                raise
            self._way_out.take()  # it is being read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncStream(_Told, Generic[T]):
    """The same, for `async for`, `async with` and `await anext(stream)`."""

    def __init__(self, values: AsyncGenerator[T, None], ledger: Ledger, way_out: WayOut) -> None:
        super().__init__(ledger, way_out)
        self._values = cast("AsyncGeneratorType[T, None]", values)

    def __await__(self) -> Generator[Any, None, Self]:
        """Give this stream: it need not be awaited, and may be."""
        return self
        yield

    async def __aiter__(self) -> AsyncIterator[T]:
        try:
            async for value in self._values:
                yield value
        except RuntimeError as error:
            if not self._is_left(error):
                raise
        finally:
            if not (self._left and self._values.ag_running):
                await self._values.aclose()

    def __anext__(self) -> Awaitable[T]:
        return _no_more() if self._left and self._values.ag_running else self._values.__anext__()

    async def aclose(self) -> None:
        """Close the connection at once, also while another task reads: there the stream just ends.

        What was delivered stays in the report.
        """
        self._left = True
        if self._values.ag_running:
            await self._way_out.atake()
        else:
            await self._values.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


async def _no_more() -> Any:
    raise StopAsyncIteration
