"""What the fields of a model, a dataclass or a TypedDict are, as far as one that grows must know."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from copy import deepcopy
from enum import Enum
from functools import lru_cache, partial
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import AliasChoices, AliasPath, BaseModel, Field, RootModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typing_extensions import NotRequired, ReadOnly, Required, get_type_hints, is_typeddict

from instructor.schema.types import UNIONS, bared

_SHARED = (str, int, float, bool, bytes, type(None), tuple, frozenset, Enum)
_SAME = (list, dict, set, frozenset, tuple, str, int, float, bool)
"""Factories that make the same value each time."""
Empty = Callable[[Any], Any]
"""Makes an instance of a type with nothing in it."""


class Slot(NamedTuple):
    """A field: its type, the keys it is read from, and its default, which `make` gives where it cannot be shared."""

    name: str
    kind: Any
    keys: tuple[str, ...]
    default: Any = None
    make: Callable[[], Any] | None = None
    nested: bool = False
    """Whether `make` makes an instance with nothing in it, which stands for the one that may come."""
    fresh: bool = False
    """Whether `make` is a factory of the user's own, whose values may differ: an id, a time."""


def of_model(name: str, info: FieldInfo, empty: Empty, by_name: bool = True, by_alias: bool = True) -> Slot:
    """Read a field of pydantic's. What comes by a path through several keys is not shown before it is validated."""
    keys = _keys(info.validation_alias) if by_alias else ()
    if by_name or info.validation_alias is None:
        keys = (*keys, name)
    kind: Any = info.annotation
    if info.discriminator is not None:
        kind = Annotated[kind, Field(discriminator=info.discriminator)]
    if info.default_factory is not None:
        takes_data = info.default_factory_takes_validated_data
        if takes_data:
            return Slot(name, kind, keys)
        fresh = info.default_factory not in _SAME
        return Slot(name, kind, keys, make=lambda: info.get_default(call_default_factory=True), fresh=fresh)
    if info.default is PydanticUndefined:
        nested = is_record(bare(kind)) and not is_typeddict(kind)
        return Slot(name, kind, keys, make=(lambda: empty(kind)) if nested else None, nested=nested)
    shared = isinstance(info.default, _SHARED)
    return Slot(name, kind, keys, info.default if shared else None, None if shared else info.get_default)


def private(attribute: Any) -> Any:
    """Return a private attribute's default, or PydanticUndefined if its factory needs the fields."""
    if attribute.default_factory is None:
        return deepcopy(attribute.default)
    takes_data = getattr(attribute, "default_factory_takes_validated_data", False)
    return PydanticUndefined if takes_data else attribute.default_factory()


def _keys(alias: str | AliasPath | AliasChoices | None) -> tuple[str, ...]:
    if isinstance(alias, AliasChoices):
        return tuple(key for choice in alias.choices for key in _keys(choice))
    if isinstance(alias, AliasPath):
        return tuple(key for key in alias.path if isinstance(key, str)) if len(alias.path) == 1 else ()
    return () if alias is None else (alias,)


def of_dataclass(cls: Any, empty: Empty) -> Iterator[Slot]:
    """Read a dataclass, the standard library's or pydantic's."""
    hints, infos = _hints(cls), getattr(cls, "__pydantic_fields__", {})
    for field in dataclasses.fields(cls):
        info = infos.get(field.name) or field.default
        kind = hints.get(field.name, Any)
        if isinstance(info, FieldInfo):
            yield of_model(field.name, info, empty)._replace(kind=kind)
        elif field.default_factory is not dataclasses.MISSING:
            fresh = field.default_factory not in _SAME
            yield Slot(field.name, kind, (field.name,), make=field.default_factory, fresh=fresh)
        elif field.default is not dataclasses.MISSING:
            yield Slot(field.name, kind, (field.name,), field.default)
        else:
            nested = is_record(bare(kind)) and not is_typeddict(kind)
            yield Slot(field.name, kind, (field.name,), make=partial(empty, kind) if nested else None, nested=nested)


def of_typed_dict(cls: Any) -> Iterator[Slot]:
    for name, kind in _hints(cls).items():
        yield Slot(name, kind, (name,))


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError:  # a class made inside a function, which names another one there
        return {}


def bare(kind: Any) -> Any:
    """Take off what says nothing about the shape. A union keeps its discriminator."""
    while get_origin(kind) in (Required, NotRequired, ReadOnly):
        kind = get_args(kind)[0]
    inner, marks = bared(kind)
    if get_origin(inner) in (Required, NotRequired, ReadOnly):
        return bare(inner)
    return Annotated[(inner, *marks)] if marks and get_origin(inner) in UNIONS else inner


def is_record(kind: Any) -> bool:
    """Return whether a type has fields: a model, a dataclass, a TypedDict."""
    if not isinstance(kind, type) or get_origin(kind) is not None:
        return False
    return issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind) or is_typeddict(kind)


def keep_made(shown: Any, made: Any, parts: Any) -> None:
    """Put the defaults that were made for what was shown into what is validated: an answer has one id, and one time.

    `parts` is the JSON: it tells which fields of a dataclass came. A model knows itself.
    """
    if isinstance(made, (list, tuple)) and isinstance(shown, (list, tuple)):
        known = parts if isinstance(parts, list) else [None] * len(made)
        for each in zip(shown, made, known, strict=False):
            keep_made(*each)
    elif type(made) is not type(shown):
        return
    elif isinstance(made, dict):
        for key, value in made.items():
            if key in shown:
                keep_made(shown[key], value, parts.get(key) if isinstance(parts, dict) else None)
    elif isinstance(made, RootModel):
        keep_made(shown.root, made.root, parts)
    elif is_record(type(made)):
        _keep_fields(shown, made, parts)


def _keep_fields(shown: Any, made: Any, parts: Any) -> None:
    given = made.__pydantic_fields_set__ if isinstance(made, BaseModel) else None
    cls: Any = type(made)
    for slot in _slots(cls):
        before, value = getattr(shown, slot.name, None), getattr(made, slot.name, None)
        key = next((key for key in slot.keys if key in parts), None) if isinstance(parts, dict) else None
        came = slot.name in given if given is not None else key is not None or not isinstance(parts, dict)
        if came:
            keep_made(before, value, parts[key] if key is not None else None)
        elif slot.fresh and type(before) is type(value):
            if given is None:
                object.__setattr__(made, slot.name, before)
            else:  # past the validation of assignments
                vars(made)[slot.name] = before


@lru_cache(maxsize=512)
def _slots(cls: Any) -> tuple[Slot, ...]:
    if issubclass(cls, BaseModel):
        return tuple(of_model(name, info, lambda _: None) for name, info in cls.model_fields.items())
    return tuple(of_dataclass(cls, lambda _: None))
