"""One step of a call's flow: requests are answered from a cache before a driver makes them.

Theory of operation. `CachedCall.steps` is a generator around `Run.run()`. It receives the run's effects before the
driver does, passes most of them on, and knows two states:

    recording   no entry is there: the driver makes the requests, and what they bring is written down
    replaying   an entry is there: `Send` and `Open`, `Read` and `Close` are answered from it, and no driver sees them

An entry is the list of the replies that led to a complete answer, in their order: a whole response is the wire's JSON,
a stream is the list of its reads. It is stored when the answer is complete, and never before. The run reads a replayed
reply as any other: a list streams item by item, and every value is validated anew. If that fails, or if the run asks
for more than the entry holds, the driver makes the request.

Calls without a stream that miss the same key at the same time make one request (`_Flights`): the first goes, the others
wait until it has stored its answer or failed. Streams do not wait: whoever reads one may leave it unread.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import jiter

from instructor.core.effects import Close, Do, Emit, Open, Read, Send, Steps, Wait
from instructor.core.logs import LOG
from instructor.core.runner import Run
from instructor.core.types import Json, Received

_VERSION = 1
_MOST = 32 * 2**20
"""Longer entries (characters) are not kept."""
_MISSED = object()


class CacheOptions(NamedTuple):
    """A call's cache, and how it is used."""

    cache: Any
    ttl: float | None
    namespace: str


