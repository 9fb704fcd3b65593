"""What can go wrong, as one tree.

    InstructorError
    ├── ConfigurationError            wrong arguments, found before any request is sent
    │   ├── ModeError                 a mode that this provider has not
    │   └── ClientError               a client of the wrong kind
    ├── ResponseParsingError          a reply that is not what was asked for (also a ValueError)
    │   ├── RefusalError              the model declined to answer
    │   └── EventTooLargeError        an event of a stream is longer than `max_event_bytes`
    ├── ProviderError                 the provider reported an error inside a reply
    ├── IncompleteOutputException     the reply was cut: length limit, dropped connection, no terminal event
    └── InstructorRetryException      all attempts failed; `__cause__` is the last error

A request that fails in the SDK raises an error that is both the SDK's own type and an InstructorRetryException.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from instructor import _aliases

if TYPE_CHECKING:
    from typing_extensions import Self

    from instructor.report import FailedItem, Report
    from instructor.usage import Usage


_LASTING = re.compile(
    r"\b(?:401|402|403|429)\b|quota|billing|credit|balance|api.?key|unauthori[sz]ed|authenticat|permission|forbidden"
    r"|rate.?limit|too many requests",
    re.IGNORECASE,
)
"""Words, and HTTP's codes, of what asking again at once cannot mend. The SDK waits and repeats where that is of use."""
_CODES = ("code", "type", "status", "status_code", "http_code")


class FailedAttempt(NamedTuple):
    """One attempt that failed: its number (from 1), why, and the response it failed on."""

    attempt_number: int
    exception: Exception
    completion: Any = None


class InstructorError(Exception):
    """The root of all errors that are this library's own."""

    failed_attempts: Sequence[FailedAttempt] = ()
    lasting: bool = False
    """Whether it will come again, however often the model is asked."""
    _besides: type[Exception] | None = None
    """What it is, too, where `joined_failure` made it."""

    @classmethod
    def from_exception(cls, exception: Exception, failed_attempts: Sequence[FailedAttempt] | None = None) -> Self:
        """Make an error of this type that says what another one does."""
        made = cls(str(exception))
        made.failed_attempts = list(failed_attempts or ())
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Be told in another process. An SDK's own objects, a response that holds the key, say, are None there."""
        foreign = self._besides is not None and not issubclass(self._besides, InstructorError)
        told = {
            name: None if foreign and name not in _Ended.TOLD and not _is_plain(value) else _portable(value)
            for name, value in vars(self).items()
        }
        return _again, (self._besides or type(self), self._besides is not None, self.args), told


class ConfigurationError(InstructorError):
    """Arguments that cannot work, found before any request is sent."""


class ModeError(ConfigurationError):
    """A mode that this provider has not."""

    def __init__(self, mode: str, provider: str, valid_modes: Sequence[str]) -> None:
        self.mode, self.provider, self.valid_modes = mode, provider, list(valid_modes)
        known = ", ".join(f"Mode.{name}" for name in self.valid_modes)
        super().__init__(f"{provider} has no mode {mode!r}; it has {known}.")


class ClientError(ConfigurationError):
    """A client of the wrong kind."""


class ResponseParsingError(InstructorError, ValueError):
    """A reply that is not what was asked for; `text` holds what came, `raw_response` the SDK's object."""

    def __init__(self, message: str, *, text: str = "", mode: str | None = None, raw_response: Any = None) -> None:
        self.text, self.mode, self.raw_response = text, mode, raw_response
        super().__init__(message)


class RefusalError(ResponseParsingError):
    """The model declined to answer; `text` holds its words."""


def is_lasting(error: Exception | None) -> bool:
    """Whether an error will come again, however often the model is asked."""
    return isinstance(error, InstructorError) and error.lasting


class EventTooLargeError(ResponseParsingError):
    """An event of a stream is longer than the client's `max_event_bytes`."""

    lasting = True


class ProviderError(InstructorError):
    """The provider reported an error inside a reply; `body` is its report.

    It is `lasting` if asking again cannot help: no permission, no credit, too many requests.
    """

    def __init__(self, provider: str, message: str, body: Any = None) -> None:
        self.provider, self.body = provider, body
        known = [body.get(key) for key in _CODES] if isinstance(body, Mapping) else []
        self.lasting = _LASTING.search(" ".join(map(str, (message, *known)))) is not None
        super().__init__(f"{provider}: {message}")


