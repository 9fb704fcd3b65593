"""The two clients, sync and async: what a type checker and an editor see. All work is done by `CallBuilder`.

How the overloads read, the first that fits deciding:

    response_model         value     with `stream=True`
    None                   Any       Any            the SDK's own response
    Partial[T]             T         snapshots of T
    WholeT                 WholeT    snapshots      a model, a str, a dict ...: they can be iterated, yet are one value
    Iterable[T], list[T]   a list    items T        a ListResponse[T], which has the report; Sequence[T] is the same
    any other type T       T         snapshots      int, A | B, Literal[...], a dataclass
    anything else          Any       Any            what a checker cannot read as a type

The arguments that are this library's are named, so that checkers know them, and the last overload has their defaults;
all others go to the SDK. (A TypedDict would say them once, but none may have other keys beside.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from typing_extensions import TypeForm

from instructor.client_base import ClientBase
from instructor.mode import Mode

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Set as AbstractSet
    from ipaddress import IPv4Network, IPv6Network

    from pydantic import BaseModel
    from tenacity import AsyncRetrying, Retrying

    from instructor.core.retry_policy import OnInvalid
    from instructor.core.watchdog import Watchdog
    from instructor.dsl import Partial
    from instructor.hooks import Hooks
    from instructor.results import AsyncStream, ListResponse, Stream

    _Whole = (
        BaseModel | str | bytes | Mapping[Any, Any] | tuple[Any, ...] | AbstractSet[Any] | deque[Any]
        | IPv4Network | IPv6Network
    )  # fmt: skip
    Context = Mapping[str, Any] | None
    Retries = int | Retrying
    AsyncRetries = int | Retrying | AsyncRetrying

T = TypeVar("T")
WholeT = TypeVar("WholeT", bound="_Whole")


# fmt: off
class Instructor(ClientBase):
    """A sync client whose calls give typed values. Made by `from_provider` or one of the `from_...` functions."""

    @overload
    def create(self, response_model: None, messages: Any = ..., **options: Any) -> Any: ...
    @overload
    def create(self, *, input: Any, response_model: None = None, **options: Any) -> Any: ...
    @overload
    def create(
        self, response_model: type[Partial[T]], messages: Any = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create(
        self, response_model: TypeForm[WholeT], messages: Any = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[WholeT]: ...
    @overload
    def create(
        self, response_model: TypeForm[Iterable[T]], messages: Any = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create(
        self, response_model: TypeForm[T], messages: Any = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create(
        self, response_model: type[Partial[T]], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> T: ...
    @overload
    def create(  # pyright: ignore[reportOverlappingOverload] - a model is iterable, and meant to come first
        self, response_model: TypeForm[WholeT], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> WholeT: ...
    @overload
    def create(
        self, response_model: TypeForm[Iterable[T]], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> ListResponse[T]: ...
    @overload
    def create(
        self, response_model: TypeForm[T], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> T: ...
    @overload
    def create(
        self, response_model: Any, messages: Any = None, *, stream: bool = False,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> Any: ...
    def create(self, response_model: Any, messages: Any = None, **arguments: Any) -> Any:  # type: ignore[misc]  # pyright: ignore
        """Ask for an answer in the shape of `response_model`; with `stream=True`, for its parts as they come."""
        return self._caller.create(response_model, messages, arguments)

    @overload
    def create_partial(
        self, response_model: type[Partial[T]], messages: Any = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_partial(
        self, response_model: TypeForm[T], messages: Any = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_partial(
        self, response_model: Any, messages: Any = None, *,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[Any]: ...
    def create_partial(self, response_model: Any, messages: Any = None, **arguments: Any) -> Any:
        """Stream one value as it grows: snapshots, the last of which is the whole value, validated."""
        return self._caller.partial(response_model, messages, arguments)

    @overload
    def create_iterable(
        self, messages: Any = ..., response_model: TypeForm[WholeT] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[WholeT]: ...
    @overload
    def create_iterable(
        self, messages: Any = ..., response_model: TypeForm[Iterable[T]] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_iterable(
        self, messages: Any = ..., response_model: TypeForm[T] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_iterable(
        self, messages: Any = None, response_model: Any = ..., *,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> Stream[Any]: ...
    def create_iterable(self, messages: Any = None, response_model: Any = None, **arguments: Any) -> Any:
        """Stream a list: each item as soon as its last character has come."""
        return self._caller.iterable(response_model, messages, arguments)

    @overload
    def create_with_completion(
        self, messages: Any = ..., response_model: None = ..., **options: Any,
    ) -> tuple[Any, Any]: ...
    @overload
    def create_with_completion(  # pyright: ignore[reportOverlappingOverload] - as in `create`
        self, messages: Any = ..., response_model: type[Partial[T]] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[T, Any]: ...
    @overload
    def create_with_completion(  # pyright: ignore[reportOverlappingOverload] - as in `create`
        self, messages: Any = ..., response_model: TypeForm[WholeT] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[WholeT, Any]: ...
    @overload
    def create_with_completion(
        self, messages: Any = ..., response_model: TypeForm[Iterable[T]] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[ListResponse[T], Any]: ...
    @overload
    def create_with_completion(
        self, messages: Any = ..., response_model: TypeForm[T] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[T, Any]: ...
    @overload
    def create_with_completion(
        self, messages: Any = None, response_model: Any = ..., *,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[Any, Any]: ...
    def create_with_completion(self, messages: Any = None, response_model: Any = None, **arguments: Any) -> Any:
        """Ask as `create` does, and give the SDK's own response beside the value."""
        return self._caller.with_completion(response_model, messages, arguments)

    @property
    def responses(self) -> Instructor:
        """In a mode of responses this client, which then takes a text as `input=`; else the SDK's own resource."""
        return Responses(self._caller) if self.mode is Mode.RESPONSES_TOOLS else self.client.responses


