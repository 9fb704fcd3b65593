"""Traces by OpenTelemetry: a span for each call, one for each request below it, and events for what went wrong.

`enable` turns them on for all clients of this process. Without it nothing of this package is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from instructor._install import install_command
from instructor._version import __version__
from instructor.core import observer
from instructor.core.types import Output
from instructor.exceptions import ConfigurationError
from instructor.mode import Mode
from instructor.report import Report

try:
    from opentelemetry import _logs, metrics, trace
    from opentelemetry.trace import SpanKind, Status, StatusCode
except ImportError as missing:
    raise ConfigurationError(f"Traces need OpenTelemetry's API: {install_command('otel')}") from missing

from instructor.observe import conventions
from instructor.observe.call import ObservedCall, type_name

__all__ = ["VERSIONS", "disable", "enable", "is_enabled"]

VERSIONS = (1,)
"""The versions of the format: the names of our spans, events and attributes. They change only with a new version."""


def enable(
    version: int = 1,
    *,
    content: bool = False,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    logger_provider: Any = None,
) -> None:
    """Make spans of all calls of this process from now on. A call that runs already is not observed.

    Spans go where the program has set up OpenTelemetry to send them. The requests' spans have the names of version 1.36
    of the conventions for generative AI, or the newest ones if the variable `OTEL_SEMCONV_STABILITY_OPT_IN` has
    `gen_ai_latest_experimental`. It is read now.

    Args:
        version: The version of our own names (`instructor.*`).
        content: Whether messages, answers and wrong items are written, too. They may hold personal data. What looks
            like a key is hidden.
        tracer_provider: Where spans go. None: the global provider, as for the two others.
        meter_provider: Where the metric goes.
        logger_provider: Where events go.

    Raises:
        ConfigurationError: The version is not known, or `opentelemetry-api` is not installed.

    Example:
        >>> instructor.observe.enable(version=1)
    """
    if type(version) is not int or version not in VERSIONS:
        known = ", ".join(map(str, VERSIONS))
        raise ConfigurationError(f"version must be one of {known}, got {version!r}.")
    if type(content) is not bool:
        raise ConfigurationError(f"content must be True or False, got {content!r}.")
    observer.installed = Instruments(version, content, tracer_provider, meter_provider, logger_provider)


def disable() -> None:
    """Make no more spans. A call that runs already keeps its own."""
    observer.installed = None


def is_enabled() -> bool:
    """Return whether calls are observed."""
    return observer.installed is not None


class Instruments:
    """What spans, events and the metric are made by. It makes an observer for each call."""

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
