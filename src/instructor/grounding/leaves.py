"""The values of an item that may stand in a text, by path."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import types
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import from_json
from typing_extensions import is_typeddict

from instructor.grounding.evidence import NotInText
from instructor.grounding.tokens import is_single
from instructor.grounding.values import decimal_of

_WRAPPED = "content"
_SHORT = 3
_CODE = 6
"""From so many digits on, a text without letters is no short value: a telephone number."""


class Leaf(NamedTuple):
    """One value of an item."""

    path: str
    """Such as "address.city"."""
    group: str
    """The path of the element of an inner list that it belongs to; "" for the item itself."""
    location: tuple[int | str, ...]
    """The path in the JSON that the model wrote."""
    kind: str
    """"text", "number", "date" or "time": how it is looked for."""
    value: Any
    written: str
    given: object
    """The value as the item has it."""
    short: bool
    """Whether it counts only near the longer values."""
    weight: int
    """How many characters it has; those of scripts without spaces count twice."""
    exempt: bool
    """Whether it need not be in the text: an enum, a Literal."""

    @property
    def heads(self) -> bool:
        """Whether one place may serve many items, as a heading: dates, and numbers of four digits or more."""
        return self.kind == "date" or (self.kind == "number" and sum(map(str.isdigit, self.written)) > 3)


class _Field(NamedTuple):
    name: str
    key: str
    annotation: Any


@lru_cache(maxsize=512)
def _fields_of(cls: type) -> tuple[_Field, ...]:
    """Return the fields of a class that may stand in the text."""
    if issubclass(cls, BaseModel):
        found = []
        for name, info in cls.model_fields.items():
            key = info.validation_alias if isinstance(info.validation_alias, str) else info.alias or name
            if not (any(map(_is_mark, info.metadata)) or _is_marked(info.annotation)):
                found.append(_Field(name, key, info.annotation))
        return tuple(found)
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError:  # a name of a function's own
        hints = dict.fromkeys(cls.__annotations__)
    return tuple(_Field(name, name, hint) for name, hint in hints.items() if not _is_marked(hint))


def _is_mark(mark: object) -> bool:
    return mark is NotInText or isinstance(mark, NotInText)


def _is_marked(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated and any(map(_is_mark, annotation.__metadata__)):
        return True
    if isinstance(annotation, types.GenericAlias) or get_args(annotation):
        return any(map(_is_marked, get_args(annotation)))
    return False


def _literals(annotation: Any) -> Iterator[object]:
    """Yield the values of the Literals in an annotation, but not of those in the classes it names."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for each in get_args(annotation) or (() if (a := getattr(annotation, "__value__", None)) is None else (a,)):
            yield from _literals(each)


@lru_cache(maxsize=1024)
def _literals_of(annotation: Any) -> frozenset[object]:
    return frozenset(_literals(annotation))


def leaves_of(value: object, annotation: Any = None) -> list[Leaf]:
    """Return the values of an item; None, booleans, defaults and fields that are marked `NotInText` are left out."""
    return list(_walk(value, annotation, (), (), ""))


def _walk(
    value: object, annotation: Any, path: tuple[str, ...], location: tuple[int | str, ...], group: str
) -> Iterator[Leaf]:
    if value is None or isinstance(value, (bool, bytes, bytearray)):
        return
    if isinstance(value, str) and type(value) is str:
        yield _leaf(value, annotation, path, location, group)
    elif isinstance(value, BaseModel):
        written = value.model_fields_set
        for field in _fields_of(type(value)):
            if field.name in written:
                part = getattr(value, field.name)
                yield from _walk(part, field.annotation, (*path, field.name), (*location, field.key), group)
        yield from _walk(value.model_extra or None, None, path, location, group)
    elif dataclasses.is_dataclass(value):
        for field in _fields_of(cast("type", type(value))):
            part = getattr(value, field.name, None)
            yield from _walk(part, field.annotation, (*path, field.name), (*location, field.key), group)
    elif isinstance(value, Mapping):
        known = {f.name: f.annotation for f in _fields_of(annotation)} if is_typeddict(annotation) else None
        for key, part in value.items():
            if known is None or key in known:
                hint = annotation if known is None else known[key]
                yield from _walk(part, hint, (*path, str(key)), (*location, str(key)), group)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, part in enumerate(value):
            inner = (*path, str(index))
            whole = isinstance(part, (BaseModel, Mapping)) or dataclasses.is_dataclass(part)
            yield from _walk(part, annotation, inner, (*location, index), ".".join(inner) if whole else group)
    else:
        yield _leaf(value, annotation, path, location, group)


def _leaf(value: object, annotation: Any, path: tuple[str, ...], location: tuple[int | str, ...], group: str) -> Leaf:
    try:
        literal = value in _literals_of(annotation)
    except TypeError:  # it has no hash
        literal = False
    exempt = literal or isinstance(value, enum.Enum)
    plain = value.value if isinstance(value, enum.Enum) else value
    kind, found, written = _searched(plain)
    letters = sum(1 + is_single(each) for each in written)
    digits = sum(map(str.isdigit, written))
    without_letters = kind == "text" and digits and not any(map(str.isalpha, written))
    short = exempt or kind != "text" or letters <= _SHORT or (without_letters and digits < _CODE)
    return Leaf(".".join(path), group, location, kind, found, written, value, bool(short), letters, exempt)


def _at(whole: Any, location: Sequence[int | str]) -> Any:
    try:
        for step in location:
            whole = whole[step]
    except (KeyError, IndexError, TypeError):
        return None
    return whole


def _searched(value: object) -> tuple[str, Any, str]:
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = decimal_of(value)
        return ("text", str(value), str(value)) if number is None else ("number", number, _shortest(value))
    if isinstance(value, dt.date):
        return "date", value, value.isoformat()
    if isinstance(value, dt.time):
        return "time", value, value.isoformat()
    return "text", str(value).strip(), str(value).strip()


def _shortest(value: object) -> str:
    """Return a number as it is mostly written: `3.0` as 3."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def rewritten(leaf: Leaf, text: str) -> Leaf | None:
    """Return a leaf with the value that the model wrote, where a validator has changed it; None if it has not.

    Args:
        leaf: The value as the item has it.
        text: The JSON of the item. What is no object is under a key of its own.
    """
    try:
        whole: Any = from_json(text)
    except ValueError:
        return None
    found = _at(whole, leaf.location)
    if found is None:
        found = _at(whole, (_WRAPPED, *leaf.location))
    if not isinstance(found, (str, int, float)) or isinstance(found, bool):
        return None
    kind, value, written = _searched(found)
    return None if written == leaf.written else leaf._replace(kind=kind, value=value, written=written)
