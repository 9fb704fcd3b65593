"""Unions without a discriminator: the request's schema carries a tag, which is taken off before validation.

An answer without its tag is taken for the one member that it fits best; when two fit equally well it is wrong, never
guessed. Members that their literal fields tell apart need no tag, nor do those that JSON's own types tell apart.
"""

from __future__ import annotations

import json
import re
import types
from typing import Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from instructor.engine.call import Json
from instructor.output import schema as schemas

_TAGS = ("kind", "item_kind", "kind_of_item")


def choice_for(kind: Any) -> Choice | None:
    """Give the choice that a type is; None for what is no union, or one whose members tell themselves apart."""
    if get_origin(kind) not in (Union, types.UnionType):
        return None
    found: dict[str, TypeAdapter[Any]] = {}
    shapes: list[Json] = []
    for member in get_args(kind):
        adapter = schemas.adapter_for(member)
        shape = schemas.schema_of(adapter)
        if shape.get("type") == "object" and "properties" in shape:
            found[str(shape.get("title") or schemas.name_of(member))] = adapter
            shapes.append(shape)
    if len(found) < 2 or len(found) < len(shapes) or _told_apart(shapes):
        return None
    return Choice(schemas.adapter_for(kind), found, shapes)


class Choice:
    """A union of objects, told apart by a tag of ours."""

    def __init__(self, adapter: TypeAdapter[Any], members: dict[str, TypeAdapter[Any]], shapes: list[Json]) -> None:
        self._adapter, self._members = adapter, members
        taken = {name for shape in shapes for name in shape["properties"]}
        self.tag = next(tag for tag in (*_TAGS, *(f"kind_{n}" for n in range(len(taken) + 1))) if tag not in taken)
        self._leading = re.compile(rf'\s*\{{\s*"{self.tag}"\s*:\s*"([^"\\]*)"\s*,?')
        self._shapes = dict(zip(members, shapes, strict=True))

    def tagged(self, schema: Json, defs: Json) -> Json:
        """Give the union's own schema with the tag in each of its objects; their definitions go to `defs`."""
        parts = []
        for part in schema.get("anyOf", ()):
            name = next((n for n, shape in self._shapes.items() if _same(part, shape, defs)), None)
            parts.append(part if name is None else self._with_tag(name))
        return {**schema, "anyOf": parts}

    def validate_json(self, text: str, *, strict: bool | None = None, context: Any = None) -> Any:
        """Validate one answer by its tag."""
        found = self._leading.match(text)
        if found is not None and found[1] in self._members:  # as it was asked for: the rest stays as the model wrote it
            return self._members[found[1]].validate_json("{" + text[found.end() :], strict=strict, context=context)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self._adapter.validate_json(text, strict=strict, context=context)
        if not isinstance(value, dict):
            return self._adapter.validate_json(text, strict=strict, context=context)
        if self.tag not in value:
            return self._best(text, value, strict, context)
        name = value.pop(self.tag)
        if name not in self._members:
            raise self._wrong(f"Input should be one of {', '.join(self._members)}", (self.tag,), name)
        return self._members[name].validate_json(json.dumps(value), strict=strict, context=context)

    def _best(self, text: str, value: Json, strict: bool | None, context: Any) -> Any:
        """Find the one member that leaves fewer keys unread than every other that is valid."""
        fits: list[tuple[int, Any]] = []
        for name, adapter in self._members.items():
            try:
                fit = adapter.validate_json(text, strict=strict, context=context)
            except ValidationError:
                continue
            fits.append((len(value.keys() - self._shapes[name]["properties"].keys()), fit))
        fits.sort(key=lambda fit: fit[0])
        if not fits or (len(fits) > 1 and fits[0][0] == fits[1][0]):
            how = "fits none" if not fits else "fits several"
            raise self._wrong(f"{self.tag} is missing, and the item {how} of {', '.join(self._members)}", (), value)
        return fits[0][1]

    def _with_tag(self, name: str) -> Json:
        shape = {key: value for key, value in self._shapes[name].items() if key != "$defs"}
        tag = {"const": name, "type": "string", "description": "Which of the kinds this item is."}
        properties = {self.tag: tag, **shape["properties"]}
        return {**shape, "properties": properties, "required": [self.tag, *shape.get("required", ())]}

    def _wrong(self, what: str, where: tuple[str, ...], got: Any) -> ValidationError:
        detail = InitErrorDetails(
            type=PydanticCustomError("union_kind", "{what}", {"what": what}), loc=where, input=got
        )
        return ValidationError.from_exception_data("Union", [detail])


def _same(part: Json, shape: Json, defs: Json) -> bool:
    target = defs.get(str(part["$ref"]).rsplit("/", 1)[-1], {}) if "$ref" in part else part
    return bool(target.get("title") == shape.get("title") and target.get("properties") == shape["properties"])


def _told_apart(shapes: list[Json]) -> bool:
    """Whether a field that all have takes other literals in each."""
    for name in set.intersection(*(set(shape["properties"]) for shape in shapes)):
        values = [_literals(shape["properties"][name]) for shape in shapes]
        if all(values) and len(set().union(*values)) == sum(map(len, values)):
            return True
    return False


def _literals(field: Json) -> set[str]:
    found = field.get("enum", [field["const"]] if "const" in field else [])
    return {json.dumps(value) for value in found}
