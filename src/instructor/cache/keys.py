"""The key of a request: it changes whenever the answer could, and is the same for requests that mean the same.

In it are the provider, the address of its API, the whole body (model, messages, tools, every option of the answer), the
schema in its own order, the code of the validators, context and strictness. Not in it are keys of APIs and options of
the transport, such as a timeout. A value that cannot be compared is refused.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import hashlib
import inspect
import json
import types
import uuid
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import PurePath
from typing import Any, get_args

from pydantic import BaseModel

from instructor.core.types import Json
from instructor.exceptions import ConfigurationError

_VERSION = 1
_TRANSPORT = frozenset(("timeout", "extra_headers", "api_key", "max_retries", "http_client"))
"""Arguments of a request that are not about its answer. Headers are looked at one by one."""
_HEADERS_OF_TRANSPORT = (
    "authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie", "user-agent", "baggage", "traceparent",
    "tracestate", "x-request-id", "x-correlation-id", "idempotency-key",
)  # fmt: skip
_FAMILIES_OF_TRANSPORT = ("x-stainless-", "x-trace", "x-b3-", "x-datadog-")
_LEFT_OUT = ("NotGiven", "Omit", "Unset", "UnsetType")
"""Classes by which SDKs say that an argument was not passed."""
_PLACES = (
    "base_url", "meta.endpoint_url", "meta.region_name", "sdk_configuration.server_url", "_client_wrapper._base_url",
    "_api_client._http_options.base_url", "_api_client.vertexai", "_api_client.project", "_api_client.location",
    "_custom_query", "_api_channel._channel._target", "_api_channel._channel.target",
)  # fmt: skip
"""Where SDKs' clients have what decides which model answers."""


def request_key(
    body: Mapping[str, Any],
    *,
    provider: str,
    client: Any,
    mode: Any,
    schema: Any,
    kind: Any,
    context: Any,
    strict: Any,
    stream: bool,
    namespace: str,
) -> str:
    """Return the key of a call whose first request has this body.

    Raises:
        ConfigurationError: A value of the request cannot be compared.
    """
    parts = {
        "version": _VERSION,
        "provider": provider,
        "client": client_cache_identity(client),
        "namespace": namespace,
        "mode": getattr(mode, "name", mode),
        "body": {name: value for name, value in body.items() if name not in _TRANSPORT},
        "headers": _headers(body.get("extra_headers")),
        "context": context,
        "strict": strict,
        "stream": stream,
    }
    text = json.dumps(_plain(parts, ""), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    ordered = json.dumps(_plain(schema, "schema"))  # the order of fields is the order in which a model writes them
    return hashlib.sha256("\n".join((text, ordered, validators_of(kind))).encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Any, place: str = "") -> str:
    """Return a value as JSON text that is the same however the value is written; `place` names it in an error."""
    return json.dumps(_plain(value, place), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def about_answers(options: Mapping[str, Any]) -> Json:
    """Return those arguments of a request that its answer depends on: not its timeout, nor its keys."""
    kept = {name: value for name, value in options.items() if name not in _TRANSPORT}
    return {**kept, "extra_headers": _headers(options.get("extra_headers"))}


def client_cache_identity(client: Any) -> Json:
    """Return what of an SDK's client decides which model answers: its address and its own headers, but no key.

    Of a function that is called instead of a client it is the name.
    """
    if inspect.isroutine(client):
        return {"function": _name(client)}
    found: Json = {}
    for path in _PLACES:
        value = client
        for name in path.split("."):
            value = getattr(value, name, None)
        if isinstance(value, bytes):
            value = value.decode()
        if isinstance(value, (Mapping, str, bool)) or type(value).__name__ == "URL":
            found[path.replace("._", ".").lstrip("_")] = dict(value) if isinstance(value, Mapping) else str(value)
    found["headers"] = _headers(getattr(client, "_custom_headers", None))
    return found


def _headers(headers: Any) -> Json:
    if not isinstance(headers, Mapping):
        return {}
    return {
        low: value
        for name, value in headers.items()
        if (low := str(name).lower()) not in _HEADERS_OF_TRANSPORT and not low.startswith(_FAMILIES_OF_TRANSPORT)
    }


def _plain(value: Any, place: str) -> Any:
    """Return a value as JSON that is the same however the value is written."""
    if value is None or isinstance(value, (bool, int, str)):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {
            str(name): _plain(part, f"{place}.{name}" if place else str(name))
            for name, part in value.items()
            if type(part).__name__ not in _LEFT_OUT
        }
    if isinstance(value, (list, tuple)):
        parts = [_plain(part, f"{place}[{index}]") for index, part in enumerate(value)]
        only = parts[0] if len(parts) == 1 else None
        if isinstance(only, dict) and only.keys() == {"type", "text"} and only["type"] == "text":
            return only["text"]  # a text that is written as a list of one part
        return parts
    return _opaque(value, place)


def _opaque(value: Any, place: str) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(part, place) for part in value), key=json.dumps)
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="python", exclude_unset=True), place)
    if isinstance(value, enum.Enum):
        return _plain(value.value, place)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"class": _name(type(value)), **_plain(dataclasses.asdict(value), place)}
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID, PurePath)):
        return {type(value).__name__: str(value)}
    if isinstance(value, type) and issubclass(value, BaseModel):
        return {"class": _name(value), "schema": value.model_json_schema(), "validators": validators_of(value)}
    if type(value).__name__ == "SimpleNamespace":
        return _plain(vars(value), place)
    raise ConfigurationError(
        f"A cache cannot tell {place or 'the value'} apart from others: it is a {_name(type(value))}, and must be made "
        "of str, numbers, lists, dicts or pydantic models. Pass cache=None to this call."
    )


