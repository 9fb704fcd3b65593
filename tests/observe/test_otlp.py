"""Traces over the wire: the real exporter sends them by OTLP to a receiver on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic import BaseModel

from harness import Harness, asking
from instructor import observe
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


class Receiver:
    """Takes what is exported."""

    def __init__(self) -> None:
        self.received: dict[str, list[bytes]] = {}
        received = self.received

        class Takes(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.setdefault(self.path, []).append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
                """Write nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


async def test_spans_and_events_arrive(harness: Harness, scripted_server: Any, receiver: Receiver) -> None:
    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(receiver.url("/v1/traces"), compression=None)))
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(receiver.url("/v1/logs"))))
    observe.enable(tracer_provider=traces, logger_provider=logs)
    try:
        client = harness.client(scripted_server([answer([{"name": "Ann"}]), answer([{"name": "Ann", "age": 1}])]))
        await harness.items(client.create_iterable(**asking(response_model=User)))
    finally:
        observe.disable()
        traces.shutdown()
        logs.shutdown()
    sent = [ExportTraceServiceRequest.FromString(body) for body in receiver.received["/v1/traces"]]
    scopes = [scope for each in sent for resource in each.resource_spans for scope in resource.scope_spans]
    spans = [span for scope in scopes for span in scope.spans]
    assert {scope.scope.name for scope in scopes} == {"instructor"}
    assert [span.name for span in spans] == ["chat scripted", "chat scripted", "extract User"]
    *requests, call = spans
    assert {span.parent_span_id for span in requests} == {call.span_id}
    assert {span.trace_id for span in spans} == {call.trace_id}
    (usage,) = [each for each in requests[0].attributes if each.key == "gen_ai.usage.input_tokens"]
    assert usage.value.int_value > 0
    (counts,) = [each.value.int_value for each in call.attributes if each.key == "instructor.items.repaired"]
    assert counts == 1
    written = [ExportLogsServiceRequest.FromString(body) for body in receiver.received["/v1/logs"]]
    events = [
        event
        for each in written
        for resource in each.resource_logs
        for scope in resource.scope_logs
        for event in scope.log_records
    ]
    assert [event.event_name for event in events] == ["instructor.item.bad", "instructor.item.repaired"]
    assert {event.span_id for event in events} == {call.span_id}