class CachedCall:
    """One call that is answered from a cache, or whose answer is stored in it."""

    def __init__(
        self,
        run: Run,
        options: CacheOptions,
        key: str,
        response: Callable[[Json], Any],
        *,
        stream: bool,
        is_async: bool,
    ) -> None:
        self._run, self._options, self._key, self._response = run, options, key, response
        self._stream, self._is_async = stream, is_async
        self._left: list[Json] = []  # replies that are not replayed yet
        self._reads: list[Any] | None = None  # reads of the stream that is replayed; None if the driver has one
        self._made: list[Json] = []  # replies as they come
        self._is_new = False  # whether any of them came from the provider

    def steps(self) -> Steps:
        """Run the call. The effects that are left for the driver are yielded."""
        flight = None if self._stream else _Flights.of(self._is_async)
        name = (id(self._options.cache), self._key)
        place: Any = None
        try:
            entry = yield from self._found()
            while flight is not None and entry is None:
                place, wait = flight.join(name)
                if wait is not None:
                    yield Do(wait)
                entry = yield from self._found()  # the first call, or one before it, has stored it perhaps
                if wait is None:
                    break
            if entry is not None:
                self._left = entry
                yield from self._run.state.from_cache(self._key)
            yield from self._answered()
        finally:
            if place is not None and flight is not None:
                flight.leave(place)

    def _answered(self) -> Steps:
        """Run the flow, and answer its effects or pass them on."""
        flow, report = self._run.run(), self._run.state.report
        outcome: Any = None
        failure: Exception | None = None
        try:
            while True:
                try:
                    step = flow.send(outcome) if failure is None else flow.throw(failure)
                except StopIteration:
                    break
                outcome = failure = None
                try:
                    if type(step) is Do or type(step) is Emit:  # most are
                        outcome = yield step
                    elif isinstance(step, (Send, Open)):
                        outcome = yield from self._request(step)
                    elif isinstance(step, Read):
                        outcome = yield from self._read(step)
                    elif isinstance(step, Close) and self._reads is not None:
                        self._reads = None
                    elif not (isinstance(step, Wait) and self._left):
                        outcome = yield step
                except Exception as error:
                    failure = error
        finally:
            flow.close()
            if report.cached:
                report.usage = type(report.usage)()
        if report.complete and self._is_new:
            yield from self._store()

    def _request(self, step: Any) -> Steps:
        if self._run.starts_again:
            self._made.clear()
        if self._left:
            reply = self._left.pop(0)
            self._made.append(reply)
            self._run.state.report.attempts -= 1
            if "reads" in reply:
                self._reads = list(reply["reads"])
                return {}
            wire = reply["wire"]
            return Received(wire, wire if reply.get("plain") else _with_attributes(self._response(wire)), {})
        if self._run.state.report.cached:
            yield from self._run.state.not_from_cache(step.request)
        outcome = yield step
        self._reads, self._is_new = None, True
        if isinstance(step, Open):
            self._made.append({"reads": []})
        else:
            self._made.append({"wire": outcome.wire, "plain": isinstance(outcome.raw, dict)})
        return outcome

    def _read(self, step: Read) -> Steps:
        if self._reads is not None:
            while self._reads:
                events = [each.encode("utf-8", "surrogateescape") if isinstance(each, str) else each
                          for each in self._reads.pop(0)]  # fmt: skip
                if not step.holds(events):
                    return events
            return None
        reads, holds = self._made[-1]["reads"], step.holds

        def record(events: Sequence[Any]) -> bool:
            """Write down every read: the driver asks about each whether it is kept back."""
            reads.append(events)
            return holds(events)

        return (yield Read(record))

    def _found(self) -> Steps:
        """Return the replies that the cache has, or None."""
        cache = self._options.cache
        try:
            text = yield from self._called(cache.get, self._key)
        except Exception as error:  # a cache that is away must not end a call
            LOG.warning("A cache failed to read: %s", type(error).__name__)
            return None
        if text is None:
            return None
        try:
            entry = jiter.from_json(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
            if entry["version"] == _VERSION and all(
                "reads" in each if self._stream else "wire" in each for each in entry["replies"]
            ):
                return entry["replies"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            LOG.warning("An entry of the cache cannot be read: %s", type(error).__name__)
        return None

    def _store(self) -> Steps:
        replies = [
            {"reads": [[each.decode("utf-8", "surrogateescape") if isinstance(each, bytes) else each for each in read]
                       for read in reply["reads"]]} if "reads" in reply else reply
            for reply in self._made
        ]  # fmt: skip
        try:
            text = json.dumps({"version": _VERSION, "replies": replies}, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            LOG.warning("An answer cannot be kept: %s", error)
            return
        if len(text) > _MOST:
            LOG.warning("An answer of %d characters is not kept.", len(text))
            return
        cache, ttl = self._options.cache, self._options.ttl
        try:
            yield from self._called(cache.set, self._key, text, **({} if ttl is None else {"ttl": ttl}))
        except Exception as error:
            LOG.warning("A cache failed to write: %s", type(error).__name__)

    def _called(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Steps:
        """Call a method of the cache. In async clients one that may wait runs in a thread, unless it is awaited."""
        cache = self._options.cache
        if not getattr(cache, "waits", True):
            return function(*arguments, **keywords)
        if not self._is_async or getattr(cache, "is_async", False) or is_awaited(function):
            return (yield Do(function, arguments, keywords))

        def in_thread() -> Any:
            return anyio.to_thread.run_sync(lambda: function(*arguments, **keywords))

        return (yield Do(in_thread))


def is_awaited(function: Any) -> bool:
    """Return whether a method is an async function."""
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def _with_attributes(response: Any) -> Any:
    """Return a response whose parts are attributes, where no SDK's object can be made of its JSON."""
    if isinstance(response, Mapping):
        return SimpleNamespace(**{str(name): _with_attributes(part) for name, part in response.items()})
    return [_with_attributes(part) for part in response] if isinstance(response, list) else response


class _Flights:
    """The calls that are on their way, by cache and key."""

    _sync: _Flights
    _async: _Flights

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async
        self._on_their_way: dict[Any, tuple[Any, Any]] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, is_async: bool) -> _Flights:
        return cls._async if is_async else cls._sync

    def join(self, name: Any) -> tuple[Any, Callable[[], Any] | None]:
        """Return the first caller's place, which it leaves; for others None, and what waits for the first one to end.

        Who is the first already, in the same thread or task, does not wait for itself: a hook made this call.
        """
        me, place = self._me(name)
        with self._lock:
            if place not in self._on_their_way:
                self._on_their_way[place] = (me, anyio.Event() if self._is_async else threading.Event())
                return place, None
            first, ended = self._on_their_way[place]
        return None, None if first == me else ended.wait

    def leave(self, place: Any) -> None:
        """Let the others look again."""
        with self._lock:
            _, ended = self._on_their_way.pop(place)
        ended.set()

    def _me(self, name: Any) -> tuple[Any, Any]:
        """Return who calls, and the flight's name: tasks of two event loops cannot wait for each other."""
        if not self._is_async:
            return threading.get_ident(), name
        return anyio.get_current_task().id, (threading.get_ident(), *name)


_Flights._sync, _Flights._async = _Flights(is_async=False), _Flights(is_async=True)
