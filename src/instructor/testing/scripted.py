"""The scripted server: replies in order, requests recorded, nothing left when it closes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import TracebackType

from typing_extensions import Self

from instructor.testing.faults import Drop, Plan, Step, Wait, Write, plan
from instructor.testing.loopback import ClientLeft, Link, Loopback
from instructor.testing.replies import Asked, Reply, body, plural


@dataclass
class Served:
    """What became of one reply."""

    asked: Asked
    events: int = 0
    """How many events the reply has, faults apart."""
    sent: int = 0
    """How many were sent; faults of their own included."""
    client_left: bool = False
    """The client closed the connection before it had been sent all there was."""
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def wait(self, timeout: float = 30.0) -> Self:
        """Block until nothing more will be sent."""
        if not self._ended.wait(timeout):
            raise AssertionError(f"reply {self.asked.number} has not ended after {timeout} s")
        return self


class Scripted(Loopback):
    """Serve a script on loopback: one reply for each request, in order, or the reply that a function returns.

    Args:
        replies: the replies, or a function that takes a request and returns its reply.
        timeout: the limit for gates and silences, in seconds.
        strict: whether a request without a reply is an error at the end. It is answered with status 500.

    Raises:
        AssertionError: at the end of the `with` block, if something went wrong in the server.

    Example:
        with Scripted([tools({"name": "Ann"})]) as server:
            client = instructor.from_openai(OpenAI(base_url=server.base_url, api_key="test"))
    """

    def __init__(
        self, replies: Iterable[Reply] | Callable[[Asked], Reply] = (), *, timeout: float = 30.0, strict: bool = True
    ) -> None:
        super().__init__()
        self._function = replies if callable(replies) else None
        self._script = [] if callable(replies) else list(replies)
        self._timeout, self._strict = timeout, strict
        self.requests: list[Asked] = []
        self.served: list[Served] = []
        self.unexpected: list[Asked] = []

    @property
    def base_url(self) -> str:
        """The `base_url` for OpenAI's clients. Other clients may need `root`, which has no `/v1`."""
        return f"{self.root}/v1"

    @property
    def unused(self) -> int:
        """How many replies nobody has requested."""
        with self._changed:
            return len(self._script)

    def assert_all_used(self) -> None:
        """Raise an AssertionError if a reply of the script was not requested.

        The fixture `scripted_server` calls it after a test that passed.
        """
        if self.unused:
            left = plural(self.unused, "reply was", "replies were")
            requests = plural(len(self.requests), "request")
            raise AssertionError(f"the scripted server: {left} not requested, after {requests}")

    def add(self, *replies: Reply) -> None:
        """Append replies to the script."""
        with self._changed:
            self._script += replies

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        problems = list(self.problems)
        if self._strict and self.unexpected:
            problems.append(f"{plural(len(self.unexpected), 'request')} more than the script has replies")
        if problems and kind is None:
            raise AssertionError("the scripted server: " + "; ".join(problems))

    def serve(self, link: Link, asked: Asked) -> bool:
        served, reply = self._reply(asked)
        asked = served.asked
        try:
            if reply.silent:
                self._stall(link, served)
                return False
            planned = self._planned(reply, asked)
            served.events = planned.events
            fixed = {"content-type": planned.content_type, "x-request-id": f"req_{asked.number}"}
            link.head(planned.status, {**fixed, **reply.headers}, planned.length)
            for step in planned.steps:
                if not self._do(link, step, served, reply.faults.get("speed")):
                    return False
        except ClientLeft:
            served.client_left = not self._stopping
            raise
        finally:
            served._ended.set()
        link.end()
        return True

    def _reply(self, asked: Asked) -> tuple[Served, Reply]:
        with self._changed:
            asked = replace(asked, number=len(self.requests) + 1)
            served = Served(asked)
            self.requests.append(asked)
            self.served.append(served)
            if self._function is None and self._script:
                return served, self._script.pop(0)
            if self._function is None:
                self.unexpected.append(asked)
        if self._function is not None:
            return served, self._function(asked)
        replies = plural(asked.number - 1, "reply", "replies")
        return served, _refused(f"request {asked.number} was not expected: the script has {replies}")

    def _planned(self, reply: Reply, asked: Asked) -> Plan:
        try:
            return plan(reply, asked)
        except (LookupError, ValueError) as error:
            self.problems.append(str(error))
            return plan(_refused(str(error)), asked)

    def _do(self, link: Link, step: Step, served: Served, speed: float | None) -> bool:
        """Carry out a step; False if the connection is over."""
        if isinstance(step, Write):
            link.write(step.data)
            served.sent += step.events
            if speed:
                link.wait(step.events / speed)
            return True
        if isinstance(step, Wait):
            step.gate.arrive()
            if link.wait(self._timeout, step.gate):
                return True
            self.problems.append(f"a gate was not opened in {self._timeout} s, after {plural(served.sent, 'event')}")
            return False
        if isinstance(step, Drop):
            link.close(step.how)
            return False
        self._stall(link, served)
        return False

    def _stall(self, link: Link, served: Served) -> None:
        link.wait(self._timeout)
        events = plural(served.sent, "event")
        self.problems.append(f"the client did not leave in {self._timeout} s of silence, after {events}")


def _refused(message: str) -> Reply:
    return body({"error": {"message": message, "type": "scripted_server", "param": None, "code": None}}, status=500)
