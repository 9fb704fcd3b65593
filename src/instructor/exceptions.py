"""The errors of this library, as one tree.

    InstructorError
    ├── ConfigurationError            wrong arguments, found before any request is sent
    │   ├── ModeError                 a mode that this provider does not have
    │   ├── ClientError               a client of the wrong kind
    │   └── MultimodalError           an image, audio or a PDF that cannot be used (also a ValueError)
    ├── ResponseParsingError          a reply that is not what was requested (also a ValueError)
    │   ├── RefusalError              the model declined to answer
    │   └── EventTooLargeError        an event of a stream is longer than `max_event_bytes`
    ├── ValidationError               a value is not valid; for the user's own validators (also a ValueError)
    │   └── AsyncValidationError      asynchronous validators found faults; `errors` lists them
    ├── ProviderError                 the provider reported an error inside a reply
    ├── IncompleteOutputException     the reply was cut: length limit, dropped connection, no terminal event
    └── InstructorRetryException      all attempts failed; `__cause__` is the last error
        └── TokenBudgetError          `token_budget` ended the call
            ├── TokenBudgetExceeded          its tokens are spent
            └── TokenUsageUnavailableError   the provider does not report its tokens

A request that fails in the SDK raises an error that is both the SDK's own type and an InstructorRetryException.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from types import BuiltinFunctionType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, NamedTuple

from instructor import _compat

if TYPE_CHECKING:
    from typing_extensions import Self

    from instructor.report import FailedItem, Report
    from instructor.usage import Usage


_LASTING = re.compile(
    r"(?:^|code|status|http|error)\W{0,3}(?:401|402|403|429)\b|quota|billing|credits\b|credit balance|api.?key"
    r"|forbidden|insufficient.(?:balance|credit|fund)|account balance|arrears|unauthori[sz]ed|authenticat|permission"
    r"|rate.?limit|too many requests",
    re.IGNORECASE,
)
"""Words and HTTP codes of errors that another request cannot correct. The SDK itself retries where that helps."""
_CODES = ("code", "type", "status", "status_code", "http_code")


class FailedAttempt(NamedTuple):
    """A failed attempt: its number (from 1), its exception and its response."""

    attempt_number: int
    exception: Exception
    completion: Any = None


class InstructorError(Exception):
    """The base class of all errors of this library. Its text ends with the failed attempts, if there are any."""

    failed_attempts: Sequence[FailedAttempt] = ()
    lasting: bool = False
    """Whether another request would fail in the same way."""

    def __init__(self, *args: object, failed_attempts: Sequence[FailedAttempt] | None = None) -> None:
        self.failed_attempts = list(failed_attempts or ())
        Exception.__init__(self, *args)  # not super(): an SDK's class may come next

    def __str__(self) -> str:
        return Exception.__str__(self) + _listed(self.failed_attempts)

    @classmethod
    def from_exception(cls, exception: Exception, failed_attempts: Sequence[FailedAttempt] | None = None) -> Self:
        """Return an error of this type with the message of another one."""
        return cls(str(exception), failed_attempts=failed_attempts)

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling."""
        return _again, (type(self), self.args), {name: _portable(value) for name, value in vars(self).items()}


_SHOWN = 200
"""How many characters of a failed attempt's response an error's text has. All of it is in `failed_attempts`."""


def _listed(attempts: Sequence[FailedAttempt]) -> str:
    """Return the failed attempts as the text of an error lists them, and the last exception."""
    if not attempts:
        return ""
    lines = [
        f'<generation number="{each.attempt_number}">\n<exception>\n{_text_of(each.exception)}\n</exception>\n'
        f"<completion>\n{_shortened(each.completion)}\n</completion>\n</generation>"
        for each in attempts
    ]
    last = f"<last_exception>\n{_text_of(attempts[-1].exception)}\n</last_exception>"
    return "\n".join(["", "<failed_attempts>", *lines, "</failed_attempts>", last])


def _shortened(completion: Any) -> str:
    text = completion if isinstance(completion, str) else repr(completion)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


class ConfigurationError(InstructorError):
    """The arguments are wrong. This is found before any request is sent."""


class ArgumentsError(ConfigurationError, TypeError):
    """Arguments that the SDK's function does not take, or the want of one that it must have."""


class TokenBudgetTypeError(ConfigurationError, TypeError):
    """`token_budget` is not a number."""


class TokenBudgetValueError(ConfigurationError, ValueError):
    """`token_budget` is a number that cannot be a budget, or has nothing to bound."""


class ModeError(ConfigurationError):
    """A mode that this provider does not have."""

    def __init__(self, mode: str, provider: str, valid_modes: Sequence[str], **more: Any) -> None:
        self.mode, self.provider, self.valid_modes = mode, provider, list(valid_modes)
        known = [f"Mode.{name}" for name in self.valid_modes]
        hint = _compat.did_you_mean(f"Mode.{mode.removeprefix('Mode.').upper()}", known)
        super().__init__(f"The mode of {provider} must be one of {', '.join(known)}, got {mode!r}.{hint}", **more)


