"""What spans, events and the metric are made by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from instructor._version import __version__
from instructor.core.types import Output
from instructor.mode import Mode
from instructor.observe import conventions
from instructor.observe.call import ObservedCall, type_name
from instructor.report import Report


class Instruments:
    """The tracer, the logger and the meter of one `enable`. It makes an observer for each call."""

    def __init__(self, version: int, content: bool, traces: Any, meters: Any, logs: Any) -> None:
        self.content, self.latest = content, conventions.wants_latest()
        scope, schema = "instructor", None if self.latest else conventions.OLDER_SCHEMA
        format_ = {"instructor.format": version}
        self.tracer = trace.get_tracer(scope, __version__, traces, schema, format_)
        self._logger = _logs.get_logger(scope, __version__, logs, schema, format_)
        self.interval = metrics.get_meter(scope, __version__, meters, schema, format_).create_histogram(
            "instructor.items.interval", "s", "The mean time between two items of a streamed list, once a call"
        )

    def call(
        self, output: Output, mode: Mode, report: Report, *, stream: bool, turns_key: str, binding: Any, is_row: bool
    ) -> ObservedCall:
        return ObservedCall(
            self, output, mode, report, stream=stream, turns_key=turns_key, binding=binding, is_row=is_row
        )

    def event(
        self, name: str, severity: int, attributes: Mapping[str, Any], body: Any = None, context: Any = None
    ) -> None:
        """Write a log event."""
        self._logger.emit(
            context=context,
            severity_number=_logs.SeverityNumber(severity),
            event_name=name,
            attributes=attributes,
            body=body,
        )

    @contextmanager
    def job(self, output: Output, report: Any) -> Iterator[None]:
        """Observe a bulk run while the context lasts: its span is current. `report` is its `BulkReport`."""
        name = type_name(output)
        with self.tracer.start_as_current_span(
            f"map {name}",
            kind=SpanKind.INTERNAL,
            attributes={"instructor.type": name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__qualname__))
                span.set_attribute("error.type", type(error).__qualname__)
                raise
            finally:
                span.set_attributes(
                    {
                        "instructor.rows.ok": report.ok,
                        "instructor.rows.failed": report.failed,
                        "instructor.rows.reused": report.reused,
                        "instructor.requests": report.attempts,
                        "instructor.usage.input_tokens": report.usage.input_tokens,
                        "instructor.usage.output_tokens": report.usage.output_tokens,
                        **({} if report.stopped is None else {"instructor.stopped": str(report.stopped)}),
                    }
                )
