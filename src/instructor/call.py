"""From the arguments of a call to its flow, and from what the flow gives to what the user gets.

Everything that can be wrong with the arguments is found here, before any request is made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from instructor.arguments import (
    OURS,
    cache_options,
    check_for_one,
    check_names,
    check_values,
    checked_messages,
    context_of,
    policy_of,
    read_once,
    token_budget_of,
)
from instructor.binding import Binding
from instructor.core import observer
from instructor.core.drivers import AsyncValues, StreamCloser, Values, adrive, drive
from instructor.core.effects import Do, Steps
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
from instructor.exceptions import (
    ConfigurationError,
    IncompleteOutputException,
    InstructorRetryException,
    TokenBudgetValueError,
)
from instructor.grounding.evidence import EvidenceList
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.outputs import growing_for, item_of, list_for, output_for, parallel_for, streamed_for
from instructor.results import AsyncStream, ListResponse, Stream, attach_evidence, attach_metadata, with_total_usage

if TYPE_CHECKING:
    from instructor.bulk.run import AsyncBulkRun, BulkRun
    from instructor.cache.flow import CachedCall


class PreparedCall(NamedTuple):
    output: Output
    run: Run
    state: RunState
    cached: CachedCall | None = None

    @property
    def _steps(self) -> Steps:
        steps = self.run.run() if self.cached is None else self.cached.steps()
        return steps if self.state.observer is None else self.state.observer.steps(steps)

    def drive(self, transport: Transport, closer: StreamCloser) -> Values:
        return drive(self._steps, transport, closer, self.run.finalizer())

    def adrive(self, transport: AsyncTransport, closer: StreamCloser) -> AsyncValues:
        return adrive(self._steps, transport, closer, self.run.finalizer())

    def completion(self) -> Any:
        """Return the last response, with the tokens of all attempts."""
        return with_total_usage(self.state.raw, [attempt.completion for attempt in self.state.failed])


class UntypedCall(NamedTuple):
    body: Callable[[Sequence[Message]], dict[str, Any]]
    messages: Sequence[Message]
    loads: Do | None
    """What loads the messages instead, if a file in them must be fetched."""


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
            written = self._untyped(messages, arguments)
            said = written.messages if written.loads is None else written.loads.function()
            return self.transport.create(**written.body(said))
        if self._given(arguments).get("stream"):
            return self._stream(self._plan(self._streamed(response_model), messages, arguments, stream=True))
        return self._value(self._observe(self._plan(self._whole(response_model), messages, arguments)))

    def iterable(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Stream[Any]:
        return self._stream(self._plan(self._list(response_model), messages, arguments, stream=True))

    def partial(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Stream[Any]:
        return self._stream(self._plan(_growing(response_model), messages, arguments, stream=True))

    def with_completion(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> tuple[Any, Any]:
        if response_model is None:
            return (raw := self.create(None, messages, arguments)), raw
        _no_stream(self._given(arguments))
        plan = self._observe(self._plan(self._whole(response_model), messages, arguments))
        return self._value(plan), plan.completion()

    async def acreate(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any:
        if response_model is None:
            written = self._untyped(messages, arguments)
            said = written.messages if written.loads is None else await written.loads.function()
            return await self.transport.create(**written.body(said))
        if self._given(arguments).get("stream"):
            return self._astream(self._plan(self._streamed(response_model), messages, arguments, stream=True))
        return await self._avalue(self._observe(self._plan(self._whole(response_model), messages, arguments)))

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
        plan = self._observe(self._plan(self._whole(response_model), messages, arguments))
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

    async def run(self, plan: PreparedCall, transport: AsyncTransport, *, is_row: bool = False) -> Any:
        """Run a prepared call over a transport, and return its value. `is_row`: requests are made, for a row of a job.

        Otherwise the transport only repeats what was recorded: there is nothing to observe.
        """
        if is_row:
            self._observe(plan, is_row=True)
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
        self._observe(plan)
        return Stream(plan.drive(self.transport, closer), plan.state, closer)

    def _astream(self, plan: PreparedCall) -> AsyncStream[Any]:
        closer = StreamCloser()
        self._observe(plan)
        return AsyncStream(plan.adrive(self.transport, closer), plan.state, closer)

    def _observe(self, plan: PreparedCall, *, is_row: bool = False) -> PreparedCall:
        """Let traces be made of a call, if they are on."""
        if observer.installed is not None:
            run = plan.run
            plan.state.observer = observer.installed.call(
                plan.output, self.mode, plan.state.report, stream=run.streams, turns_key=self.dialect.turns_key,
                binding=self.binding, is_row=is_row,
            )  # fmt: skip
        return plan

    def _plan(
        self, output: Output, messages: Any, arguments: Mapping[str, Any], *, stream: bool = False
    ) -> PreparedCall:
        given = self._given(arguments)
        context = context_of(given)
        check_values(given)
        said, loads = self._with_media(self._messages(messages, given), given, context)
        call = Call(
            messages=said,
            output=output,
            mode=self.mode,
            options={key: read_once(value) for key, value in given.items() if key not in OURS and key != "stream"},
            context=context,
            strict=given.get("strict", True),
            stream=stream,
        )
        hooks = given.get("hooks")
        every = self.hooks + hooks if hooks is not None else self.hooks
        state = RunState(self.dialect, self.transport.response, every)
        policy = policy_of(given, is_async=self.is_async, stream=stream)
        if not output.many:
            check_for_one(arguments)
        check = self._check_for(output)
        state.grounds = _grounds(call, given["ground"]) if given.get("ground") else None
        run = (
            Run(call, self.dialect, policy, state)
            if check is None and state.grounds is None
            else ValidatingRun(call, self.dialect, policy, state, check, state.grounds)
        )
        run.loads = loads
        check_names(given, run.body, self.transport.arguments, self.provider)
        cached = None if given.get("cache") in (None, False) else self._cached(run, call, given)
        return PreparedCall(output, run, state, cached)

    def _cached(self, run: Run, call: Call, given: Mapping[str, Any]) -> CachedCall:
        """Return the call as one that a cache may answer."""
        from instructor.cache.flow import CachedCall
        from instructor.cache.keys import request_key

        options = cache_options(given, is_async=self.is_async)
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
        messages = read_once(messages)
        return checked_messages(None if messages is None else self.dialect.as_messages(messages), given)

    def _with_media(
        self, messages: Sequence[Message], given: Mapping[str, Any], context: Mapping[str, Any] | None
    ) -> tuple[Sequence[Message], Do | None]:
        """Return rendered messages with parts for images, audio and PDFs, and what loads the messages to be sent."""
        detects = bool(given.get("autodetect_images"))
        media = sys.modules.get("instructor.media")  # before it is imported, no message can have one
        if media is None and not detects:
            return _rendered(messages, context), None
        from instructor.media import in_messages

        parts, fetch = in_messages(messages, self.dialect.takes_address, detects=detects)
        if fetch is None:
            return _rendered(parts, context), None
        load = _loaded(fetch, context)
        return _rendered(parts, context), Do(_in_thread(load) if self.is_async else load)

    def _given(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.defaults, **arguments}

    def _untyped(self, messages: Any, arguments: Mapping[str, Any]) -> UntypedCall:
        """Return a call whose response is wanted as it is."""
        given = self._given(arguments)
        if token_budget_of(arguments) is not None:
            raise TokenBudgetValueError("token_budget needs a response_model: without one there is only one request.")
        if arguments.get("ground"):
            raise ConfigurationError("ground needs a response_model: the SDK's own response has no items.")
        if arguments.get("cache") not in (None, False):
            raise ConfigurationError("cache needs a response_model: the SDK's own response is not cached.")
        context = context_of(given)
        said, loads = self._with_media(self._messages(messages, given), given, context)
        options = {key: value for key, value in given.items() if key not in OURS}

        def body(said: Sequence[Message]) -> dict[str, Any]:
            written = self.dialect.encode_plain(said, options)
            check_names(given, written, self.transport.arguments, self.provider)
            return written

        return UntypedCall(body, said, loads)


def _grounds(call: Call, ground: Any) -> Any:
    """Return what finds the items of a call in its texts."""
    from instructor.grounding.grounding import Grounding
    from instructor.grounding.sources import Sources

    sources = Sources(call.messages)
    if not any(message.get("role") == "user" for message in call.messages):
        raise ConfigurationError(
            f"ground={ground!r} needs a message of the role 'user': it has the text that values must come from."
        )
    return Grounding(
        sources,
        call.output.kind,
        many=call.output.many,
        requires=ground == "require",
        attach=attach_evidence,
    )


def _loaded(
    load: Callable[[], Sequence[Message]], context: Mapping[str, Any] | None
) -> Callable[[], Sequence[Message]]:
    return lambda: _rendered(load(), context)


def _in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Return an async function that calls this one without holding up the event loop, nor a task that is cancelled."""
    from anyio.to_thread import run_sync

    return lambda: run_sync(function, abandon_on_cancel=True)


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
        found = None if state.grounds is None else EvidenceList(state.grounds.held)
        return ListResponse(value, state.raw, state.report.usage, state.report, found)
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
