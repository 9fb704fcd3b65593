"""The async client, as a type checker and an editor see it. `CallBuilder` does the work.

`scripts/generate_sync_client.py` makes the sync client (`sync_client.py`) of this file.

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
from instructor.sync_client import Instructor as Instructor
from instructor.sync_client import Responses as Responses

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
    from instructor.results import AsyncStream, ListResponse

    _Whole = (
        BaseModel | str | bytes | Mapping[Any, Any] | tuple[Any, ...] | AbstractSet[Any] | deque[Any]
        | IPv4Network | IPv6Network
    )  # fmt: skip
    Context = Mapping[str, Any] | None
    AsyncRetries = int | Retrying | AsyncRetrying

T = TypeVar("T")
WholeT = TypeVar("WholeT", bound="_Whole")


# fmt: off
class AsyncInstructor(ClientBase):
    """The async client: its calls return validated objects. Made by `from_provider`, `from_openai` and the like.

    `create` is awaited. `create_iterable` and `create_partial` return a stream at once: `async for user in stream`.
    """

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
        """Ask the model, and return an answer of the type `response_model`.

        Args:
            response_model: The type of the answer: a pydantic model, `Iterable[User]`, `Partial[User]`, a union, a
                dataclass, `int` ... With None the SDK's own response is returned.
            messages: The conversation, as the SDK takes it.
            stream: Whether to return a stream: of the items of a list, or of snapshots of one value.
            max_retries: How often to ask again after an invalid or incomplete answer, or a tenacity object.
            context: Values for templates in messages, and for pydantic validators (`info.context`).
            strict: Whether values must have the type's own JSON type. None leaves it to the model's configuration.
            on_invalid: For lists: "reask" asks for invalid items again, "skip" reports them, "raise" raises at once.
            hooks: Functions that are called for this call's events, beside those of the client.
            max_continuations: For lists: how often a list that was cut off goes on. None: `max_retries` decides.
            watchdog: When to stop a stream that repeats itself. None switches this off.
            options: All other arguments go to the SDK: model, temperature, max_tokens ...

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came; it has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off, and could not be completed.
            RefusalError: The model declined to answer.

        Example:
            >>> user = await client.create(User, [{"role": "user", "content": "Jason is 10"}])
            >>> user.age
            10
        """
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
        """Return a stream of snapshots of one value while it grows. The last one is complete and validated.

        Args:
            response_model: The type of the answer: a pydantic model, `Iterable[User]`, `Partial[User]`, a union, a
                dataclass, `int` ... With None the SDK's own response is returned.
            messages: The conversation, as the SDK takes it.
            max_retries: How often to ask again after an invalid or incomplete answer, or a tenacity object.
            context: Values for templates in messages, and for pydantic validators (`info.context`).
            strict: Whether values must have the type's own JSON type. None leaves it to the model's configuration.
            on_invalid: For lists: "reask" asks for invalid items again, "skip" reports them, "raise" raises at once.
            hooks: Functions that are called for this call's events, beside those of the client.
            max_continuations: For lists: how often a list that was cut off goes on. None: `max_retries` decides.
            watchdog: When to stop a stream that repeats itself. None switches this off.
            options: All other arguments go to the SDK: model, temperature, max_tokens ...

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came; it has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off, and could not be completed.
            RefusalError: The model declined to answer.

        Example:
            >>> async for user in client.create_partial(User, messages):
            ...     print(user.name)  # None until the name has come
        """
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
        """Return a stream of the items of a list. Each is validated and returned when its last bracket has come.

        Args:
            response_model: The type of the answer: a pydantic model, `Iterable[User]`, `Partial[User]`, a union, a
                dataclass, `int` ... With None the SDK's own response is returned.
            messages: The conversation, as the SDK takes it.
            max_retries: How often to ask again after an invalid or incomplete answer, or a tenacity object.
            context: Values for templates in messages, and for pydantic validators (`info.context`).
            strict: Whether values must have the type's own JSON type. None leaves it to the model's configuration.
            on_invalid: For lists: "reask" asks for invalid items again, "skip" reports them, "raise" raises at once.
            hooks: Functions that are called for this call's events, beside those of the client.
            max_continuations: For lists: how often a list that was cut off goes on. None: `max_retries` decides.
            watchdog: When to stop a stream that repeats itself. None switches this off.
            options: All other arguments go to the SDK: model, temperature, max_tokens ...

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came; it has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off, and could not be completed.
            RefusalError: The model declined to answer.

        Example:
            >>> async for user in client.create_iterable(messages, User):
            ...     print(user)
        """
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
        """Return what `create` returns, and the SDK's own response beside it.

        Args:
            response_model: The type of the answer: a pydantic model, `Iterable[User]`, `Partial[User]`, a union, a
                dataclass, `int` ... With None the SDK's own response is returned.
            messages: The conversation, as the SDK takes it.
            max_retries: How often to ask again after an invalid or incomplete answer, or a tenacity object.
            context: Values for templates in messages, and for pydantic validators (`info.context`).
            strict: Whether values must have the type's own JSON type. None leaves it to the model's configuration.
            on_invalid: For lists: "reask" asks for invalid items again, "skip" reports them, "raise" raises at once.
            hooks: Functions that are called for this call's events, beside those of the client.
            max_continuations: For lists: how often a list that was cut off goes on. None: `max_retries` decides.
            watchdog: When to stop a stream that repeats itself. None switches this off.
            options: All other arguments go to the SDK: model, temperature, max_tokens ...

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came; it has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off, and could not be completed.
            RefusalError: The model declined to answer.

        Example:
            >>> user, response = await client.create_with_completion(messages, User)
            >>> response.usage
        """
        return await self._caller.awith_completion(response_model, messages, arguments)

    @property
    def responses(self) -> AsyncInstructor:
        """This client in `Mode.RESPONSES_TOOLS`, with `input=` for messages; otherwise the SDK's own resource."""
        return AsyncResponses(self._binding) if self.mode is Mode.RESPONSES_TOOLS else self.client.responses


class AsyncResponses(AsyncInstructor):
    """`client.responses`: without `response_model` it returns the SDK's own response."""

    async def create(self, response_model: Any = None, messages: Any = None, **arguments: Any) -> Any:
        return await self._caller.acreate(response_model, messages, arguments)