class _Ended(InstructorError):
    """What an extraction that ended without its whole answer knows."""

    TOLD = (
        "last_completion", "n_attempts", "total_usage", "create_kwargs", "failed_attempts", "failed_items", "report",
        "items",
    )  # fmt: skip

    _unsaid: tuple[str, ...] = ()

    def __init__(
        self,
        *said: object,
        last_completion: Any = None,
        messages: Sequence[Any] | None = None,
        n_attempts: int = 0,
        total_usage: Usage | None = None,
        create_kwargs: dict[str, Any] | None = None,
        failed_attempts: Sequence[FailedAttempt] | None = None,
        failed_items: Sequence[FailedItem] = (),
        report: Report | None = None,
        text: str = "",
    ) -> None:
        self.last_completion, self.n_attempts, self.total_usage = last_completion, n_attempts, total_usage
        self.create_kwargs = {**(create_kwargs or {}), **({} if messages is None else {"messages": messages})}
        self.failed_attempts = list(failed_attempts or ())
        self.failed_items, self.report, self.text = list(failed_items), report, text
        self.items: list[Any] = []
        Exception.__init__(self, *(said or self._unsaid))

    @property
    def messages(self) -> list[Any]:
        """The conversation of the last request."""
        body = self.create_kwargs or {}
        return list(body.get("messages") or body.get("input") or body.get("contents") or [])


class IncompleteOutputException(_Ended):
    """The reply was cut; what was good was delivered, or is in `items`. `failed_items` and `report` tell the rest."""

    _unsaid = ("The reply was cut before its end.",)


class InstructorRetryException(_Ended):
    """All attempts failed; `__cause__` is the last error, `failed_attempts` lists them all.

    `items` are those of a list that were good; empty where a stream handed them out.
    """


@lru_cache(maxsize=64)
def _also(kind: Any) -> type[InstructorRetryException]:
    """Make the type that is both `kind` and InstructorRetryException, so that either `except` clause works."""
    told: dict[str, Any] = {"__module__": kind.__module__, "__doc__": kind.__doc__, "_besides": kind}
    if type(kind.__str__) is type(Exception.__str__):  # made in C, of what only its own constructor knows
        told["__str__"] = Exception.__str__
    try:
        return type(kind.__name__, (InstructorRetryException, kind), told)
    except TypeError:  # two C layouts that cannot be joined: an OSError, say
        return InstructorRetryException


def _again(kind: Any, joined: bool, args: tuple[Any, ...]) -> Exception:
    """Make an error anew as it was; its attributes are set after that."""
    made = _also(kind) if joined else kind
    again: Exception = made.__new__(made, *args)
    return again


def _portable(value: Any) -> Any:
    """Give what another process can have of a value: of an SDK's error one of ours, of what cannot be sent None."""
    if isinstance(value, list):
        return [_portable(part) for part in value]
    if isinstance(value, FailedAttempt):
        return value._replace(exception=_portable(value.exception), completion=_portable(value.completion))
    forms = [value]
    if isinstance(value, Exception) and not isinstance(value, InstructorError):
        sdks = not all(map(_is_plain, vars(value).values()))
        forms = [joined_failure(value) if sdks else value, InstructorRetryException(str(value))]
    return next(filter(_can_be_sent, forms), None)


def _can_be_sent(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - its own
    except Exception:  # whatever the classes of others raise
        return False
    return True


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bytes, dict, list, tuple))


def joined_failure(cause: Exception, **known: Any) -> InstructorRetryException:
    """Wrap an error that nothing can be done about: catchable as its own type, with its attributes, and as ours."""
    kind: Any = type(cause)
    wrapped = _also(kind)(str(cause), **known)
    for name, value in vars(cause).items():
        if not wrapped.__dict__.get(name) and not name.startswith("__"):
            wrapped.__dict__[name] = value
    wrapped.__cause__ = cause
    return wrapped


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        return _aliases.older(__name__, name)
