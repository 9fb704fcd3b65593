"""A scripted provider that speaks xAI's gRPC: what `Scripted` is for HTTP, with the same scripts and faults."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NoReturn

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from typing_extensions import Self
from xai_sdk.proto import chat_pb2, chat_pb2_grpc

from instructor.testing import Reply, Served, error
from instructor.testing.faults import Drop, Stall, Wait, Write, plan, taken
from instructor.testing.replies import Asked

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
}


class ScriptedGrpc(chat_pb2_grpc.ChatServicer):  # type: ignore[misc]  # the SDK has no types
    """Serve a script on loopback: a reply for each request, in the order of their coming, or what a function gives."""

    def __init__(self, replies: Iterable[Reply] | Callable[[Asked], Reply] = ()) -> None:
        self._function = replies if callable(replies) else None
        self._script = [] if callable(replies) else list(replies)
        self._changed = threading.Condition()
        self._open = 0
        self.requests: list[Asked] = []
        self.served: list[Served] = []
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        self._server = grpc.server(ThreadPoolExecutor(8))
        chat_pb2_grpc.add_ChatServicer_to_server(self, self._server)
        self.root = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()
        if self.problems and kind is None:
            raise AssertionError("the scripted server: " + "; ".join(self.problems))

    def add(self, *replies: Reply) -> None:
        """Append to the script."""
        self._script += replies

    def wait_closed(self, timeout: float = 30.0) -> None:
        """Block until no call is open."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._open, timeout):
                raise AssertionError(f"{self._open} calls are still open after {timeout} s")

    def GetCompletion(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's own name
        return next(self._serve("GetCompletion", request, context, chat_pb2.GetChatCompletionResponse))

    def GetCompletionChunk(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the service's own name
        return self._serve("GetCompletionChunk", request, context, chat_pb2.GetChatCompletionChunk)

    def _serve(self, method: str, request: Any, context: Any, kind: Any) -> Iterator[Any]:
        served, reply = self._begun(method, request, context)
        reply = taken(reply, served.asked)
        planned = plan(reply, served.asked)
        served.events = planned.events
        if planned.status >= 400:
            self._abort(context, served, CODES[planned.status], reply.message)
        if planned.steps and not isinstance(planned.steps[0], Drop):  # which the SDK would make again
            context.send_initial_metadata([("x-request-id", f"req_{served.asked.number}")])
        rest = b""  # of a line: writes end anywhere, messages of gRPC are whole
        for step in planned.steps:
            if isinstance(step, Write):
                *lines, rest = (rest + step.data).split(b"\n")
                for line in filter(None, lines):
                    yield self._message(json.loads(line), kind, context, served)
                    served.sent += 1
            elif isinstance(step, Wait):
                step.gate.arrive()
                while context.is_active() and not step.gate.passed():
                    select.select([step.gate.receiver], [], [], 0.02)
            elif isinstance(step, Stall):
                while context.is_active():
                    select.select([], [], [], 0.02)
            elif isinstance(step, Drop):
                self._abort(context, served, grpc.StatusCode.UNAVAILABLE, "The connection was lost.")
        if rest:
            yield self._message(json.loads(rest), kind, context, served)

    def _begun(self, method: str, request: Any, context: Any) -> tuple[Served, Reply]:
        body = MessageToDict(request, preserving_proto_field_name=True)
        with self._changed:
            path, raw = f"/xai_api.Chat/{method}", json.dumps(body).encode()
            served = Served(Asked(len(self.requests) + 1, "POST", path, "", {}, body, raw))
            self.requests.append(served.asked)
            self.served.append(served)
            self._open += 1
            if self._function is None and not self._script:
                self.problems.append(f"request {served.asked.number} was not expected")
                reply = error(500)
            else:
                reply = self._script.pop(0) if self._function is None else self._function(served.asked)
        context.add_callback(lambda: self._ended(served, context))
        return served, reply

    def _ended(self, served: Served, context: Any) -> None:
        with self._changed:
            served.client_left = context.code() is None and served.sent < served.events
            served._ended.set()
            self._open -= 1
            self._changed.notify_all()

    def _message(self, wire: dict[str, Any], kind: Any, context: Any, served: Served) -> Any:
        if "status" in wire:
            self._abort(context, served, CODES[wire["status"]], wire["message"])
        return ParseDict(wire, kind())

    def _abort(self, context: Any, served: Served, code: grpc.StatusCode, message: str) -> NoReturn:
        context.abort(code, message)
        raise AssertionError("abort does not return")
