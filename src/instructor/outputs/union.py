"""Unions without a discriminator: the request's schema carries a tag, which is taken off before validation.

An answer without its tag is taken for the one member that it fits best; when two fit equally well it is wrong, never
guessed. Members that their literal fields tell apart need no tag, nor do those that JSON's own types tell apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Set
from itertools import count
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import Discriminator, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from instructor.core.types import Json
from instructor.outputs.validation import validated
from instructor.parsing import fuzzy
from instructor.schema import json_schema
from instructor.schema.types import UNIONS, adapter_for, bared, name_of, schema_of

_TAGS = ("kind", "item_kind", "kind_of_item")


class Member(NamedTuple):
    """One type of objects that a union holds, with what is said of the union and binds its members, and its schema."""

    kind: Any
    adapter: TypeAdapter[Any]
    schema: Json


def tagged_union_for(kind: Any) -> TaggedUnion | None:
    """Return the choice that a type is; None if it is not a union, or if its members have a discriminator."""
    found: dict[str, Member] = {}
    for member, marks in _members(kind, ()):
        if bared(member)[0] is bared(kind)[0]:
            return None
        adapter = adapter_for(member)
        shape = schema_of(adapter)
        if shape.get("type") == "object" and "properties" in shape:
            bound = adapter_for(Annotated[(member, *marks)]) if marks else adapter
            found[_free(str(shape.get("title") or name_of(member)), found)] = Member(member, bound, shape)
    if len(found) < 2 or _told_apart([member.schema for member in found.values()]):
        return None
    return TaggedUnion(adapter_for(kind), found)


def _members(kind: Any, marks: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the members of a union and of the unions in it, each with what stands beside those."""
    inner, here = bared(kind)
    if get_origin(inner) not in UNIONS or any(map(_discriminates, here)):
        yield kind, marks
        return
    for member in get_args(inner):
        yield from _members(member, (*here, *marks))


def _discriminates(mark: Any) -> bool:
    return isinstance(mark, Discriminator) or (isinstance(mark, FieldInfo) and mark.discriminator is not None)


def _free(name: str, taken: Container[str]) -> str:
    """Return the name or, where it is another's, the next one that is not: types of two modules may share one."""
    return next(each for n in count(1) if (each := name if n == 1 else f"{name}_{n}") not in taken)


class TaggedUnion:
    """A union of objects, distinguished by a tag of ours."""

    def __init__(self, adapter: TypeAdapter[Any], members: dict[str, Member]) -> None:
        self._adapter, self.members = adapter, members
        taken = {name for member in members.values() for name in member.schema["properties"]}
        self.tag = _free(next((tag for tag in _TAGS if tag not in taken), _TAGS[0]), taken)
        self._leading = re.compile(rf'\s*\{{\s*"{self.tag}"\s*:\s*"([^"\\]*)"\s*,?')

    def tagged(self, schema: Json, root: Json) -> Json:
        """Return the union's own schema with the tag in each of its objects; `root` has the definitions."""
        parts = list(_parts(schema, root))
        objects = [index for index, part in enumerate(parts) if part.get("type") == "object" and "properties" in part]
        if len(objects) != len(self.members):
            return schema  # it is written in a way of the user's own
        for index, name in zip(objects, self.members, strict=True):
            parts[index] = self._with_tag(name, parts[index])
        return {**{key: value for key, value in schema.items() if key != "$ref"}, "anyOf": parts}

    def validate_json(self, text: str, *, strict: bool | None = None, context: Any = None) -> Any:
        """Validate one answer by its tag."""
        found = self._leading.match(text)
        if found is not None and found[1] in self.members:  # as it was asked for: the rest stays as the model wrote it
            rest = "{" + text[found.end() :]
            return validated(self.members[found[1]].adapter.validate_json, rest, strict=strict, context=context)
        parts = fuzzy.members(text)
        if parts is None:
            return validated(self._adapter.validate_json, text, strict=strict, context=context)
        if self.tag not in parts:
            return self._best(text, parts.keys(), strict, context)
        name = json.loads(parts.pop(self.tag))
        if not isinstance(name, str) or name not in self.members:
            raise self._wrong(f"Input should be one of {', '.join(self.members)}", (self.tag,), name)
        rest = "{" + ", ".join(f"{json.dumps(key)}: {part}" for key, part in parts.items()) + "}"
        return validated(self.members[name].adapter.validate_json, rest, strict=strict, context=context)

    def _best(self, text: str, keys: Set[str], strict: bool | None, context: Any) -> Any:
        """Find the one member that leaves fewer keys unread than every other that is valid."""
        fits: list[tuple[int, Any]] = []
        for _, adapter, schema in self.members.values():
            try:
                fit = validated(adapter.validate_json, text, strict=strict, context=context)
            except ValidationError:
                continue
            fits.append((len(keys - schema["properties"].keys()), fit))
        fits.sort(key=lambda fit: fit[0])
        if not fits or (len(fits) > 1 and fits[0][0] == fits[1][0]):
            how = "fits none" if not fits else "fits several"
            what = f"{self.tag} is missing, and the item {how} of {', '.join(self.members)}"
            raise self._wrong(what, (), json.loads(text))
        return fits[0][1]

    def _with_tag(self, name: str, part: Json) -> Json:
        tag = {"const": name, "type": "string", "description": "Which of the kinds this item is."}
        properties = {self.tag: tag, **part["properties"]}
        return {**part, "properties": properties, "required": [self.tag, *part.get("required", ())]}

    def _wrong(self, what: str, where: tuple[str, ...], got: Any) -> ValidationError:
        detail = InitErrorDetails(
            type=PydanticCustomError("union_kind", "{what}", {"what": what}), loc=where, input=got
        )
        return ValidationError.from_exception_data("Union", [detail])


def _parts(schema: Json, root: Json) -> Iterator[Json]:
    """Yield what a union's schema is made of, each part opened up; an alias of a union is a reference to one."""
    target = json_schema.definition(schema, root)
    if "anyOf" in target and (target is schema or "title" not in target):  # a model around a union has a title
        for part in target["anyOf"]:
            yield from _parts(part, root)
    elif target.get("type") == "object":
        yield {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    else:
        yield schema


def _told_apart(shapes: list[Json]) -> bool:
    """Return whether a field that all have takes other literals in each."""
    for name in set.intersection(*(set(shape["properties"]) for shape in shapes)):
        values = [_literals(shape["properties"][name]) for shape in shapes]
        if all(values) and len(set().union(*values)) == sum(map(len, values)):
            return True
    return False


def _literals(field: Json) -> set[str]:
    found = field.get("enum", [field["const"]] if "const" in field else [])
    return {json.dumps(value) for value in found}