class ClientError(ConfigurationError):
    """A client of the wrong kind."""


class MultimodalError(ConfigurationError, ValueError):
    """An image, audio or a PDF that cannot be used."""

    def __init__(
        self, message: str = "", *, content_type: str | None = None, file_path: str | None = None, **known: Any
    ) -> None:
        self.content_type, self.file_path = content_type, file_path
        super().__init__(message, **known)


class RemoteFetchError(MultimodalError):
    """An image, audio or a PDF was not fetched: its address is not public, or does not answer as it should."""


class ValidationError(InstructorError, ValueError):
    """A value is not valid. A validator of the user's may raise it: pydantic takes it as a ValueError.

    What a call raises if an answer stays invalid is an InstructorRetryException, whose cause is pydantic's own error.
    """


class AsyncValidationError(ValidationError):
    """Asynchronous validators found faults. `errors` has all of them."""

    def __init__(self, *args: object, errors: Sequence[Exception] = (), **known: Any) -> None:
        self.errors = list(errors)
        super().__init__(*args, **known)


class ResponseParsingError(InstructorError, ValueError):
    """The reply is not what was requested. `text` is the reply, `raw_response` the SDK's object."""

    def __init__(
        self,
        message: str = "",
        *,
        text: str = "",
        mode: str | None = None,
        raw_response: Any = None,
        failed_attempts: Sequence[FailedAttempt] | None = None,
    ) -> None:
        self.text, self.mode, self.raw_response = text, mode, raw_response
        super().__init__(message, failed_attempts=failed_attempts)


class RefusalError(ResponseParsingError):
    """The model declined to answer. `text` holds its words."""


def is_lasting(error: Exception | None) -> bool:
    """Return whether another request would fail in the same way."""
    return isinstance(error, InstructorError) and error.lasting


class EventTooLargeError(ResponseParsingError):
    """An event of a stream is longer than the client's `max_event_bytes`."""

    lasting = True


class ProviderError(InstructorError):
    """The provider reported an error inside a reply. `body` is its report.

    It is `lasting` if another request cannot help: no permission, no credit, too many requests.
    """

    def __init__(self, provider: str, message: str, body: Any = None, **known: Any) -> None:
        self.provider, self.body = provider, body
        codes = [body[key] for key in _CODES if key in body] if isinstance(body, Mapping) else []
        self.lasting = any(_LASTING.search(str(each)) for each in (message, *codes))
        super().__init__(f"{provider}: {message}", **known)


