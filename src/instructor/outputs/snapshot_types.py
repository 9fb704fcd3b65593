"""Typed shapes for growing values: what an open container of a type is shown as, and how a closed one is validated.

Compiled once for a response model and kept with its output; a part's shape is compiled when the part first comes.
"""

from __future__ import annotations

import collections.abc
import datetime
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

import jiter
from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticUndefined
from typing_extensions import is_typeddict

from instructor.outputs.fields import Slot, bare, is_record, keep_made, of_dataclass, of_model, of_typed_dict, private
from instructor.outputs.union import TaggedUnion, tagged_union_for
from instructor.outputs.validation import validated
from instructor.parsing.snapshot import ANY, NOT_YET, Plain, Shape
from instructor.schema.types import UNIONS

_PLAIN = Plain()
_JSON = (str, int, bool, type(None), Any, object, list, dict)
_LISTS = (list, set, frozenset, tuple, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_SEQUENCES = (tuple, set, frozenset)
_NUMBER = "-0123456789"
_MARKS = {
    str: '"', int: _NUMBER, float: _NUMBER, bool: "tf", type(None): "n",
    **dict.fromkeys((datetime.date, datetime.datetime, datetime.time, datetime.timedelta), '"' + _NUMBER),
    Decimal: '"' + _NUMBER, UUID: '"', bytes: '"',
}  # fmt: skip
"""How the JSON of a type that is not a container begins."""
_set = object.__setattr__
Validate = Callable[..., Any]


class SnapshotTypes:
    """Compiles shapes; one for each class, so that a type may hold itself."""

    def __init__(self) -> None:
        self._of_class: dict[Any, Shape] = {}
        self._emptied: list[Any] = []
        self.makes = False
        """Whether a type that came has defaults that are made, and may be another each time."""

    def whole(self, kind: Any) -> Shape:
        """Return the shape of a whole answer: of a union our own tag may tell the member."""
        shape = self.of(kind)
        choice = tagged_union_for(kind) if isinstance(shape, _Union) else None
        return shape.told_by(choice) if choice and isinstance(shape, _Union) else shape

    def of(self, kind: Any) -> Shape:
        """Return the shape of a type."""
        kind = bare(kind)
        origin, args = get_origin(kind), get_args(kind)
        known = self._of_class.get(kind) if isinstance(kind, type) and not args else None
        if known is not None:
            return known
        if is_record(kind) or is_record(origin):
            return self._record(kind, origin or kind)
        if origin is Annotated or origin in UNIONS:
            return self._union(kind)
        if kind in _LISTS or kind in _DICTS:
            return _Whole(kind, self) if kind in _SEQUENCES else _Each("{" if kind in _DICTS else "[", _PLAIN)
        if origin is tuple and Ellipsis not in args:
            return _Tuple(kind, self, list(map(self.of, args)))
        if origin in _LISTS:
            return self._each("[", kind, args[0])
        if origin in _DICTS:
            return self._each("{", kind, args[1])
        if origin is Literal:
            return _Scalar("".join(_marks_of(arg) for arg in args))
        if isinstance(kind, type) and issubclass(kind, Enum):
            return _Scalar("".join(_marks_of(member) for member in kind))
        if kind in _MARKS:
            return _Scalar(_MARKS[kind])
        return _Held(kind, self) if origin or (isinstance(kind, type) and issubclass(kind, _SEQUENCES)) else _PLAIN

    def _each(self, opener: str, kind: Any, part: Any) -> Shape:
        shape = self.of(part)
        own = _is_json(kind) or not isinstance(shape, Plain)
        if opener == "{":  # keys of other types come at its end
            key = bare(get_args(kind)[0])
            own = own and _is_json(key) and key not in (int, bool)
        return _Each(opener, shape) if own else _Whole(kind, self, opener, shape)

    def kept(self, shown: Any, made: Any, text: str, under: str = "") -> Any:
        """Return a validated value, which the text has `under` a key, with the defaults made for what was shown."""
        if self.makes and shown is not NOT_YET:
            try:
                parts = jiter.from_json(text.encode())
            except ValueError:  # the mended text has the value; what came of a dataclass nobody knows then
                parts = None
            keep_made(shown, made, parts.get(under) if under and type(parts) is dict else parts)
        return made

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

    def matching(self, kinds: list[Any], parts: dict[str, Any]) -> list[Any]:
        """Leave of these types of objects those that the last of the parts allows, as far as literals tell.

        A literal that is one type's alone tells it, where each other type has one of its own, which did not come.
        """
        key = next(reversed(parts))
        literals = {kind: shape.literals if isinstance(shape := self.of(kind), _Keyed) else {} for kind in kinds}
        value = (type(parts[key]), parts[key]) if type(parts[key]) not in (dict, list) else None
        left = [kind for kind in kinds if key not in literals[kind] or value in literals[kind][key]]
        named = [kind for kind in left if key in literals[kind]]
        others = [literals[kind] for kind in left if kind not in named]
        if len(named) == 1 and all(each and each.keys().isdisjoint(parts) for each in others):
            return named
        return left

    def _record(self, kind: Any, cls: Any) -> Shape:
        shape: Shape
        if issubclass(cls, RootModel):
            shape = _Root(cls, self)
        elif issubclass(cls, BaseModel):
            shape = _Model(cls, self)
        elif is_typeddict(cls):
            shape = _Keyed(kind, list(of_typed_dict(cls)), self)
        else:
            shape = _Record(kind, cls, self)
        self._of_class[kind] = shape
        return shape

    def _union(self, kind: Any) -> Shape:
        """Choose a member by its opening bracket. If several open with the same one, choose by its content."""
        leaves = list(_leaves(kind))
        shapes = {leaf: self.of(leaf) for leaf in leaves if _openers(leaf)}
        by_opener: dict[str, Shape] = {}
        for opener in "{[":
            members = [leaf for leaf in leaves if opener in _openers(leaf)]
            if len(members) == 1:
                by_opener[opener] = shapes[members[0]]
            elif members:
                by_opener[opener] = _PLAIN if all(map(_is_json, members)) else _Tagged(kind, members, self)
        return _Union(by_opener, "".join(self.of(leaf).marks for leaf in leaves))


def _leaves(kind: Any) -> Iterator[Any]:
    """Yield the members of a union and of the unions in it; a type that is none is its only member."""
    kind = bare(kind)
    if get_origin(kind) is Annotated:  # a union with its discriminator
        kind = bare(get_args(kind)[0])
    if get_origin(kind) in UNIONS:
        for arg in get_args(kind):
            yield from _leaves(arg)
    else:
        yield kind


def _openers(kind: Any) -> str:
    """Return the brackets with which the JSON of a type may begin."""
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, RootModel):
        root = origin.model_fields["root"].annotation
        return "".join({opener for leaf in _leaves(root) for opener in _openers(leaf)})
    if is_record(origin) or origin in _DICTS:
        return "{"
    if origin in _LISTS:
        return "["
    scalar = origin is Literal or origin in _MARKS or (isinstance(origin, type) and issubclass(origin, Enum))
    return "" if scalar else "{["


