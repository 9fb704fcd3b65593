"""The types of answers: one value, a list of items, or a value that is shown while it grows.

A shape is compiled once for a response model, not for each call.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import typing
from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from typing_extensions import Doc

from instructor.core import prompts
from instructor.core.types import Output
from instructor.dsl import Partial, Segmentation
from instructor.exceptions import ConfigurationError
from instructor.outputs.item_list import ItemList
from instructor.outputs.partial import PartialValue
from instructor.outputs.single import Single
from instructor.outputs.tool_calls import ToolCalls
from instructor.schema.types import LISTS, bared, normalize_type

_OPEN = (collections.abc.Iterable, typing.Iterable, Partial)
"""Types that say nothing without what they hold."""
_LISTS = (list, set, frozenset, tuple, collections.abc.Sequence)
"""Types that are whole values without what they hold, but no items of a list."""
_KEPT = 512
"""Outputs kept: enough for a program's own models, and a bound for programs that make a model for each call."""


def output_for(response_model: Any) -> Output:
    """Return the shape of `response_model`'s answer: a list for `Iterable[T]`, `list[T]` and `IterableModel(T)`."""
    response_model = _type_of(response_model)
    item = item_of(response_model)
    if item is not None:
        return _compiled("many", item)
    if _is_wrapper(response_model):
        return _compiled("wrapper", response_model)
    if get_origin(response_model) is Partial:
        return growing_for(response_model)
    return _compiled("one", response_model)


def list_for(response_model: Any) -> Output:
    """Return the shape of a list of `response_model`, or of its items where it is a list already."""
    response_model = _type_of(response_model)
    _check_items(response_model)
    if item_of(response_model) is not None or _is_wrapper(response_model):
        return output_for(response_model)
    return _compiled("many", response_model)


def parallel_for(response_model: Any) -> Output:
    """Return the shape of an answer that is a list of tool calls."""
    item = item_of(response_model)
    return _compiled("parallel", response_model if item is None else item)


def growing_for(response_model: Any) -> Output:
    """Return the shape of a value that is shown while it grows."""
    response_model = _type_of(response_model)
    inner = get_args(response_model)[0] if get_origin(response_model) is Partial else response_model
    return _compiled("growing", inner)


def streamed_for(response_model: Any) -> Output:
    """Return the shape of what comes by a stream: the items of a list, or a value that grows."""
    _check_items(response_model)
    output = output_for(response_model)
    return output if output.many else growing_for(response_model)


def _type_of(response_model: Any) -> Any:
    """Return the type that a TypeAdapter is for, and any other response model as it is."""
    return response_model._type if isinstance(response_model, TypeAdapter) else response_model  # it has no public name


def item_of(response_model: Any) -> Any:
    """Return the item type of a list type; None when it is none, or when more is said of the list than what it is."""
    kind, marks = bared(response_model)
    return next(iter(get_args(kind)), None) if get_origin(kind) in LISTS and not any(map(_binds, marks)) else None


def _is_wrapper(response_model: Any) -> bool:
    """Return whether `IterableModel` made this class. With more fields or validators it is a value like others."""
    if not (inspect.isclass(response_model) and issubclass(response_model, Segmentation)):
        return False
    own: Any = response_model.__pydantic_decorators__
    validators = any(getattr(own, each.name) for each in dataclasses.fields(own))
    return response_model.model_fields.keys() == {"tasks"} and not validators


def _check_items(response_model: Any) -> None:
    """Refuse to hand out the items of a list that is wrong, perhaps, as a whole."""
    kind, marks = bared(response_model)
    if get_origin(kind) in LISTS and any(map(_binds, marks)):
        raise ConfigurationError(
            f"{response_model!r} binds the list as a whole, and a stream hands out its items before it is whole: "
            "ask for it without a stream, or for the list alone."
        )


def _binds(mark: Any) -> bool:
    """Return whether what stands beside a type may be more than a description."""
    if isinstance(mark, FieldInfo):
        return bool(mark.metadata)
    return not isinstance(mark, (str, Doc))


def _compile(how: str, kind: Any) -> Output:
    if how == "wrapper":
        return ItemList(normalize_type(kind.task_type), kind)
    kind = normalize_type(kind)
    if how == "many":
        return ItemList(kind)
    if how == "parallel":
        return ToolCalls(kind)
    return PartialValue(Single(kind)) if how == "growing" else Single(kind)


_kept = lru_cache(maxsize=_KEPT)(_compile)
prompts.when_replaced(_kept.cache_clear)


def _compiled(how: str, kind: Any) -> Output:
    if kind is BaseModel:
        raise ConfigurationError(f"{kind!r} has no fields: write a model of your own, class User(BaseModel).")
    if kind in _OPEN or (how == "many" and (get_origin(kind) or kind) in _LISTS and not get_args(kind)):
        name = getattr(kind, "__name__", str(kind))
        raise ConfigurationError(f"response_model={name} does not say of what: write {name}[User].")
    if how != "growing" and get_origin(kind) is Partial:
        raise ConfigurationError(f"{kind!r} is not an item type: a list gives whole items; use create_partial.")
    try:
        hash(kind)
    except TypeError:  # Annotated with a dict, say
        return _compile(how, kind)
    return _kept(how, kind)
