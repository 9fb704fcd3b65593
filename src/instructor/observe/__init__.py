"""Traces by OpenTelemetry: a span for each call, one for each request below it, and events for what went wrong.

`enable` turns them on for all clients of this process. Without it nothing of this package is imported.
"""

from __future__ import annotations

from typing import Any

from instructor._install import install_command
from instructor.core import observer
from instructor.exceptions import ConfigurationError

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
    try:
        import opentelemetry.trace  # noqa: F401 - it is only looked for
    except ImportError as missing:
        raise ConfigurationError(f"Traces need OpenTelemetry's API: {install_command('otel')}") from missing
    from instructor.observe.instruments import Instruments

    observer.installed = Instruments(version, content, tracer_provider, meter_provider, logger_provider)


def disable() -> None:
    """Make no more spans. A call that runs already keeps its own."""
    observer.installed = None


def is_enabled() -> bool:
    """Return whether calls are observed."""
    return observer.installed is not None