def _marks_of(value: Any) -> str:
    """Return the marks of what a literal or a member of an enum is in JSON."""
    value = value.value if isinstance(value, Enum) else value
    return _MARKS.get(type(value), ANY)


class _Scalar(Plain):
    """A string, number or literal: a container that stands in its place is not shown."""

    def __init__(self, marks: str) -> None:
        self.marks = marks

    def of(self, _opener: str, /) -> Any:
        return _HIDDEN


class _Hidden(Plain):
    """A container where the type has none: it is not shown."""

    def show(self, _parts: Any, /) -> Any:
        return NOT_YET

    def close(self, _parts: Any, _text: str | None, _how: Mapping[str, Any], /) -> Any:
        return NOT_YET


_HIDDEN = _Hidden()


class _Each:
    """A list or dict whose parts have a shape of their own. They are validated, each by itself."""

    whole = False
    marks = ""

    def __init__(self, opener: str, part: Shape) -> None:
        self._opener, self._part = opener, part

    def of(self, opener: str, /) -> Shape:
        return self if opener == self._opener else _HIDDEN

    def child(self, _key: str, _parts: Any, /) -> Shape:
        return self._part

    def show(self, parts: Any, /) -> Any:
        return parts

    def close(self, parts: Any, _text: str | None, _how: Mapping[str, Any], /) -> Any:
        return parts


class _Union:
    """One of several types: which one, its first bracket may tell."""

    whole = False

    def __init__(self, by_opener: dict[str, Shape], marks: str) -> None:
        self._by_opener, self.marks = by_opener, marks

    def told_by(self, choice: TaggedUnion) -> _Union:
        """Return the shape of the same union in which our own tag tells the member."""
        shapes = {
            opener: shape.told_by(choice) if isinstance(shape, _Tagged) else shape
            for opener, shape in self._by_opener.items()
        }
        return _Union(shapes, self.marks)

    def of(self, opener: str, /) -> Shape:
        shape = self._by_opener.get(opener)
        return shape.of(opener) if shape else _HIDDEN

    def child(self, _key: str, _parts: Any, /) -> Shape:
        return _PLAIN

    def show(self, parts: Any, /) -> Any:
        return parts

    def close(self, parts: Any, _text: str | None, _how: Mapping[str, Any], /) -> Any:
        return parts


