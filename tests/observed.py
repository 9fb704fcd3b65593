"""The real OpenTelemetry SDK, which keeps in memory what `instructor.observe` makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from instructor import observe


class Seen:
    """What was exported so far."""

    def __init__(self) -> None:
        self._spans, self._logs = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.traces, self.logger = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self.logger.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.tracer = self.traces.get_tracer("program")

    def enable(self, **options: Any) -> None:
        observe.enable(tracer_provider=self.traces, meter_provider=self.meters, logger_provider=self.logger, **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    @property
    def calls(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name.startswith("extract ")]

    @property
    def requests(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is SpanKind.CLIENT]

    @property
    def call(self) -> ReadableSpan:
        (span,) = self.calls
        return span

    @property
    def request(self) -> ReadableSpan:
        (span,) = self.requests
        return span

    @property
    def events(self) -> list[Any]:
        return [log.log_record for log in self._logs.get_finished_logs()]

    @property
    def intervals(self) -> list[Any]:
        """The points of the metric."""
        data = self.reader.get_metrics_data()
        found = [] if data is None else [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return [point for metric in found for point in metric.data.data_points]

    def everything(self) -> str:
        """Return all that was exported, as text."""
        return "\n".join([*(span.to_json() for span in self.spans), *(repr(vars(event)) for event in self.events)])


def named(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


def identity(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def parent(span: ReadableSpan) -> int | None:
    """Return the id of the span that a span is below; None for a root."""
    return None if span.parent is None else int(span.parent.span_id)


@contextmanager
def watching() -> Iterator[Seen]:
    """Let traces be made and kept, until the end."""
    seen = Seen()
    seen.enable()
    try:
        yield seen
    finally:
        observe.disable()
        seen.meters.shutdown()
        seen.traces.shutdown()
        seen.logger.shutdown()
