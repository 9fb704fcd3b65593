"""What a streamed call gives: an iterator that can also say how it went."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from types import AsyncGeneratorType, GeneratorType, SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, cast, overload

from pydantic import BaseModel
from typing_extensions import Self

from instructor.core.drivers import StreamCloser
from instructor.core.state import RunState
from instructor.display import Displayed, Lines, html_of_items, lines_of_report
from instructor.exceptions import ConfigurationError, InstructorError
from instructor.grounding.evidence import ATTRIBUTE, EvidenceList, Held
from instructor.report import Report
from instructor.usage import Usage

if TYPE_CHECKING:
    from instructor.notebook import LiveView

T = TypeVar("T")


class _StreamBase(Displayed):
    """What both kinds of stream have in common."""

    def __init__(self, state: RunState, closer: StreamCloser) -> None:
        self._state, self._closer = state, closer
        self._left = False
        self._was_looped = False  # to the end
        self._view: LiveView | None = None

    def _ipython_display_(self) -> None:
        """Show the stream in a notebook's cell. The output changes while a later cell reads the stream."""
        from instructor.notebook import show

        self._view = show(self)

    def _note(self, view: LiveView, value: Any) -> None:
        view.add(self, value, replaces=self.report.good <= view.count)  # an item is counted before it comes

    def _is_left(self, error: Exception) -> bool:
        """Return whether somebody else closes the stream just now: no code of the generator's has raised this error."""
        return self._left and error.__traceback__ is not None and error.__traceback__.tb_next is None

    def _shown(self) -> tuple[str, Lines]:
        state = "ended" if self._is_spent() else "not read yet" if self.report.attempts == 0 else "being read"
        return f"Stream, {state}", lines_of_report(self.report)

    def _is_spent(self) -> bool:
        """Return whether nothing comes any more."""
        raise NotImplementedError

    @property
    def report(self) -> Report:
        """The report of the call so far. After an early end it is right, too."""
        return self._state.report

    @property
    def evidence(self) -> EvidenceList:
        """The evidence of each item that has come, by its index: `stream.evidence[0]`.

        Raises:
            ConfigurationError: The call did not ask for it.
        """
        return _evidence_of(None if self._state.grounds is None else EvidenceList(self._state.grounds.held))

    @property
    def completion(self) -> Any:
        """The SDK's response, put together from the events of the last request. It is made when you ask for it.

        Of a list's text it has the first 1,048,576 characters, and says so at their end.
        """
        return self._state.completion()

    @property
    def response_headers(self) -> Any:
        """The headers of the last response, or None if there is none yet."""
        return self._state.headers


def _evidence_of(found: EvidenceList | None) -> EvidenceList:
    if found is None:
        raise ConfigurationError("There is no evidence, for the call did not ask for it: pass ground=True.")
    return found


def _warn_of_second_loop() -> None:
    warnings.warn(
        "This stream was read already, so this loop gives nothing: keep its values, list(stream), or make a new call.",
        stacklevel=3,
    )