class Wrapper(_Each):
    """The object that holds an answer under `content`. The answer is not validated a second time as a part of it."""

    def __init__(self, content: Shape) -> None:
        super().__init__("{", _Content(content))


class _Content(Plain):
    def __init__(self, content: Shape) -> None:
        self._content, self.marks = content, content.marks

    def of(self, opener: str, /) -> Any:
        shape: Any = copy(self._content.of(opener))
        shape.whole = False
        return shape


class _Whole(_Each):
    """A container shown as JSON while it is open, and validated when it is closed."""

    whole = True

    def __init__(self, kind: Any, shapes: SnapshotTypes, opener: str = "[", part: Shape = _PLAIN) -> None:
        super().__init__(opener, part)
        self._kind, self._shapes = kind, shapes
        self._validate: Validate | None = None

    def close(self, parts: Any, text: str | None, how: Mapping[str, Any], /) -> Any:
        """Validate; what is not valid stays as it is: the whole answer's validation will say why."""
        shown = self.show(parts)
        if text is None:
            return shown
        try:
            if self._validate is None:
                self._validate = self._validator()
            made = validated(self._validate, text, **how)
        except (ValidationError, PydanticUserError, NameError):
            return shown
        return self._shapes.kept(shown, made, text)

    def _validator(self) -> Validate:
        return TypeAdapter(self._kind).validator.validate_json


class _Tuple(_Whole):
    """A tuple of so many types, shown as a list."""

    def __init__(self, kind: Any, shapes: SnapshotTypes, parts: list[Shape]) -> None:
        super().__init__(kind, shapes)
        self._parts = parts

    def child(self, _key: str, parts: Any, /) -> Shape:
        return self._parts[len(parts)] if len(parts) < len(self._parts) else _PLAIN


class _Held(_Whole):
    """A container of which nobody knows what it is before it is validated: it is shown then."""

    def of(self, _opener: str, /) -> Shape:
        return self

    def show(self, _parts: Any, /) -> Any:
        return NOT_YET


class _Tagged(_Whole):
    """A union of several types of objects, shown as soon as all but one are out of the question.

    Its literal fields tell, or our own tag, which is never shown.
    """

    def __init__(self, kind: Any, members: list[Any], shapes: SnapshotTypes) -> None:
        super().__init__(kind, shapes)
        self._members = members
        self._choice: TaggedUnion | None = None
        self._left: list[Any] = members
        self._last = ""  # the last key that was looked at
        self._member: Shape | None = None
        self._unshown: set[str] = set()

    def told_by(self, choice: TaggedUnion) -> _Tagged:
        shape = copy(self)
        shape._choice = choice
        return shape

    def of(self, _opener: str, /) -> Shape:
        return copy(self)

    def child(self, key: str, parts: Any, /) -> Shape:
        self._tell(parts)
        return self._member.child(key, parts) if self._member else _PLAIN

    def show(self, parts: Any, /) -> Any:
        if self._member is None:
            return NOT_YET
        if self._unshown:
            parts = {key: value for key, value in parts.items() if key not in self._unshown}
        return self._member.show(parts)

    def close(self, parts: Any, text: str | None, how: Mapping[str, Any], /) -> Any:
        self._tell(parts)
        return super().close(parts, text, how)

    def _tell(self, parts: Any) -> None:
        """Look at the last part, which is closed; then what came before is shown as far as it was read rightly."""
        if self._member is not None or type(parts) is not dict or not parts:
            return
        key = next(reversed(parts))
        if key == self._last:
            return
        self._last = key
        if self._choice and key == self._choice.tag:
            named = self._choice.members.get(parts[key]) if type(parts[key]) is str else None
            self._left = [named.kind] if named else self._left
        else:
            self._left = self._shapes.matching(self._left, parts)
        if len(self._left) != 1:
            return
        member = self._member = self._shapes.of(self._left[0]).of("{")
        self._unshown = {key for key, value in parts.items() if not _reads(member.child(key, parts), value)}
        if self._choice:
            self._unshown.add(self._choice.tag)


def _reads(shape: Shape, value: Any) -> bool:
    """Return whether a value that was read as plain JSON is what a shape would have shown."""
    if type(value) in (dict, list):
        return shape is _PLAIN
    return _MARKS[type(value)][0] in shape.marks