def _name(cls: Any) -> str:
    return f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', cls)}"


@lru_cache(maxsize=512)
def _validators_kept(kind: Any) -> str:
    found = sorted(_validators_in(kind, set()))
    return hashlib.sha256("\n".join(found).encode("utf-8", "surrogatepass")).hexdigest()


def validators_of(kind: Any) -> str:
    """Return a text that changes when the code of any validator of a type does, or what it remembers."""
    try:
        return _validators_kept(kind)
    except TypeError:  # Annotated with a dict, say
        return _validators_kept.__wrapped__(kind)


def _validators_in(kind: Any, seen: set[int]) -> Iterator[str]:
    if id(kind) in seen:
        return
    seen.add(id(kind))
    kind = getattr(kind, "__value__", getattr(kind, "__supertype__", kind))
    for mark in getattr(kind, "__metadata__", ()):
        yield _code_of(mark)
    parts = get_args(kind)
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, BaseModel):
        yield _name(kind)
        for base in kind.__mro__:
            if base is not BaseModel and issubclass(base, BaseModel):
                for name, value in vars(base).items():
                    if not name.startswith("__") and callable(inner := _function_in(value)):
                        yield f"{name}:{_code_of(inner)}"
        for name, field in kind.model_fields.items():
            yield from (f"{name}:{_code_of(mark)}" for mark in field.metadata)
            yield from _validators_in(field.annotation, seen)
    elif dataclasses.is_dataclass(kind) or hasattr(kind, "__required_keys__"):
        parts = tuple(getattr(kind, "__annotations__", {}).values())
    for part in parts:
        yield from _validators_in(part, seen)


def _function_in(value: Any) -> Any:
    """Return the function that a decorated method is."""
    for name in ("wrapped", "__func__"):
        value = getattr(value, name, value)
    return getattr(value, "__func__", value)


def _code_of(value: Any, depth: int = 0) -> str:
    """Describe a function by its code and by what it remembers, and anything else by its text if that says all."""
    if depth > 3:
        return "..."
    if isinstance(value, partial):
        inner = [_code_of(part, depth + 1) for part in (value.func, *value.args, *value.keywords.values())]
        return f"partial{inner}{list(value.keywords)}"
    function: Any = getattr(value, "func", getattr(value, "__func__", value))
    code = getattr(function, "__code__", None)
    if isinstance(code, types.CodeType):
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        remembered = [_code_of(part, depth + 1) for part in (*cells, *defaults)]
        return f"{type(value).__name__}:{_name(function)}:{_of_code(code)}:{remembered}"
    if isinstance(value, (str, int, float, bool, bytes, type(None), decimal.Decimal)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return str([_code_of(part, depth + 1) for part in value])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [(field.name, _code_of(getattr(value, field.name), depth + 1)) for field in dataclasses.fields(value)]
        return f"{_name(type(value))}{parts}"
    return _name(value if isinstance(value, type) else type(value))


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # empty
        return False


def _of_code(code: types.CodeType) -> str:
    constants = [_of_code(each) if isinstance(each, types.CodeType) else _of_constant(each) for each in code.co_consts]
    return f"{code.co_code.hex()}{constants}{code.co_names}"


def _of_constant(value: Any) -> str:
    return str(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def make_cache_key(
    messages: Any,
    model: str | None,
    response_model: Any,
    mode: Any = None,
    system: Any = None,
    provider: str | None = None,
    namespace: str | None = None,
    request_kwargs: Mapping[str, Any] | None = None,
) -> str:
    """Return a key for a request, for programs that keep answers themselves."""
    is_model = isinstance(response_model, type) and issubclass(response_model, BaseModel)
    schema = response_model.model_json_schema() if is_model else repr(response_model)
    return request_key(
        {**(request_kwargs or {}), "messages": messages, "model": model, "system": system},
        provider=str(getattr(provider, "value", provider)),
        client=None,
        mode=mode,
        schema=schema,
        kind=response_model,
        context=None,
        strict=None,
        stream=False,
        namespace=namespace or "",
    )


def make_request_cache_key(request_kwargs: Mapping[str, Any], response_model: Any = None, **known: Any) -> str:
    """Return a key for the arguments of a request. `known` are arguments of `make_cache_key`."""
    rest = dict(request_kwargs)
    messages, model = rest.pop("messages", None), rest.pop("model", None)
    return make_cache_key(messages, model, response_model, request_kwargs=rest, **known)
