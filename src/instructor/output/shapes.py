"""Typed shapes for growing values: what an open container of a type is shown as, and how a closed one is validated.

Compiled once for a response model and kept with its output; a part's shape is compiled when the part first comes.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Mapping
from copy import copy
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticUndefined
from typing_extensions import is_typeddict

from instructor.exceptions import ConfigurationError
from instructor.output.choice import Choice, choice_for
from instructor.output.fields import Slot, bare, is_record, of_dataclass, of_model, of_typed_dict, private
from instructor.output.judging import validated
from instructor.output.spelling import UNIONS
from instructor.text.snapshot import Plain, Shape

_PLAIN = Plain()
_JSON = (str, int, bool, type(None), Any, object, list, dict)
_LISTS = (list, set, frozenset, tuple, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_SEQUENCES = (tuple, set, frozenset)
_set = object.__setattr__
Validate = Callable[..., Any]


class Shapes:
    """Compiles shapes; one for each class, so that a type may hold itself."""

    def __init__(self) -> None:
        self._of_class: dict[Any, Shape] = {}
        self._emptied: list[Any] = []

    def of(self, kind: Any) -> Shape:
        """Give the shape of a type; what is no container has the plain one."""
        kind = bare(kind)
        origin, args = get_origin(kind), get_args(kind)
        known = self._of_class.get(kind) if isinstance(kind, type) and not args else None
        if known is not None:
            return known
        if is_record(kind) or is_record(origin):
            return self._record(kind, origin or kind)
        if _is_json(kind):
            return _PLAIN
        if origin is Annotated:  # a union with its discriminator
            return self._union(kind, get_args(bare(args[0])))
        if origin in UNIONS:
            return self._union(kind, args)
        if origin in _LISTS:
            elements = {arg for arg in args if arg is not Ellipsis}
            part = self.of(elements.pop()) if len(elements) == 1 else _PLAIN
            return _Each("[", part) if part is not _PLAIN else _Whole(kind)
        if origin in _DICTS:
            part = self.of(args[1]) if _is_json(args[0]) else _PLAIN
            return _Each("{", part) if part is not _PLAIN else _Whole(kind)
        return _Whole(kind) if origin or (isinstance(kind, type) and issubclass(kind, _SEQUENCES)) else _PLAIN

    def empty(self, kind: Any) -> Any:
        """Make an instance of a model with nothing in it; None for another type, or where it would hold itself."""
        kind = bare(kind)
        if not (isinstance(kind, type) and is_record(kind)) or is_typeddict(kind) or kind in self._emptied:
            return None
        if issubclass(kind, RootModel):
            return None
        self._emptied.append(kind)
        try:
            return self.of(kind).of("{").show({})
        finally:
            self._emptied.pop()

    def _record(self, kind: Any, cls: Any) -> Shape:
        shape: Shape
        if issubclass(cls, RootModel):
            shape = _Root(cls, self.of(cls.model_fields["root"].annotation))
        elif issubclass(cls, BaseModel):
            shape = _Model(cls, self)
        elif is_typeddict(cls):
            shape = _Keyed(kind, list(of_typed_dict(cls)), self)
        else:
            shape = _Record(kind, cls, self)
        self._of_class[kind] = shape
        return shape

    def _union(self, kind: Any, args: tuple[Any, ...]) -> Shape:
        told = [arg for arg in args if not _is_json(arg)]
        objects = [arg for arg in args if (get_origin(bare(arg)) or bare(arg)) in _DICTS]
        if len(told) == 1 and (objects == told or not objects):
            return self.of(told[0])
        try:
            choice = choice_for(kind)
        except ConfigurationError:  # a member has no schema by itself
            choice = None
        return _Tagged(kind, choice, self) if choice else _Whole(kind)


class _Each:
    """A list or dict whose parts have a shape of their own. They are validated, each by itself."""

    whole = False

    def __init__(self, opener: str, part: Shape) -> None:
        self._opener, self._part = opener, part

    def of(self, opener: str, /) -> Shape:
        return self if opener == self._opener else _PLAIN

    def child(self, _key: str, _parts: Any, /) -> Shape:
        return self._part

    def show(self, parts: Any, /) -> Any:
        return parts

    def close(self, parts: Any, _text: str, _how: Mapping[str, Any], /) -> Any:
        return parts


class Wrapper(_Each):
    """The object that holds an answer under `content`. The answer is not validated a second time as a part of it."""

    def __init__(self, content: Shape) -> None:
        super().__init__("{", _Content(content))


class _Content(Plain):
    def __init__(self, content: Shape) -> None:
        self._content = content

    def of(self, opener: str, /) -> Any:
        shape: Any = copy(self._content.of(opener))
        shape.whole = False
        return shape


class _Whole:
    """A container shown as JSON while it is open, and validated when it is closed."""

    whole = True

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._validate: Validate | None = None

    def of(self, _opener: str, /) -> Shape:
        return self

    def child(self, _key: str, _parts: Any, /) -> Shape:
        return _PLAIN

    def show(self, parts: Any, /) -> Any:
        return parts

    def close(self, parts: Any, text: str, how: Mapping[str, Any], /) -> Any:
        """Validate; what is not valid stays as it is: the whole answer's validation will say why."""
        try:
            if self._validate is None:
                self._validate = self._validator()
            return validated(self._validate, text, **how)
        except (ValidationError, PydanticUserError, NameError):
            return self.show(parts)

    def _validator(self) -> Validate:
        return TypeAdapter(self._kind).validator.validate_json


