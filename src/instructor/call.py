"""From the arguments of a call to its flow, and from what the flow gives to what the user gets.

Everything that can be wrong with the arguments is found here, before any request is made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import BaseModel
from tenacity import AsyncRetrying, BaseRetrying

from instructor._compat import GONE, warn_of_old
from instructor.binding import Binding
from instructor.core.drivers import AsyncValues, StreamCloser, Values, adrive, drive
from instructor.core.effects import Steps
from instructor.core.retry_policy import OnInvalid, Policy, counted
from instructor.core.runner import Run
from instructor.core.state import RunState
from instructor.core.types import (
    AsyncTransport,
    Call,
    Message,
    Output,
    Transport,
)
from instructor.core.validating import ValidatingRun
from instructor.core.watchdog import Watchdog
from instructor.exceptions import ConfigurationError, IncompleteOutputException, InstructorRetryException
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.outputs import growing_for, item_of, list_for, output_for, parallel_for, streamed_for
from instructor.results import AsyncStream, ListResponse, Stream, attach_metadata, with_total_usage

if TYPE_CHECKING:
    from instructor.bulk.run import AsyncBulkRun, BulkRun
    from instructor.cache.flow import CachedCall, CacheOptions

_NOT_YET = {
    "autodetect_images": GONE["Image"],
    "max_event_bytes": "it is given when the client is made, from_provider(..., max_event_bytes=...).",
    "mode": "a client has one, from_provider(..., mode=...), and its calls share it.",
}
"""Arguments of older versions' calls, and why there is nothing to do with one; None and False are nothing."""
_NAMES_NOT_YET = frozenset(_NOT_YET)
_OURS = _NAMES_NOT_YET.union(
    (
        "max_retries",
        "context",
        "strict",
        "hooks",
        "on_invalid",
        "max_continuations",
        "watchdog",
        "validation_context",
        "token_budget",
        "cache",
        "cache_ttl",
        "cache_namespace",
    )
)
DEFAULT_RETRIES = 3
_READY = frozenset((str, list, dict, int, float, bool, type(None)))
_WATCHDOG = Watchdog()


class ArgumentsError(ConfigurationError, TypeError):
    """Arguments that the SDK's function does not take, or the want of one that it must have."""


class PreparedCall(NamedTuple):
    output: Output
    run: Run
    state: RunState
    cached: CachedCall | None = None

    @property
    def _steps(self) -> Steps:
        return self.run.run() if self.cached is None else self.cached.steps()

    def drive(self, transport: Transport, closer: StreamCloser) -> Values:
        return drive(self._steps, transport, closer, self.run.finalizer())

    def adrive(self, transport: AsyncTransport, closer: StreamCloser) -> AsyncValues:
        return adrive(self._steps, transport, closer, self.run.finalizer())

    def completion(self) -> Any:
        """Return the last response, with the tokens of all attempts."""
        return with_total_usage(self.state.raw, [attempt.completion for attempt in self.state.failed])