class AsyncInstructor(ClientBase):
    """The async client: `await client.create(...)`, but `async for user in client.create_iterable(...)`."""

    @overload
    async def create(self, response_model: None, messages: Any = ..., **options: Any) -> Any: ...
    @overload
    async def create(self, *, input: Any, response_model: None = None, **options: Any) -> Any: ...
    @overload
    async def create(
        self, response_model: type[Partial[T]], messages: Any = ..., *, stream: Literal[True],
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[T]: ...
    @overload
    async def create(
        self, response_model: TypeForm[WholeT], messages: Any = ..., *, stream: Literal[True],
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[WholeT]: ...
    @overload
    async def create(
        self, response_model: TypeForm[Iterable[T]], messages: Any = ..., *, stream: Literal[True],
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[T]: ...
    @overload
    async def create(
        self, response_model: TypeForm[T], messages: Any = ..., *, stream: Literal[True],
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[T]: ...
    @overload
    async def create(
        self, response_model: type[Partial[T]], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> T: ...
    @overload
    async def create(  # pyright: ignore[reportOverlappingOverload] - a model is iterable, and meant to come first
        self, response_model: TypeForm[WholeT], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> WholeT: ...
    @overload
    async def create(
        self, response_model: TypeForm[Iterable[T]], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> ListResponse[T]: ...
    @overload
    async def create(
        self, response_model: TypeForm[T], messages: Any = ..., *, stream: Literal[False] = ...,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> T: ...
    @overload
    async def create(
        self, response_model: Any, messages: Any = None, *, stream: bool = False,
        max_retries: AsyncRetries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> Any: ...
    async def create(self, response_model: Any, messages: Any = None, **arguments: Any) -> Any:  # type: ignore[misc]  # pyright: ignore
        """Ask for an answer in the shape of `response_model`; with `stream=True`, for its parts as they come."""
        return await self._caller.acreate(response_model, messages, arguments)

    @overload
    def create_partial(
        self, response_model: type[Partial[T]], messages: Any = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[T]: ...
    @overload
    def create_partial(
        self, response_model: TypeForm[T], messages: Any = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[T]: ...
    @overload
    def create_partial(
        self, response_model: Any, messages: Any = None, *,
        max_retries: AsyncRetries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[Any]: ...
    def create_partial(self, response_model: Any, messages: Any = None, **arguments: Any) -> Any:
        """Stream one value as it grows: snapshots, the last of which is the whole value, validated."""
        return self._caller.apartial(response_model, messages, arguments)

    @overload
    def create_iterable(
        self, messages: Any = ..., response_model: TypeForm[WholeT] = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[WholeT]: ...
    @overload
    def create_iterable(
        self, messages: Any = ..., response_model: TypeForm[Iterable[T]] = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[T]: ...
    @overload
    def create_iterable(
        self, messages: Any = ..., response_model: TypeForm[T] = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[T]: ...
    @overload
    def create_iterable(
        self, messages: Any = None, response_model: Any = ..., *,
        max_retries: AsyncRetries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> AsyncStream[Any]: ...
    def create_iterable(self, messages: Any = None, response_model: Any = None, **arguments: Any) -> Any:
        """Stream a list: each item as soon as its last character has come."""
        return self._caller.aiterable(response_model, messages, arguments)

    @overload
    async def create_with_completion(
        self, messages: Any = ..., response_model: None = ..., **options: Any,
    ) -> tuple[Any, Any]: ...
    @overload
    async def create_with_completion(
        self, messages: Any = ..., response_model: type[Partial[T]] = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[T, Any]: ...
    @overload
    async def create_with_completion(  # pyright: ignore[reportOverlappingOverload] - as in `create`
        self, messages: Any = ..., response_model: TypeForm[WholeT] = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[WholeT, Any]: ...
    @overload
    async def create_with_completion(
        self, messages: Any = ..., response_model: TypeForm[Iterable[T]] = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[ListResponse[T], Any]: ...
    @overload
    async def create_with_completion(
        self, messages: Any = ..., response_model: TypeForm[T] = ..., *,
        max_retries: AsyncRetries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[T, Any]: ...
    @overload
    async def create_with_completion(
        self, messages: Any = None, response_model: Any = ..., *,
        max_retries: AsyncRetries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., **options: Any,
    ) -> tuple[Any, Any]: ...
    async def create_with_completion(self, messages: Any = None, response_model: Any = None, **arguments: Any) -> Any:
        """Ask as `create` does, and give the SDK's own response beside the value."""
        return await self._caller.awith_completion(response_model, messages, arguments)

    @property
    def responses(self) -> AsyncInstructor:
        """In a mode of responses this client, which then takes a text as `input=`; else the SDK's own resource."""
        return AsyncResponses(self._caller) if self.mode is Mode.RESPONSES_TOOLS else self.client.responses


class Responses(Instructor):
    """`client.responses` of the sync client: without `response_model` it returns the SDK's own response."""

    def create(self, response_model: Any = None, messages: Any = None, **arguments: Any) -> Any:
        return self._caller.create(response_model, messages, arguments)


class AsyncResponses(AsyncInstructor):
    """`client.responses` of the async client."""

    async def create(self, response_model: Any = None, messages: Any = None, **arguments: Any) -> Any:
        return await self._caller.acreate(response_model, messages, arguments)