class _Ended(InstructorError):
    """The base class of errors for a call that ended without its complete answer."""

    FIELDS = (
        "last_completion", "messages", "n_attempts", "total_usage", "create_kwargs", "failed_attempts", "failed_items",
        "report", "items",
    )  # fmt: skip

    _default_args: tuple[str, ...] = ()

    def __init__(
        self,
        *args: object,
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
        self.create_kwargs = create_kwargs or ({} if messages is None else {"messages": messages})
        self.messages: list[Any] = list(self.create_kwargs.get("messages") or () if messages is None else messages)
        """The conversation of the last request."""
        self.failed_items, self.report, self.text = list(failed_items), report, text
        self.items: list[Any] = []
        InstructorError.__init__(self, *(args or self._default_args), failed_attempts=failed_attempts)


class IncompleteOutputException(_Ended):
    """The reply was cut off. Its valid items were delivered, or are in `items`. See `failed_items` and `report`."""

    _default_args = ("The reply was cut before its end.",)

    def __init__(self, *args: object, message: str | None = None, **known: Any) -> None:
        super().__init__(*(args if message is None else (message,)), **known)


class InstructorRetryException(_Ended):
    """All attempts failed. `__cause__` is the last error, `failed_attempts` lists all of them.

    `items` are the valid items of a list. It is empty if a stream delivered them.
    """


class TokenBudgetError(InstructorRetryException):
    """`token_budget` ended the call. `budget` is its value."""

    def __init__(self, *args: object, budget: int = 0, **known: Any) -> None:
        self.budget = budget
        super().__init__(*args, **known)


class TokenBudgetExceeded(TokenBudgetError):
    """The tokens of `token_budget` are spent, and no valid answer came."""


class TokenUsageUnavailableError(TokenBudgetError):
    """The provider does not report its tokens, so that `token_budget` cannot be kept."""


class _Joined(InstructorRetryException):
    """An error that is also of the SDK's class. No code of that class runs to make it, or to use our attributes."""

    _besides: type[Exception] = Exception
    """The SDK's class."""
    _way: _Way

    def __init_subclass__(cls) -> None:
        """Do not let an SDK's class forbid subclasses."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __setstate__(self, state: Mapping[str, Any] | None) -> None:
        for name, value in (state or {}).items():
            with suppress(AttributeError):  # read-only, as an ExceptionGroup's message is: it has been made with it
                object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling. An SDK's own objects are None in the copy: a response may hold the key."""
        foreign = not issubclass(self._besides, InstructorError)
        facts = {**_members(self, self._besides), **vars(self)}
        way = _Way(facts.pop("_way").name, _portable(self._way.arguments))
        state = {
            name: None if foreign and name not in self.FIELDS and not _is_plain(value) else _portable(value)
            for name, value in facts.items()
        }
        return _again_joined, (self._besides, self.args, tuple(way)), state


class _Way(NamedTuple):
    """How an error of an SDK's class is made: by a method of the class, or by its `__new__` if `name` is empty."""

    name: str
    arguments: tuple[Any, ...]


@lru_cache(maxsize=64)
def _also(kind: Any) -> type[_Joined] | None:
    """Return a type that is both `kind` and InstructorRetryException, so that either `except` clause works."""
    ours = dict.fromkeys((*_Ended.FIELDS, "text"))  # before any property of that name
    namespace: dict[str, Any] = {**ours, "__module__": kind.__module__, "__doc__": kind.__doc__, "_besides": kind}
    try:
        return type(kind.__name__, (_Joined, kind), namespace)
    except Exception:  # two C layouts that cannot be joined, or a metaclass that refuses
        return None


def _blank(kind: Any, ways: Sequence[_Way]) -> _Joined | None:
    """Return a new joined error in which only the fields of C types are set, or None if no way works."""
    joined = _also(kind)
    return None if joined is None else next(filter(None, (_by(way, joined, kind) for way in ways)), None)


def _by(way: _Way, made: Any, kind: Any) -> _Joined | None:
    builtin: Any = next(each for each in kind.__mro__ if isinstance(vars(each).get("__new__"), BuiltinFunctionType))
    try:
        blank: Any = getattr(made, way.name)(*way.arguments) if way.name else builtin.__new__(made, *way.arguments)
    except Exception:  # whatever the classes of others raise
        return None
    if type(blank) is not made:
        return None
    blank.__dict__["_way"] = way
    joined: _Joined = blank
    return joined


def _ways(cause: Exception) -> list[_Way]:
    """Return the ways to make an error like another one: as pickle does (pydantic needs this), or by `__new__`."""
    ways = [_Way("", cause.args), _Way("", ())]
    try:
        reduced: Any = cause.__reduce__()
        maker, arguments = reduced[:2]
    except Exception:  # whatever the classes of others raise
        return ways
    if getattr(maker, "__self__", None) is type(cause):
        ways.insert(0, _Way(maker.__name__, tuple(arguments)))
    return ways


def _members(error: Exception, kind: type[Exception]) -> dict[str, Any]:
    """Return the attributes that are not in a `__dict__`: those of slots, and of C errors such as OSError."""
    names = {
        name: None
        for each in kind.__mro__[: kind.__mro__.index(Exception)]
        for name, value in vars(each).items()
        if isinstance(value, MemberDescriptorType) and not name.startswith("__")
    }
    return {name: getattr(error, name) for name in names if hasattr(error, name)}


def _again(kind: Any, args: tuple[Any, ...]) -> Exception:
    """Return the error that pickle reads. Pickle sets its attributes after that."""
    again: Exception = kind.__new__(kind, *args)
    return again


def _again_joined(kind: Any, args: tuple[Any, ...], way: tuple[str, Any]) -> Exception:
    again: Exception = _blank(kind, [_Way(*way), _Way("", ())]) or InstructorRetryException()
    again.args = args
    return again


def _portable(value: Any) -> Any:
    """Return a value in a form that can be pickled: an SDK's error as one of ours, and None for what has no form."""
    if type(value) in (list, tuple):
        return type(value)(map(_portable, value))
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
    """Return an error that can be caught as the type of `cause`, with its attributes, and as ours."""
    kind: Any = type(cause)
    wrapped = _blank(kind, _ways(cause))
    if wrapped is None:
        failed = InstructorRetryException(_text_of(cause), **known)
        failed.__cause__ = cause
        return failed
    InstructorRetryException.__init__(wrapped, _text_of(cause), **known)
    ours = wrapped.__dict__
    theirs = {**_members(cause, kind), **vars(cause)}
    wrapped.__setstate__({n: value for n, value in theirs.items() if not ours.get(n) and not n.startswith("__")})
    wrapped.__cause__ = cause
    return wrapped


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # whatever the classes of others raise
        return type(error).__name__


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        return _compat.older(__name__, name)