class Stream(_StreamBase, Generic[T]):
    """An iterator of items or snapshots. As a context manager, it closes the connection at the end of the block.

    Leaving a `for` loop early closes the connection as well. To take some values and go on later, use `next(stream)`.
    """

    def __init__(self, values: Generator[T, None, None], state: RunState, closer: StreamCloser) -> None:
        super().__init__(state, closer)
        self._values = cast("GeneratorType[T, None, None]", values)

    if not TYPE_CHECKING:  # a checker would take it for async

        def __aiter__(self) -> Any:
            raise TypeError("This stream is sync: read it with `for`, or make the call with an async client.")

    def _is_spent(self) -> bool:
        return self._values.gi_frame is None

    def __iter__(self) -> Iterator[T]:
        if self._was_looped:
            _warn_of_second_loop()
        try:  # a generator of its own: the loop alone holds it, and leaving the loop closes both
            yield from self._values if self._view is None else self._viewed(self._view)
            self._was_looped = not self._left
        except ValueError as error:
            if not self._is_left(error):
                raise

    def _viewed(self, view: LiveView) -> Iterator[T]:
        try:
            for value in self._values:
                self._note(view, value)
                yield value
        finally:
            self._values.close()
            view.draw(self)

    def __next__(self) -> T:
        try:
            value = next(self._values)
            if self._view is not None:
                self._note(self._view, value)
            return value
        except ValueError as error:
            if self._is_left(error):
                raise StopIteration from None
            raise

    def close(self) -> None:
        """Close the connection at once. If another thread reads the stream, the stream ends there.

        The report keeps what was delivered.
        """
        self._left = True
        try:
            self._values.close()
        except ValueError as error:
            if not self._is_left(error):
                raise
            self._closer.close()  # it is being read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncStream(_StreamBase, Generic[T]):
    """The async stream: `async for value in stream`, `async with stream`, `await anext(stream)`."""

    def __init__(self, values: AsyncGenerator[T, None], state: RunState, closer: StreamCloser) -> None:
        super().__init__(state, closer)
        self._values = cast("AsyncGeneratorType[T, None]", values)

    def __await__(self) -> Generator[Any, None, Self]:
        """Return this stream: it need not be awaited, and may be."""
        return self
        yield

    if not TYPE_CHECKING:  # a checker would take it for sync

        def __iter__(self) -> Any:
            raise TypeError("This stream is async: read it with `async for`, or make the call with a sync client.")

    def _is_spent(self) -> bool:
        return self._values.ag_frame is None

    async def __aiter__(self) -> AsyncIterator[T]:
        if self._was_looped:
            _warn_of_second_loop()
        try:
            async for value in self._values:
                if self._view is not None:
                    self._note(self._view, value)
                yield value
            self._was_looped = not self._left
        except RuntimeError as error:
            if not self._is_left(error):
                raise
        finally:
            if not (self._left and self._values.ag_running):
                await self._values.aclose()
            if self._view is not None:
                self._view.draw(self)

    def __anext__(self) -> Awaitable[T]:
        if self._left and self._values.ag_running:
            return _no_more()
        return self._values.__anext__() if self._view is None else self._next_viewed(self._view)

    async def _next_viewed(self, view: LiveView) -> T:
        value = await self._values.__anext__()
        self._note(view, value)
        return value

    async def aclose(self) -> None:
        """Close the connection at once. If another task reads the stream, the stream ends there.

        The report keeps what was delivered.
        """
        self._left = True
        if self._values.ag_running:
            await self._closer.aclose()
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


class ListResponse(list[T]):
    """A list of items that remembers the response it was read from, and the report; so do its slices."""

    def __init__(
        self,
        items: Iterable[T] = (),
        raw_response: Any = None,
        total_usage: Usage | None = None,
        report: Report | None = None,
        evidence: EvidenceList | None = None,
    ) -> None:
        super().__init__(items)
        self._evidence = evidence
        self._raw_response, self._total_usage = raw_response, total_usage
        self.report = Report() if report is None else report

    @classmethod
    def from_list(cls, items: Iterable[T], *, raw_response: Any = None, total_usage: Any = None) -> ListResponse[T]:
        return cls(items, raw_response, total_usage)

    @property
    def evidence(self) -> EvidenceList:
        """The evidence of each item, by the index that it had in the answer.

        Raises:
            ConfigurationError: The call did not ask for it.
        """
        return _evidence_of(self._evidence)

    def get_raw_response(self) -> Any:
        """Return the SDK's own response object."""
        return self._raw_response

    def get_total_usage(self) -> Usage | None:
        """Return the tokens of all requests that this list took."""
        return self._total_usage

    def _repr_html_(self) -> str:
        """Return the items as a table, for notebooks, and the places that they are from if the call asked for them."""
        return html_of_items(self, places=None if self._evidence is None else [_place_of(item) for item in self])

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> ListResponse[T]: ...
    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if isinstance(index, slice):
            evidence = None if self._evidence is None else self._evidence[index]
            return type(self)(found, self._raw_response, self._total_usage, self.report, evidence)
        return found


ResponseList = ListResponse
"""The same, by the name that older versions had for it too."""


def _place_of(item: object) -> str:
    """Return where an item is from, as a text; an empty one if it has no place of its own, or cannot carry it."""
    held = vars(item).get(ATTRIBUTE) if hasattr(item, "__dict__") else None
    span = held.evidence.item if isinstance(held, Held) else None
    return "" if span is None else f"{span.start}-{span.end}: {span.text}"


class _Unlisted(str):
    """An attribute's name that `dict(model)` passes over, as it does names that begin with an underscore."""

    __slots__ = ()

    def startswith(self, *prefix: Any) -> bool:
        return prefix[:1] == ("_",) or super().startswith(*prefix)