class _Tagged(_Whole):
    """A union whose members our tag tells apart: shown as the member that the tag names, and never with the tag."""

    def __init__(self, kind: Any, choice: Choice, shapes: Shapes) -> None:
        super().__init__(kind)
        self._choice, self._shapes = choice, shapes
        self._member: Shape | None = None

    def of(self, _opener: str, /) -> Shape:
        return copy(self)

    def child(self, key: str, parts: Any, /) -> Shape:
        member = self._told(parts)
        return member.child(key, parts) if member else _PLAIN

    def show(self, parts: Any, /) -> Any:
        if type(parts) is not dict or next(iter(parts), None) != self._choice.tag:
            return parts
        member = self._told(parts) if len(parts) > 1 else None  # a tag that stands alone may be growing still
        rest = {key: value for key, value in parts.items() if key != self._choice.tag}
        return member.show(rest) if member else rest

    def _told(self, parts: Any) -> Shape | None:
        if self._member is None and type(parts) is dict:
            name = parts.get(self._choice.tag)
            member = self._choice.members.get(name) if type(name) is str else None
            self._member = self._shapes.of(member.kind).of("{") if member else None
        return self._member

    def _validator(self) -> Validate:
        return self._choice.validate_json


class _Root(_Whole):
    """A RootModel: an instance around what its root is shown as."""

    def __init__(self, cls: type[RootModel[Any]], root: Shape) -> None:
        super().__init__(cls)
        self._cls, self._root = cls, root

    def of(self, opener: str, /) -> Shape:
        shape = copy(self)
        shape._root = self._root.of(opener)
        return shape

    def child(self, key: str, parts: Any, /) -> Shape:
        return self._root.child(key, parts)

    def show(self, parts: Any, /) -> Any:
        made = self._cls.__new__(self._cls)
        _set(made, "__dict__", {"root": self._root.show(parts)})
        _set(made, "__pydantic_fields_set__", {"root"})
        return made


class _Keyed(_Whole):
    """An object with fields, shown as a dict."""

    def __init__(self, kind: Any, fields: list[Slot], shapes: Shapes) -> None:
        super().__init__(kind)
        self._shapes = shapes
        self._names = {key: field.name for field in fields for key in field.keys}
        self._kinds = {key: field.kind for field in fields for key in field.keys}
        self._children: dict[str, Shape] = {}
        self._missing = {field.name: field.default for field in fields}
        self._made = [(field.name, field.make) for field in fields if field.make]

    def of(self, opener: str, /) -> Shape:
        """Make the defaults that instances do not share, once for each container."""
        if opener != "{":
            return _PLAIN
        if not self._made:
            return self
        shape = copy(self)
        shape._missing = {**self._missing, **{name: make() for name, make in self._made}}
        return shape

    def child(self, key: str, _parts: Any, /) -> Shape:
        shape = self._children.get(key)
        if shape is None:
            shape = self._children[key] = self._shapes.of(self._kinds.get(key, Any))
        return shape


class _Record(_Keyed):
    """A dataclass, shown as its instance."""

    def __init__(self, kind: Any, cls: type[Any], shapes: Shapes) -> None:
        super().__init__(kind, list(of_dataclass(cls, shapes.empty)), shapes)
        self._cls = cls

    def show(self, parts: Any, /) -> Any:
        made = object.__new__(self._cls)
        names = self._names
        known = {names[key]: value for key, value in parts.items() if key in names}
        for name, value in {**self._missing, **known}.items():
            _set(made, name, value)
        return made


class _Model(_Keyed):
    """A pydantic model, shown as its instance, made as `model_construct` makes it but for less."""

    def __init__(self, cls: type[BaseModel], shapes: Shapes) -> None:
        config = cls.model_config
        by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
        by_alias = config.get("validate_by_alias", True) is not False
        fields = [of_model(name, info, shapes.empty, by_name, by_alias) for name, info in cls.model_fields.items()]
        super().__init__(cls, fields, shapes)
        self._cls = cls
        self._extra = config.get("extra") == "allow"
        self._direct = not self._extra and all(key == name for key, name in self._names.items())
        self._private = cls.__private_attributes__

    def show(self, parts: Any, /) -> Any:
        values: dict[str, Any] = {**self._missing, **parts}
        given, extra = set(parts), None
        if not self._direct or len(values) > len(self._missing):  # keys that are no names of fields
            values, given, extra = self._sorted(parts)
        cls = self._cls
        made = cls.__new__(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", given)
        _set(made, "__pydantic_extra__", extra)
        _set(made, "__pydantic_private__", self._privates() if self._private else None)
        return made

    def _sorted(self, parts: dict[str, Any]) -> tuple[dict[str, Any], set[str], dict[str, Any] | None]:
        """Give the values of fields, the names of those given, and what is extra."""
        values, given, names = self._missing.copy(), set(), self._names
        extra: dict[str, Any] | None = {} if self._extra else None
        for key, value in parts.items():
            name = names.get(key)
            if name is not None:
                values[name] = value
                given.add(name)
            elif extra is not None:
                extra[key] = value
                given.add(key)
        return values, given, extra

    def _privates(self) -> dict[str, Any]:
        made = {name: private(attribute) for name, attribute in self._private.items()}
        return {name: value for name, value in made.items() if value is not PydanticUndefined}

    def _validator(self) -> Validate:
        return self._cls.__pydantic_validator__.validate_json


def _is_json(kind: Any) -> bool:
    """Whether validation leaves every value of a type as JSON has it."""
    kind = bare(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _is_json(args[0])
    if origin is Literal:
        return all(isinstance(arg, (str, int, bool, type(None))) and not isinstance(arg, Enum) for arg in args)
    if origin in (*UNIONS, list, dict):
        return all(map(_is_json, args)) and (origin is not dict or args[0] is str)
    return kind in _JSON