class CallBuilder:
    """Makes the calls of a client."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.provider, self.mode, self.is_async = binding.provider, binding.mode, binding.is_async
        self.client = binding.client
        self.dialect, self.transport = binding.dialect, binding.transport
        self.defaults, self.hooks = binding.defaults, binding.hooks

    def create(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        if response_model is None:
            return self.transport.create(**self._untyped(messages, arguments))
        if self._given(arguments).get("stream"):
            return self._stream(self._plan(self._streamed(response_model), messages, arguments, stream=True))
        return self._value(self._plan(self._whole(response_model), messages, arguments))

    def iterable(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Stream[Any]:
        return self._stream(self._plan(self._list(response_model), messages, arguments, stream=True))

    def partial(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Stream[Any]:
        return self._stream(self._plan(_growing(response_model), messages, arguments, stream=True))

    def with_completion(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> tuple[Any, Any]:
        if response_model is None:
            return (raw := self.create(None, messages, arguments)), raw
        _no_stream(self._given(arguments))
        plan = self._plan(self._whole(response_model), messages, arguments)
        return self._value(plan), plan.completion()

    async def acreate(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        if response_model is None:
            return await self.transport.create(**self._untyped(messages, arguments))
        if self._given(arguments).get("stream"):
            return self._astream(self._plan(self._streamed(response_model), messages, arguments, stream=True))
        return await self._avalue(self._plan(self._whole(response_model), messages, arguments))

    def aiterable(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> AsyncStream[Any]:
        return self._astream(self._plan(self._list(response_model), messages, arguments, stream=True))

    def apartial(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> AsyncStream[Any]:
        return self._astream(self._plan(_growing(response_model), messages, arguments, stream=True))

    async def awith_completion(
        self, response_model: Any, messages: Any, arguments: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        if response_model is None:
            return (raw := await self.acreate(None, messages, arguments)), raw
        _no_stream(self._given(arguments))
        plan = self._plan(self._whole(response_model), messages, arguments)
        return await self._avalue(plan), plan.completion()

    def map(self, rows: Any, options: Mapping[str, Any]) -> BulkRun[Any]:
        from instructor.bulk.run import BulkRun

        return BulkRun(self, rows, options)

    def amap(self, rows: Any, options: Mapping[str, Any]) -> AsyncBulkRun[Any]:
        from instructor.bulk.run import AsyncBulkRun

        return AsyncBulkRun(self, rows, options)

    def over(self, transport: AsyncTransport, hooks: Hooks | None = None) -> CallBuilder:
        """Return the builder of the same calls, which are async and go over another transport."""
        hooks = self.hooks if hooks is None else hooks
        return CallBuilder(replace(self.binding, transport=transport, is_async=True, hooks=hooks))

    def prepare(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> PreparedCall:
        """Check the arguments of a call that is not streamed, and return the call."""
        return self._plan(self._whole(response_model), messages, arguments)

    async def run(self, plan: PreparedCall, transport: AsyncTransport) -> Any:
        """Run a prepared call over a transport, and return its value."""
        return await self._avalue(plan, transport)

    def _value(self, plan: PreparedCall) -> Any:
        values: list[Any] = []
        try:
            values.extend(plan.drive(self.transport, StreamCloser()))
        except (IncompleteOutputException, InstructorRetryException) as error:
            error.items = values if plan.output.many else []
            raise
        return _finished(values, plan)

    async def _avalue(self, plan: PreparedCall, transport: AsyncTransport | None = None) -> Any:
        values: list[Any] = []
        try:
            async for value in plan.adrive(self.transport if transport is None else transport, StreamCloser()):
                values.append(value)  # noqa: PERF401 - a comprehension would lose what came before an error
        except (IncompleteOutputException, InstructorRetryException) as error:
            error.items = values if plan.output.many else []
            raise
        return _finished(values, plan)

    def _stream(self, plan: PreparedCall) -> Stream[Any]:
        closer = StreamCloser()
        return Stream(plan.drive(self.transport, closer), plan.state, closer)

    def _astream(self, plan: PreparedCall) -> AsyncStream[Any]:
        closer = StreamCloser()
        return AsyncStream(plan.adrive(self.transport, closer), plan.state, closer)

    def _plan(
        self, output: Output, messages: Any, arguments: Mapping[str, Any], *, stream: bool = False
    ) -> PreparedCall:
        given = self._given(arguments)
        context = _context(given)
        strict = given.get("strict", True)
        if strict is not None and not isinstance(strict, bool):
            raise ConfigurationError(f"strict must be True, False or None, got {strict!r}.")
        call = Call(
            messages=_rendered(self._messages(messages, given), context),
            output=output,
            mode=self.mode,
            options={key: _read_once(value) for key, value in given.items() if key not in _OURS and key != "stream"},
            context=context,
            strict=strict,
            stream=stream,
        )
        hooks = given.get("hooks")
        if hooks is not None and not isinstance(hooks, Hooks):
            raise ConfigurationError(f"hooks must be an instructor.Hooks, got {hooks!r}.")
        every = self.hooks + hooks if hooks is not None else self.hooks
        state = RunState(self.dialect, self.transport.response, every)
        policy = _policy(given, is_async=self.is_async, stream=stream)
        if not output.many:
            _check_for_one(arguments)
        check = self._check_for(output)
        run = (
            Run(call, self.dialect, policy, state)
            if check is None
            else ValidatingRun(call, self.dialect, policy, state, check)
        )
        self._check_names(given, run.body)
        cached = None if given.get("cache") in (None, False) else self._cached(run, call, given)
        return PreparedCall(output, run, state, cached)

    def _cached(self, run: Run, call: Call, given: Mapping[str, Any]) -> CachedCall:
        """Return the call as one that a cache may answer."""
        from instructor.cache.flow import CachedCall
        from instructor.cache.keys import request_key

        options = _cache_options(given, is_async=self.is_async)
        key = request_key(
            run.body,
            provider=self.provider,
            client=self.transport.create if self.client is None else self.client,
            mode=call.mode,
            schema=[tool._asdict() for tool in call.output.tools],
            kind=call.output.kind,
            context=call.context,
            strict=call.strict,
            stream=call.stream,
            namespace=options.namespace,
        )
        return CachedCall(run, options, key, self.transport.response, stream=call.stream, is_async=self.is_async)

    def _check_for(self, output: Output) -> Callable[..., Any] | None:
        """Return what runs the asynchronous validators of an answer, or None if it has none."""
        module = sys.modules.get("instructor.validators")  # before it is imported, no model can have one
        if module is None or not module.are_in(output.kind):
            return None
        if not self.is_async:
            raise ConfigurationError(
                f"{output.name} has asynchronous validators, which a sync client cannot await: use an async client, "
                'from_provider("provider/model", async_client=True), or sync validators.'
            )
        check: Callable[..., Any] = module.check
        return check

    def _check_names(self, given: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Raise for arguments that the SDK's function does not take, and for required ones that are missing."""
        if not _NAMES_NOT_YET.isdisjoint(given):
            for name in _NOT_YET:
                if given.get(name) not in (None, False):
                    raise ArgumentsError(f"{name}= must be left out: {_NOT_YET[name]}")
        names = self.transport.arguments
        if names is None or (names.taken.issuperset(body) and names.required.issubset(body)):
            return
        for name in body:
            if name not in names.taken:
                close = get_close_matches(name, names.taken | _OURS, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                more = " To send it anyway, use extra_body=." if "extra_body" in names.taken else ""
                raise ArgumentsError(
                    f"Unknown argument {name!r}: the SDK of {self.provider} does not take it.{hint}{more}"
                )
        missing = ", ".join(map(repr, sorted(names.required.difference(body))))
        raise ArgumentsError(
            f"Missing argument {missing}: the SDK of {self.provider} requires it. Pass it to the call or the client."
        )

    def _whole(self, response_model: Any) -> Output:
        if self.mode is not Mode.PARALLEL_TOOLS:
            return output_for(response_model)
        if item_of(response_model) is None:
            raise ConfigurationError(f"Mode.PARALLEL_TOOLS gives a list: Iterable[A | B], not {response_model!r}.")
        return parallel_for(response_model)

    def _list(self, response_model: Any) -> Output:
        return (parallel_for if self.mode is Mode.PARALLEL_TOOLS else list_for)(_typed(response_model))

    def _streamed(self, response_model: Any) -> Output:
        return self._whole(response_model) if self.mode is Mode.PARALLEL_TOOLS else streamed_for(response_model)

    def _messages(self, messages: Any, given: dict[str, Any]) -> Sequence[Mapping[str, Any]]:
        if messages is None:
            messages = given.pop("messages", None)
        if (name := self.dialect.messages_name) != "messages" and name in given:
            if messages is not None:
                raise ConfigurationError(f"messages and {name} are one argument: give one of them.")
            messages = given.pop(name)
        messages = _read_once(messages)
        return _checked_messages(None if messages is None else self.dialect.as_messages(messages))

    def _given(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.defaults, **arguments}

    def _untyped(self, messages: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call whose response is wanted as it is."""
        given = self._given(arguments)
        if _token_budget(arguments) is not None:
            raise TokenBudgetValueError("token_budget needs a response_model: without one there is only one request.")
        if arguments.get("cache") not in (None, False):
            raise ConfigurationError("cache needs a response_model: the SDK's own response is not cached.")
        context = _context(given)
        messages = _rendered(self._messages(messages, given), context)
        body = self.dialect.encode_plain(messages, {key: value for key, value in given.items() if key not in _OURS})
        self._check_names(given, body)
        return body


def _rendered(messages: Sequence[Message], context: Mapping[str, Any] | None) -> Sequence[Message]:
    """Render the templates in messages. Without a context there are none, and Jinja is not imported: it takes 20 ms."""
    if not context:
        return messages
    from instructor.templating import render

    return render(messages, context)


def _finished(values: list[Any], plan: PreparedCall) -> Any:
    state, replaced = plan.state, plan.run.replaced
    value = values if plan.output.many and not replaced else values[-1]
    if type(value) is list and not replaced:
        return ListResponse(value, state.raw, state.report.usage, state.report)
    return attach_metadata(value, raw_response=state.raw, total_usage=state.report.usage, report=state.report)


def _growing(response_model: Any) -> Output:
    return growing_for(_typed(response_model))


def _typed(response_model: Any) -> Any:
    if response_model is None:
        raise ConfigurationError(
            "response_model=None has no items and no parts: create(None, stream=True) gives the SDK's own chunks."
        )
    return response_model


def _no_stream(given: Mapping[str, Any]) -> None:
    if given.get("stream"):
        raise ConfigurationError("create_with_completion gives a whole response: use create(stream=True).completion.")


def _read_once(value: Any) -> Any:
    """Return a list of what can be iterated only now, a generator's messages say: a re-ask sends them again."""
    if type(value) in _READY or isinstance(value, (str, bytes, Mapping, Sequence, BaseModel, type)):
        return value
    return list(value) if isinstance(value, Iterable) else value


def _checked_messages(messages: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        text = messages if isinstance(messages, str) and len(messages) < 80 else "..."
        is_one = isinstance(messages, Mapping) and "role" in messages
        meant = [messages if is_one else {"role": "user", "content": text}]
        raise ConfigurationError(
            f"messages must be a list of messages, got {messages!r}. Did you mean messages={meant!r}?"
        )
    return [_checked_message(message) for message in messages]


def _checked_message(message: Any) -> Mapping[str, Any]:
    if isinstance(message, BaseModel):  # an SDK's own, from a response before this call
        return message.model_dump(mode="json", exclude_unset=True)
    if not isinstance(message, Mapping):
        raise ConfigurationError(f"A message must be a dict with a role and a content, got {message!r}.")
    return {name: _read_once(part) for name, part in message.items()}


def _context(given: Mapping[str, Any]) -> Mapping[str, Any] | None:
    context: Mapping[str, Any] | None = given.get("context")
    old = given.get("validation_context")
    if old is not None:
        if context is not None:
            raise ConfigurationError("context and validation_context are one argument: give context only.")
        warn_of_old("validation_context is now called context.")
        context = old
    if context is not None and not isinstance(context, Mapping):
        raise ConfigurationError(f"context must be a dict, got {context!r}.")
    return context


def _policy(given: Mapping[str, Any], *, is_async: bool, stream: bool) -> Policy:
    max_retries = given.get("max_retries", DEFAULT_RETRIES)
    if isinstance(max_retries, AsyncRetrying) and not is_async:
        raise ConfigurationError(
            f"max_retries of a sync client must be an int or a tenacity.Retrying, got {max_retries!r}."
        )
    if (
        isinstance(max_retries, bool)
        or not isinstance(max_retries, (int, BaseRetrying))
        or (isinstance(max_retries, int) and max_retries < 0)
    ):
        raise ConfigurationError(
            f"max_retries must be a number of re-asks (0, 1, 2 ...) or a tenacity.Retrying, got {max_retries!r}."
        )
    on_invalid: Any = given.get("on_invalid", "reask")
    if on_invalid not in get_args(OnInvalid):
        raise ConfigurationError(f"on_invalid must be one of {', '.join(get_args(OnInvalid))}, got {on_invalid!r}.")
    continuations = given.get("max_continuations")
    if continuations is not None and (type(continuations) is not int or continuations < 0):
        raise ConfigurationError(
            f"max_continuations must be a number of requests (0, 1, 2 ...), got {continuations!r}."
        )
    watchdog = given.get("watchdog", _WATCHDOG)
    if watchdog is not None and not isinstance(watchdog, Watchdog):
        raise ConfigurationError(f"watchdog must be an instructor.Watchdog or None (off), got {watchdog!r}.")
    if isinstance(max_retries, int):
        seconds = given.get("timeout")  # a stream's is for each of its reads, and says nothing about the whole
        timed = type(seconds) in (int, float) and not stream
        max_retries = counted(max_retries, seconds if timed else None)
    return Policy(max_retries, continuations, on_invalid, watchdog, _token_budget(given))


class TokenBudgetTypeError(ConfigurationError, TypeError):
    """`token_budget` is not a number."""


class TokenBudgetValueError(ConfigurationError, ValueError):
    """`token_budget` is a number that cannot be a budget, or has nothing to bound."""


def _token_budget(given: Mapping[str, Any]) -> int | None:
    budget = given.get("token_budget")
    if budget is None:
        return None
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise TokenBudgetTypeError(f"token_budget must be a number of tokens, got {budget!r}.")
    if budget < 1:
        raise TokenBudgetValueError(f"token_budget must be 1 or more, got {budget!r}.")
    return budget


def _cache_options(given: Mapping[str, Any], *, is_async: bool) -> CacheOptions:
    from instructor.cache.flow import CacheOptions, is_awaited

    cache, ttl, namespace = given["cache"], given.get("cache_ttl"), given.get("cache_namespace")
    if not (callable(getattr(cache, "get", None)) and callable(getattr(cache, "set", None))) or isinstance(cache, type):
        raise ConfigurationError(
            f"cache must be an object with get(key) and set(key, value, ttl=None), such as AutoCache(), got {cache!r}."
        )
    if not is_async and (getattr(cache, "is_async", False) or is_awaited(cache.get)):
        raise ConfigurationError(f"cache must be sync for a sync client, got {cache!r}, whose get is async.")
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or ttl <= 0):
        raise ConfigurationError(f"cache_ttl must be a number of seconds above 0, got {ttl!r}.")
    if namespace is not None and (not isinstance(namespace, str) or not namespace):
        raise ConfigurationError(f"cache_namespace must be a str that is not empty, got {namespace!r}.")
    return CacheOptions(cache, ttl, namespace or "")


def _check_for_one(arguments: Mapping[str, Any]) -> None:
    """Refuse what only a list can obey; a client's defaults may hold it for the lists among its calls."""
    if arguments.get("on_invalid") == "skip":
        raise ConfigurationError("on_invalid='skip' leaves items of a list out: for one value take 'reask' or 'raise'.")
    if (most := arguments.get("max_continuations")) is not None:
        raise ConfigurationError(f"max_continuations={most!r} is for lists: one value is asked for by max_retries.")
