"""The sync client. Generated from client.py by scripts/generate_sync_client.py: change that file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from typing_extensions import TypeForm

from instructor.client_base import ClientBase
from instructor.mode import Mode

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Set as AbstractSet
    from ipaddress import IPv4Network, IPv6Network
    from os import PathLike

    from pydantic import BaseModel
    from tenacity import Retrying

    from instructor.bulk.batches import Batches
    from instructor.bulk.engine import EngineName
    from instructor.bulk.limits import Limits
    from instructor.bulk.ray import RayActors
    from instructor.bulk.rows import BulkReport, Row
    from instructor.bulk.run import BulkRun
    from instructor.bulk.store import Store
    from instructor.client_base import Messages
    from instructor.core.retry_policy import OnInvalid
    from instructor.core.watchdog import Watchdog
    from instructor.dsl import Partial
    from instructor.hooks import Hooks
    from instructor.results import ListResponse, Stream

    _Whole = (
        BaseModel | str | bytes | Mapping[Any, Any] | tuple[Any, ...] | AbstractSet[Any] | deque[Any]
        | IPv4Network | IPv6Network
    )  # fmt: skip
    Context = Mapping[str, Any] | None
    Ground = bool | Literal["require"]
    Retries = int | Retrying

T = TypeVar("T")
WholeT = TypeVar("WholeT", bound="_Whole")


# fmt: off
class Instructor(ClientBase):
    """The sync client: its calls return validated objects. Made by `from_provider`, `from_openai` and the like.

    `create_iterable` and `create_partial` return a stream: `for user in stream`.
    """

    @overload
    def create(self, response_model: None, messages: Messages = ..., **options: Any) -> Any: ...
    @overload
    def create(self, *, input: Any, response_model: None = None, **options: Any) -> Any: ...
    @overload
    def create(
        self, response_model: type[Partial[T]], messages: Messages = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create(
        self, response_model: TypeForm[WholeT], messages: Messages = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[WholeT]: ...
    @overload
    def create(
        self, response_model: TypeForm[Iterable[T]], messages: Messages = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create(
        self, response_model: TypeForm[T], messages: Messages = ..., *, stream: Literal[True],
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create(
        self, response_model: type[Partial[T]], messages: Messages = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> T: ...
    @overload
    def create(  # pyright: ignore[reportOverlappingOverload] - a model is iterable, and meant to come first
        self, response_model: TypeForm[WholeT], messages: Messages = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> WholeT: ...
    @overload
    def create(
        self, response_model: TypeForm[Iterable[T]], messages: Messages = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> ListResponse[T]: ...
    @overload
    def create(
        self, response_model: TypeForm[T], messages: Messages = ..., *, stream: Literal[False] = ...,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> T: ...
    @overload
    def create(
        self, response_model: TypeForm[Any], messages: Messages = None, *, stream: bool = False,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., token_budget: int | None = None, cache: Any = None,
        cache_ttl: float | None = None, cache_namespace: str | None = None, model: str | None = None,
        temperature: float | None = None, max_tokens: int | None = None, timeout: Any = None,
        ground: Ground = False, **options: Any,
    ) -> Any: ...
    def create(self, response_model: Any, messages: Messages = None, **options: Any) -> Any:  # type: ignore[misc]  # pyright: ignore
        """Ask the model, and return an answer of the type `response_model`.

        Args:
            response_model: The type of the answer: a pydantic model, `Iterable[User]`, `Partial[User]`, a union, a
                dataclass, `int` ... None returns the SDK's own response.
            messages: The conversation: a list of dicts with a role and a content, or of the SDK's own messages.
            stream: Whether to return a stream: of the items of a list, or of snapshots of one value (default False).
            max_retries: How often to ask again after an invalid or incomplete answer (default 3), or a tenacity object.
            context: Values for templates in messages, and for pydantic validators as `info.context` (default none).
            strict: Whether a value must have the JSON type of its field (default). None: the model's own
                configuration decides.
            on_invalid: For lists: "reask" asks again for invalid items (default), "skip" only reports them, and
                "raise" raises at the first one.
            hooks: Functions for the events of this call. They are called after those of the client.
            max_continuations: For lists: how often a list that was cut off is continued. None (default):
                `max_retries` is the limit.
            watchdog: When to stop a stream that repeats itself (default: `Watchdog()`). None: never.
            token_budget: After how many tokens there is no further request (default: no limit).
            cache: Where the answer is kept, and looked up before a request: `AutoCache()`, `DiskCache()` ... With
                `cache_ttl` (seconds) and `cache_namespace`.
            model: The model's name. It may be left out if the client has one.
            temperature, max_tokens, timeout: As the SDK takes them. The timeout is in seconds.
            ground: Whether items say where in the user's text they stand, `instructor.evidence(item)` (default False).
                "require": a value that is not in the text makes its item invalid.
            options: All other arguments go to the SDK.

        Returns:
            The validated answer, a `ListResponse` for a list. With `stream=True` a stream (`Stream`).

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came. It has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off and could not be continued.
            RefusalError: The model declined to answer.

        Example:
            >>> user = client.create(User, [{"role": "user", "content": "Jason is 10"}])
            >>> user.age
            10
        """
        return self._caller.create(response_model, messages, options)

    @overload
    def create_partial(
        self, response_model: type[Partial[T]], messages: Messages = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_partial(
        self, response_model: TypeForm[T], messages: Messages = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_partial(
        self, response_model: TypeForm[Any], messages: Messages = None, *,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., token_budget: int | None = None, cache: Any = None,
        cache_ttl: float | None = None, cache_namespace: str | None = None, model: str | None = None,
        temperature: float | None = None, max_tokens: int | None = None, timeout: Any = None,
        ground: Ground = False, **options: Any,
    ) -> Stream[Any]: ...
    def create_partial(self, response_model: Any, messages: Messages = None, **options: Any) -> Any:
        """Return a stream of snapshots of one value while it arrives. The last one is complete and validated.

        Args:
            response_model: The type of the answer, usually a pydantic model. `Partial[User]` is the same as `User`.
            messages: The conversation: a list of dicts with a role and a content, or of the SDK's own messages.
            max_retries: How often to ask again after an invalid or incomplete answer (default 3), or a tenacity object.
            context: Values for templates in messages, and for pydantic validators as `info.context` (default none).
            strict: Whether a value must have the JSON type of its field (default). None: the model's own
                configuration decides.
            on_invalid: For lists: "reask" asks again for invalid items (default), "skip" only reports them, and
                "raise" raises at the first one.
            hooks: Functions for the events of this call. They are called after those of the client.
            max_continuations: For lists: how often a list that was cut off is continued. None (default):
                `max_retries` is the limit.
            watchdog: When to stop a stream that repeats itself (default: `Watchdog()`). None: never.
            token_budget: After how many tokens there is no further request (default: no limit).
            cache: Where the answer is kept, and looked up before a request: `AutoCache()`, `DiskCache()` ... With
                `cache_ttl` (seconds) and `cache_namespace`.
            model: The model's name. It may be left out if the client has one.
            temperature, max_tokens, timeout: As the SDK takes them. The timeout is in seconds.
            ground: Whether items say where in the user's text they stand, `instructor.evidence(item)` (default False).
                "require": a value that is not in the text makes its item invalid.
            options: All other arguments go to the SDK.

        Returns:
            The stream (`Stream`). The errors below, except ConfigurationError, are raised while it is read.

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came. It has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off and could not be continued.
            RefusalError: The model declined to answer.

        Example:
            >>> for user in client.create_partial(User, messages):
            ...     print(user.name)  # None until the name has arrived
        """
        return self._caller.partial(response_model, messages, options)

    @overload
    def create_iterable(
        self, messages: Messages = ..., response_model: TypeForm[WholeT] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[WholeT]: ...
    @overload
    def create_iterable(
        self, messages: Messages = ..., response_model: TypeForm[Iterable[T]] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_iterable(
        self, messages: Messages = ..., response_model: TypeForm[T] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> Stream[T]: ...
    @overload
    def create_iterable(
        self, messages: Messages = None, response_model: TypeForm[Any] = ..., *,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., token_budget: int | None = None, cache: Any = None,
        cache_ttl: float | None = None, cache_namespace: str | None = None, model: str | None = None,
        temperature: float | None = None, max_tokens: int | None = None, timeout: Any = None,
        ground: Ground = False, **options: Any,
    ) -> Stream[Any]: ...
    def create_iterable(self, messages: Messages = None, response_model: Any = None, **options: Any) -> Any:
        """Return a stream of the items of a list. Each item is validated and yielded as soon as it is complete.

        Args:
            messages: The conversation: a list of dicts with a role and a content, or of the SDK's own messages.
            response_model: The type of one item, or of the list: `User` is the same as `Iterable[User]`.
            max_retries: How often to ask again after an invalid or incomplete answer (default 3), or a tenacity object.
            context: Values for templates in messages, and for pydantic validators as `info.context` (default none).
            strict: Whether a value must have the JSON type of its field (default). None: the model's own
                configuration decides.
            on_invalid: For lists: "reask" asks again for invalid items (default), "skip" only reports them, and
                "raise" raises at the first one.
            hooks: Functions for the events of this call. They are called after those of the client.
            max_continuations: For lists: how often a list that was cut off is continued. None (default):
                `max_retries` is the limit.
            watchdog: When to stop a stream that repeats itself (default: `Watchdog()`). None: never.
            token_budget: After how many tokens there is no further request (default: no limit).
            cache: Where the answer is kept, and looked up before a request: `AutoCache()`, `DiskCache()` ... With
                `cache_ttl` (seconds) and `cache_namespace`.
            model: The model's name. It may be left out if the client has one.
            temperature, max_tokens, timeout: As the SDK takes them. The timeout is in seconds.
            ground: Whether items say where in the user's text they stand, `instructor.evidence(item)` (default False).
                "require": a value that is not in the text makes its item invalid.
            options: All other arguments go to the SDK.

        Returns:
            The stream (`Stream`). The errors below, except ConfigurationError, are raised while it is read.

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came. It has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off and could not be continued.
            RefusalError: The model declined to answer.

        Example:
            >>> for user in client.create_iterable(messages, User):
            ...     print(user)
        """
        return self._caller.iterable(response_model, messages, options)

    @overload
    def create_with_completion(
        self, messages: Messages = ..., response_model: None = ..., **options: Any,
    ) -> tuple[Any, Any]: ...
    @overload
    def create_with_completion(  # pyright: ignore[reportOverlappingOverload] - as in `create`
        self, messages: Messages = ..., response_model: type[Partial[T]] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> tuple[T, Any]: ...
    @overload
    def create_with_completion(  # pyright: ignore[reportOverlappingOverload] - as in `create`
        self, messages: Messages = ..., response_model: TypeForm[WholeT] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> tuple[WholeT, Any]: ...
    @overload
    def create_with_completion(
        self, messages: Messages = ..., response_model: TypeForm[Iterable[T]] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> tuple[ListResponse[T], Any]: ...
    @overload
    def create_with_completion(
        self, messages: Messages = ..., response_model: TypeForm[T] = ..., *,
        max_retries: Retries = ..., context: Context = ..., strict: bool | None = ..., on_invalid: OnInvalid = ...,
        hooks: Hooks | None = ..., max_continuations: int | None = ..., watchdog: Watchdog | None = ...,
        token_budget: int | None = ..., cache: Any = ..., cache_ttl: float | None = ...,
        cache_namespace: str | None = ..., model: str | None = ..., temperature: float | None = ...,
        max_tokens: int | None = ..., timeout: Any = ..., ground: Ground = ..., **options: Any,
    ) -> tuple[T, Any]: ...
    @overload
    def create_with_completion(
        self, messages: Messages = None, response_model: TypeForm[Any] = ..., *,
        max_retries: Retries = 3, context: Context = None, strict: bool | None = True,
        on_invalid: OnInvalid = "reask", hooks: Hooks | None = None, max_continuations: int | None = None,
        watchdog: Watchdog | None = ..., token_budget: int | None = None, cache: Any = None,
        cache_ttl: float | None = None, cache_namespace: str | None = None, model: str | None = None,
        temperature: float | None = None, max_tokens: int | None = None, timeout: Any = None,
        ground: Ground = False, **options: Any,
    ) -> tuple[Any, Any]: ...
    def create_with_completion(
        self, messages: Messages = None, response_model: Any = None, **options: Any
    ) -> Any:
        """Return the validated answer and the SDK's own response.

        Args:
            messages: The conversation: a list of dicts with a role and a content, or of the SDK's own messages.
            response_model: The type of the answer, as for `create`.
            max_retries: How often to ask again after an invalid or incomplete answer (default 3), or a tenacity object.
            context: Values for templates in messages, and for pydantic validators as `info.context` (default none).
            strict: Whether a value must have the JSON type of its field (default). None: the model's own
                configuration decides.
            on_invalid: For lists: "reask" asks again for invalid items (default), "skip" only reports them, and
                "raise" raises at the first one.
            hooks: Functions for the events of this call. They are called after those of the client.
            max_continuations: For lists: how often a list that was cut off is continued. None (default):
                `max_retries` is the limit.
            watchdog: When to stop a stream that repeats itself (default: `Watchdog()`). None: never.
            token_budget: After how many tokens there is no further request (default: no limit).
            cache: Where the answer is kept, and looked up before a request: `AutoCache()`, `DiskCache()` ... With
                `cache_ttl` (seconds) and `cache_namespace`.
            model: The model's name. It may be left out if the client has one.
            temperature, max_tokens, timeout: As the SDK takes them. The timeout is in seconds.
            ground: Whether items say where in the user's text they stand, `instructor.evidence(item)` (default False).
                "require": a value that is not in the text makes its item invalid.
            options: All other arguments go to the SDK.

        Returns:
            A tuple of the validated answer and the SDK's response, with the usage of all requests.

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            InstructorRetryException: No valid answer came. It has the attempts, the usage and the valid items.
            IncompleteOutputException: The answer was cut off and could not be continued.
            RefusalError: The model declined to answer.

        Example:
            >>> user, response = client.create_with_completion(messages, User)
            >>> response.usage
        """
        return self._caller.with_completion(response_model, messages, options)

    def map(
        self, rows: Any, *, response_model: TypeForm[T], messages: str | Messages | Callable[[Any], object] = None,
        key: str | Callable[[Any], object] | None = None, store: str | PathLike[str] | Store | None = None,
        limits: Limits | None = None, on_error: Literal["collect", "skip", "raise"] = "collect", ordered: bool = False,
        engine: EngineName | Batches | RayActors = "asyncio", dedupe: bool = True, retry_failed: bool = False,
        reuse: Literal["exact", "compatible"] = "exact", limit: int | None = None, sample: int | None = None,
        seed: int = 0, on_row: Callable[[Row[T]], object] | None = None,
        on_progress: Callable[[BulkReport], object] | None = None, **options: Any,
    ) -> BulkRun[T]:
        """Return an iterator of `Row`s: the answers to many inputs, in the order in which they are complete.

        Each attempt passes the limits, and is made by this library: the SDK's own retries are off. Rows are written to
        the store before they are yielded. The same call with the same store goes on where it ended, however it ended.

        Args:
            rows: An iterable, sync or async; a path: `.jsonl`, `.csv`, `.parquet`, `.xlsx`, a document, a folder or a
                glob of documents; or a table of pandas, polars or Arrow. It is read as far as rows are needed.
            response_model: The type of the answer to one row. `Iterable[User]` gives a list for each row.
            messages: A function of the row, which returns messages or a text; or a template over the row's fields,
                a text or messages; or an instruction, which is put before the row's text. None: the row's only text
                field, or the row as JSON.
            key: The field, or a function of the row, that names it. Two rows must not have one key. None: a hash of
                the row's content; for documents their path.
            store: The file that answers are kept in, or a `Store`. None: they are not kept.
            limits: Calls in flight, requests and tokens a minute, tokens and money in all.
            on_error: "collect" yields a failed row with its error (default), "skip" only counts it, "raise" raises.
            ordered: Whether rows come in the order of the source. One slow row then holds the others back.
            engine: What makes the requests: "asyncio", in this process (default); "batch", or a `bulk.Batches`, in
                batches of the provider, within a day and for half the price; "ray", or a `bulk.ray.RayActors`, in the
                processes of a Ray cluster.
            dedupe: Whether rows that ask for the same share one request (default).
            retry_failed: Whether rows that the store has as failed are asked again.
            reuse: "compatible" also takes stored answers that were made with fewer tokens at most.
            limit: How many rows of the source are read at most.
            sample: How many rows are chosen at random, by `seed`.
            seed: Chooses the sample.
            on_row: A function that gets each row, before it is yielded.
            on_progress: A function that gets the report, ten times a second at most, and at the end.
            options: All other arguments are those of `create`: model, temperature, max_retries, ground ...

        Returns:
            The run, an iterator of rows with `report`, `stop()`, `estimate()` and `store`.

        Raises:
            ConfigurationError: An argument is wrong. No request was sent.
            StoreError: The store cannot be used. Nothing was overwritten.
            JobStoppedError: While the rows are read: no other row can succeed, or the budget is spent.

        Example:
            >>> for row in client.map("texts/", response_model=Iterable[Person], store="people.sqlite"):
            ...     print(row.key, row.value or row.error)
        """
        return self._caller.map(rows, {
            "response_model": response_model, "messages": messages, "key": key, "store": store, "limits": limits,
            "on_error": on_error, "ordered": ordered, "engine": engine, "dedupe": dedupe, "retry_failed": retry_failed,
            "reuse": reuse, "limit": limit, "sample": sample, "seed": seed, "on_row": on_row,
            "on_progress": on_progress, "options": options,
        })

    @property
    def responses(self) -> Instructor:
        """This client in `Mode.RESPONSES_TOOLS`, with `input=` for messages; otherwise the SDK's own resource."""
        return Responses(self._binding) if self.mode is Mode.RESPONSES_TOOLS else self.client.responses


class Responses(Instructor):
    """`client.responses`: without `response_model` it returns the SDK's own response."""

    def create(self, response_model: Any = None, messages: Messages = None, **options: Any) -> Any:
        return self._caller.create(response_model, messages, options)