_REPORT = _Unlisted("report")


def _is_read_again(model: BaseModel) -> bool:
    """Return whether pydantic revalidates an instance's dict, and would keep or refuse our metadata in it."""
    config = model.model_config
    return config.get("revalidate_instances", "never") != "never" and config.get("extra", "ignore") != "ignore"


def attach_metadata(value: Any, *, raw_response: Any, total_usage: Any, report: Any) -> Any:
    """Return a model its metadata, in the instance's own dict: its class, equality and dumps stay as they were."""
    if isinstance(value, BaseModel) and not _is_read_again(value):  # TypedDicts, scalars, slotted classes have no room
        metadata = vars(value)
        metadata["_raw_response"], metadata["_total_usage"] = raw_response, total_usage
        cls, extra = type(value), value.model_extra or ()
        if not (hasattr(cls, "report") or "report" in cls.model_fields or "report" in extra):
            metadata[_REPORT] = report
        else:
            metadata["_report"] = report
    return value


def attach_evidence(value: Any, held: Held) -> None:
    """Give a model or a dataclass its evidence, in the instance's own dict; other values have no room for it."""
    if (isinstance(value, BaseModel) and not _is_read_again(value)) or (
        is_dataclass(value) and hasattr(value, "__dict__")
    ):
        vars(value)[ATTRIBUTE] = held


def report_of(result: object) -> Report:
    """Return the report of the call that gave this result.

    Args:
        result: A model, a list, a stream, or the error of a call that failed.

    Raises:
        ConfigurationError: It is the result of no call, or of a kind that cannot carry a report: a number, a text, a
            dict. A hook on "stream:end" gets the report of these.

    Example:
        >>> user = client.create(User, messages)
        >>> report_of(user).usage.total_tokens
        87
    """
    if isinstance(result, (ListResponse, _StreamBase)):
        return result.report
    if isinstance(result, InstructorError):
        found: Any = getattr(result, "report", None)
    else:
        metadata = vars(result) if isinstance(result, BaseModel) else {}
        found = metadata.get("_report") or metadata.get(_REPORT)
    if isinstance(found, Report):
        return found
    raise ConfigurationError(
        f"{type(result).__name__} {str(result)[:80]!r} has no report: it must be a model, a list, a stream or an error "
        'of a call. For other values take the report by a hook: client.on("stream:end", print).'
    )


_USAGES = ("usage", "usage_metadata")
"""Where responses say their tokens."""
_WHOLES = (BaseModel, Mapping, SimpleNamespace)
"""What has parts with names; the last is what users' mocks are made of."""


def with_total_usage(raw: Any, earlier: Iterable[Any]) -> Any:
    """Return a response whose counts of tokens are the sums over all attempts, those of earlier responses included.

    It is a copy: the provider's own response, `_raw_response`, is never changed.
    """
    others = list({id(each): each for each in earlier if each is not raw}.values())
    for name in _USAGES if others else ():
        usage = _part(raw, name)
        if usage is not None:
            for other in others:
                usage = _sum(usage, _part(other, name))
            return _with(raw, {name: usage})
    return raw


def _sum(one: Any, two: Any) -> Any:
    """Add up numbers, and what holds them, by name; what is not a number stays as in the later response."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return one + two
    if two is None:
        return one
    if one is None:
        return two if isinstance(two, (int, float, *_WHOLES)) else None
    if isinstance(one, _WHOLES) and isinstance(two, _WHOLES):
        return _with(one, {name: _sum(_part(one, name), _part(two, name)) for name in (*_names(one), *_names(two))})
    return one


def _names(whole: Any) -> list[str]:
    return list(whole) if isinstance(whole, Mapping) else [*vars(whole), *(getattr(whole, "model_extra", None) or ())]


def _part(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, Mapping) else getattr(whole, name, None)


def _with(whole: Any, parts: Mapping[str, Any]) -> Any:
    """Copy a response, or a part of one, and put these values into it."""
    if isinstance(whole, Mapping):
        return {**whole, **parts}
    if isinstance(whole, SimpleNamespace):
        return SimpleNamespace(**{**vars(whole), **parts})
    return whole.model_copy(update=dict(parts)) if isinstance(whole, BaseModel) else whole
