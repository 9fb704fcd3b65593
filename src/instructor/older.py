"""Functions that programs for older versions import. The library itself does not use them.

`_compat.py` says under which old paths each of them is found. What has a better name now says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from typing_extensions import is_typeddict

from instructor import providers
from instructor.core.types import Call, Json, Message
from instructor.exceptions import ConfigurationError
from instructor.function_calls import read_response, response_schema
from instructor.mode import Mode
from instructor.outputs import item_of, output_for
from instructor.parsing import fuzzy
from instructor.providers.base import forget_warnings, is_awaitable
from instructor.providers.provider_enum import Provider

T = TypeVar("T")

HandlerType = Callable[..., Any]
"""A hook: any function."""
HookNameType = str
"""A hook's name: a `HookName` or its text."""
CompletionKwargsHandler = CompletionResponseHandler = CompletionErrorHandler = HandlerType
CompletionUsageHandler = ParseErrorHandler = HandlerType
KnownModelName = str
"""A model's name: "provider/model"."""

DEPRECATED_TO_CORE = {old: new for name in providers.built_in() for old, new in providers.load(name).legacy.items()}
"""The older names of modes, and the modes that they stand for."""

supported_providers = providers.names()
"""The names that `from_provider` knows."""

is_async = is_awaitable


def reset_deprecated_mode_warnings() -> None:
    """Warn of each older mode once more."""
    forget_warnings()


def is_typed_dict(kind: Any) -> bool:
    """Return whether a type is a TypedDict."""
    return is_typeddict(kind)


def is_simple_type(response_model: Any) -> bool:
    """Return whether a response model is one value without fields: `int`, a Literal, an enum, `list[int]` ..."""
    kind = item_of(response_model) or response_model
    return not (isinstance(kind, type) and (issubclass(kind, BaseModel) or is_typeddict(kind)))


def prepare_response_model(response_model: T) -> T:
    """Return the response model: every type is taken as it is."""
    return response_model


def disable_pydantic_error_url() -> None:
    """Leave the lines with URLs out of the texts of pydantic's validation errors, in this process."""
    ValidationError.__str__ = _without_urls  # type: ignore[method-assign, assignment]


def _without_urls(error: ValidationError) -> str:
    return "\n".join(line for line in repr(error).splitlines() if "https://errors.pydantic.dev" not in line)


_HOSTS = (
    ("azure", "AZURE_OPENAI"), ("localhost:11434", "OLLAMA"), ("x.ai", "XAI"), ("googleapis", "GOOGLE"),
    ("amazonaws", "BEDROCK"), ("generativelanguage", "GOOGLE"),
)  # fmt: skip
"""A part of an address, and the provider's name in `Provider`. The other providers are found by their own names."""


def get_provider(base_url: str) -> Any:
    """Return the provider whose API is at an address; `Provider.UNKNOWN` if no known one is."""
    url = str(base_url).lower()
    named = [(name.lower(), name) for name in sorted(Provider.__members__, key=len, reverse=True)]
    return Provider[next((name for part, name in (*_HOSTS, *named) if part in url), "UNKNOWN")]


def extract_json_from_codeblock(content: str) -> str:
    """Return the last JSON object or array of a text; the text itself if there is none."""
    found = fuzzy.values(content)
    return found[-1] if found else content


def extract_json_from_stream(chunks: Iterator[str]) -> Iterator[str]:
    """Yield the characters of the last JSON value of a text that comes in pieces."""
    yield from extract_json_from_codeblock("".join(chunks))


def extract_messages(kwargs: Mapping[str, Any]) -> Any:
    """Return the messages among the arguments of a request, by whichever name its API has for them."""
    return next((kwargs[name] for name in ("messages", "contents", "chat_history", "input") if name in kwargs), [])


def get_message_content(message: Message) -> list[Any]:
    """Return the content of a message as a list of its parts."""
    content = message.get("content") or []
    return [content] if isinstance(content, str) else list(content)


def dump_message(message: Any) -> Json:
    """Return an SDK's message as a dict that can be sent again."""
    dumped: Json = message if isinstance(message, dict) else message.model_dump(mode="json", exclude_none=True)
    return {"content": "", **dumped}


def merge_consecutive_messages(messages: Sequence[Message]) -> list[Json]:
    """Join messages that follow each other and have the same role."""
    merged: list[Json] = []
    for message in messages:
        before = merged[-1] if merged else {}
        texts = [each.get("content") for each in (before, message)]
        if before.get("role") != message["role"] or not all(isinstance(text, (str, list)) for text in texts):
            merged.append(dict(message))
        elif all(isinstance(text, str) for text in texts):
            before["content"] = "\n\n".join(map(str, texts))
        else:
            before["content"] = [part for text in texts for part in _parts(text)]
    return merged


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


class classproperty(Generic[T]):  # noqa: N801 - the name that programs import
    """A property of a class."""

    def __init__(self, method: Callable[[Any], T]) -> None:
        self.cproperty = method

    def __get__(self, instance: object, cls: type[Any]) -> T:
        return self.cproperty(cls)


def handle_response_model(
    response_model: Any, mode: Mode = Mode.TOOLS, provider: str = "openai", **kwargs: Any
) -> tuple[Any, Json]:
    """Return the response model, and the arguments of the request that asks for it. No request is sent.

    Example:
        >>> model, request = handle_response_model(User, mode=Mode.TOOLS, model="gpt-4o-mini", messages=messages)
        >>> completion = OpenAI().chat.completions.create(**request)
        >>> user = process_response(completion, response_model=User, mode=Mode.TOOLS)
    """
    row, chosen = providers.reading(getattr(provider, "value", provider), mode)
    dialect, messages = row.wire_for(chosen).dialect, kwargs.pop("messages", None) or []
    if response_model is None:
        return None, dialect.encode_plain(messages, kwargs)
    stream = bool(kwargs.pop("stream", False))
    call = Call(messages, output_for(response_model), chosen, options=kwargs, stream=stream)
    is_model = isinstance(response_model, type) and issubclass(response_model, BaseModel)
    return response_schema(response_model) if is_model else response_model, dict(dialect.encode(call).body)


def process_response(
    response: Any,
    *,
    response_model: Any,
    stream: bool = False,
    validation_context: Mapping[str, Any] | None = None,
    strict: bool | None = None,
    mode: Mode = Mode.TOOLS,
    provider: str = "openai",
) -> Any:
    """Return the validated answer that a complete response holds; the response itself without a `response_model`."""
    if stream:
        raise ConfigurationError(
            "process_response needs a complete response: a client's create(stream=True) reads streams."
        )
    if response_model is None:
        return response
    return read_response(response_model, response, validation_context, strict, mode, provider)
