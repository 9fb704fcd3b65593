"""Python types: another spelling of a type, its adapter, its name, and the JSON Schema that a model sees.

What is beside a type is taken off. What pydantic would leave unread is replaced.
"""

from __future__ import annotations

import collections.abc
import enum
import inspect
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError
from typing_extensions import NotRequired, Required, TypedDict, get_type_hints, is_typeddict

from instructor.core.types import Json
from instructor.exceptions import ConfigurationError
from instructor.schema import json_schema

UNIONS = (Union, types.UnionType)
LISTS = (
    list,
    collections.abc.Iterable,
    collections.abc.Collection,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
)
"""What a list may be called: `list`, and other types that a list satisfies."""
_ITERATORS = (collections.abc.Iterator, collections.abc.Generator)
_NEW_TYPED_DICTS = sys.version_info >= (3, 12)


def bared(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take off aliases, new types and `Annotated`; return what stood beside the type, the innermost first."""
    marks: tuple[Any, ...] = ()
    while True:
        origin = get_origin(kind)
        if origin is Annotated:
            kind, *here = get_args(kind)
            marks = (*here, *marks)
        elif origin is None and isinstance(kind, type):
            return kind, marks
        elif (aliased := getattr(origin, "__value__", None)) is not None:  # an alias with parameters
            kind = aliased[get_args(kind)]
        elif hasattr(kind, "__value__"):
            kind = kind.__value__
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        else:
            return kind, marks


def normalize_type(kind: Any, inside: frozenset[Any] = frozenset()) -> Any:
    """Spell a type so that it is validated whole: lists for iterables, TypedDicts that every Python's pydantic takes.

    Of an iterable inside a type pydantic would make an iterator that has validated nothing yet.
    """
    if is_typeddict(kind):
        return kind if kind in inside else _typed_dict(kind, inside | {kind})
    origin = cast("Any", get_origin(kind))
    args: tuple[Any, ...] = get_args(kind)
    if origin in _ITERATORS:
        raise ConfigurationError(
            f"{kind!r} gives its parts once, and what is read has them all: write Iterable[...] or list[...]."
        )
    if not args:
        aliased = None if isinstance(kind, type) else getattr(kind, "__value__", getattr(kind, "__supertype__", None))
        if aliased is None or kind in inside:
            return kind
        spelled = normalize_type(aliased, inside | {kind})
        return kind if spelled is aliased else spelled
    if origin is Literal:
        return kind
    if origin is Annotated:
        spelled = normalize_type(args[0], inside)
        return kind if spelled is args[0] else Annotated[(spelled, *args[1:])]
    parts = tuple(normalize_type(arg, inside) for arg in args)
    if origin in LISTS and origin is not list:
        return types.GenericAlias(list, parts)
    if all(part is arg for part, arg in zip(parts, args, strict=True)):
        return kind
    if origin in UNIONS:
        return Union[parts]  # noqa: UP007 - known at run time only
    return _generic(origin, parts)


def _generic(origin: Any, parts: tuple[Any, ...]) -> Any:
    return origin[parts[0] if len(parts) == 1 else parts]


def _typed_dict(kind: Any, inside: frozenset[Any]) -> Any:
    """Make a TypedDict anew, as one of typing_extensions, if pydantic would not take it or not read all of it."""
    try:
        hints: Mapping[str, Any] = get_type_hints(kind, include_extras=True)
    except NameError:  # a class made inside a function, which names another one there: pydantic will say so
        return kind
    fields = {key: normalize_type(hint, inside) for key, hint in hints.items()}
    taken = _NEW_TYPED_DICTS or not typing.is_typeddict(kind)
    if taken and all(fields[key] is hint for key, hint in hints.items()):
        return kind
    for key in kind.__optional_keys__:
        if get_origin(fields[key]) not in (Required, NotRequired):
            fields[key] = NotRequired[fields[key]]
    make: Any = TypedDict
    made = make(kind.__name__, fields)
    for name in ("__doc__", "__module__", "__qualname__", "__pydantic_config__"):
        if hasattr(kind, name):
            setattr(made, name, getattr(kind, name))
    return made


_VALUES = (str, int, float, bytes, list, tuple, dict, set, BaseModel, enum.Enum)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "..."


def _meant_by(value: Any) -> str:
    """Say what a value, given where a type must be, was meant to be."""
    if isinstance(value, str):
        return f"Did you mean the class {value}, without quotes?"
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        return "These are messages: pass them as messages=, and the type as response_model=."
    if isinstance(value, (list, tuple)) and value and all(isinstance(each, type) for each in value):
        kinds = " | ".join(each.__name__ for each in value)
        return f"Did you mean list[{kinds}]?"
    if isinstance(value, Mapping) and not {"type", "properties", "$ref", "anyOf"}.isdisjoint(value):
        return "A JSON schema is not a type: write a pydantic model with its fields."
    return f"Did you mean its class, {type(value).__name__}?"


def adapter_for(kind: Any) -> TypeAdapter[Any]:
    """Compile what validates a type; a ConfigurationError says why a type cannot be a response model."""
    if isinstance(kind, _VALUES) or (is_dataclass(kind) and not inspect.isclass(kind)):
        raise ConfigurationError(f"response_model must be a type, got {_shown(kind)}. {_meant_by(kind)}")
    if inspect.isroutine(kind):
        raise _unfit(kind, "It is a function.")
    try:
        return TypeAdapter(kind)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError, TypeError) as error:
        raise _unfit(kind, str(error).split("\n", 1)[0]) from error


def _unfit(kind: Any, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{kind!r} cannot be a response model: {reason} Give a pydantic model, a dataclass, a TypedDict, "
        "or any other type that pydantic.TypeAdapter takes."
    )


def name_of(kind: Any) -> str:
    """Name a type as people would: `User`, `AOrB` for a union of A and B."""
    origin = get_origin(kind)
    if origin is Annotated:
        return name_of(get_args(kind)[0])
    if origin is Union or origin is types.UnionType:
        return "Or".join(name_of(member) for member in get_args(kind))
    if origin is Literal:
        return "Literal"
    if kind is None or kind is type(None):
        return "None"
    return str(getattr(kind, "__name__", None) or getattr(origin, "__name__", None) or kind)


def legal(name: str) -> str:
    """Make a name that every wire accepts: letters, digits, `_` and `-`, at most 64."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64] or "Response"


def schema_of(adapter: TypeAdapter[Any]) -> Json:
    """Return the JSON Schema with its root opened up: a recursive model's root is otherwise a bare reference."""
    try:
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise ConfigurationError(f"This response model has no JSON Schema: {error.message}") from error
    target = json_schema.definition(schema, schema)
    return schema if target is schema else {**target, "$defs": schema["$defs"]}


def described(schema: Json, kind: Any) -> Json:
    """Fill in what the docstring says of fields that have no description of their own."""
    text = inspect.getdoc(kind) if inspect.isclass(kind) else None
    properties = schema.get("properties")
    if not text or not properties or ":" not in text or text == inspect.getdoc(BaseModel):  # which is inherited
        return schema
    import docstring_parser  # it takes 4 ms, and few docstrings describe fields

    found = {p.arg_name: p.description for p in docstring_parser.parse(text).params if p.description}
    filled = {
        key: {**value, "description": found[key]} if key in found and "description" not in value else value
        for key, value in properties.items()
    }
    return {**schema, "properties": filled}