class _Root(_Whole):
    """A RootModel: an instance around what its root is shown as."""

    def __init__(self, cls: type[RootModel[Any]], shapes: SnapshotTypes) -> None:
        super().__init__(cls, shapes)
        self._cls, self._root = cls, shapes.of(cls.model_fields["root"].annotation)

    def of(self, opener: str, /) -> Shape:
        shape = copy(self)
        shape._root = self._root.of(opener)
        return shape

    def child(self, key: str, parts: Any, /) -> Shape:
        return self._root.child(key, parts)

    def close(self, parts: Any, text: str | None, how: Mapping[str, Any], /) -> Any:
        self._root.close(parts, None, how)  # tells the member of a union
        return super().close(parts, text, how)

    def show(self, parts: Any, /) -> Any:
        root = self._root.show(parts)
        if root is NOT_YET:
            return NOT_YET
        made = self._cls.__new__(self._cls)
        _set(made, "__dict__", {"root": root})
        _set(made, "__pydantic_fields_set__", {"root"})
        return made


class _Keyed(_Whole):
    """An object with fields, shown as a dict."""

    def __init__(self, kind: Any, fields: list[Slot], shapes: SnapshotTypes) -> None:
        super().__init__(kind, shapes, "{")
        shapes.makes = shapes.makes or any(field.fresh for field in fields)
        self._extra = (getattr(kind, "__pydantic_config__", None) or {}).get("extra") == "allow"
        self._names = {key: field.name for field in fields for key in field.keys}
        self._kinds = {key: field.kind for field in fields for key in field.keys}
        self._children: dict[str, Shape] = {}
        self._missing = {field.name: field.default for field in fields}
        self._made = [(field.name, field.make) for field in fields if field.make]
        self._emptied = {key for field in fields for key in field.keys if field.make and field.nested}

    def of(self, opener: str, /) -> Shape:
        """Make the defaults that instances do not share, once for each container."""
        if opener != "{":
            return _HIDDEN
        if not self._made:
            return self
        shape = copy(self)
        shape._missing = {**self._missing, **{name: make() for name, make in self._made}}
        return shape

    def child(self, key: str, _parts: Any, /) -> Shape:
        shape = self._children.get(key)
        if shape is None:
            shape = self._children[key] = self._shapes.of(self._kinds.get(key, Any))
        if key in self._emptied and isinstance(shape, _Keyed) and shape._made:
            return _Begun(shape, self._missing[self._names[key]])
        return shape

    def begun(self, empty: Any) -> Shape:
        """Return the shape of the container whose instance with nothing in it was shown: it has its defaults."""
        shape = copy(self)
        shape._missing = {name: getattr(empty, name, default) for name, default in self._missing.items()}
        return shape

    @cached_property
    def literals(self) -> dict[str, set[tuple[type, Any]]]:
        """The only values that some keys may have."""
        found = {key: get_args(kind) for key, each in self._kinds.items() if get_origin(kind := bare(each)) is Literal}
        plain = {key: [arg.value if isinstance(arg, Enum) else arg for arg in args] for key, args in found.items()}
        return {key: {(type(value), value) for value in values} for key, values in plain.items()}

    def show(self, parts: Any, /) -> Any:
        if self._extra or parts.keys() <= self._names.keys():
            return parts
        return {key: value for key, value in parts.items() if key in self._names}


class _Begun(Plain):
    """A record that was shown with nothing in it, before it came."""

    marks = ""

    def __init__(self, shape: _Keyed, empty: Any) -> None:
        self._shape, self._empty = shape, empty

    def of(self, opener: str, /) -> Any:
        return self._shape.begun(self._empty) if opener == "{" and self._empty is not None else self._shape.of(opener)


class _Record(_Keyed):
    """A dataclass, shown as its instance."""

    def __init__(self, kind: Any, cls: type[Any], shapes: SnapshotTypes) -> None:
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

    def __init__(self, cls: type[BaseModel], shapes: SnapshotTypes) -> None:
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
        """Return the values of fields, the names of those given, and what is extra."""
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
    """Return whether validation leaves every value of a type as JSON has it."""
    kind = bare(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _is_json(args[0])
    if origin is Literal:
        return all(isinstance(arg, (str, int, bool, type(None))) and not isinstance(arg, Enum) for arg in args)
    if origin in (*UNIONS, list, dict):
        return all(map(_is_json, args)) and (origin is not dict or args[0] is str)
    return kind in _JSON
