"""Shapes of an answer: one value, a list of items, or a value that is shown while it grows.

A shape is compiled once for a response model, not for each call.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin

from instructor.engine.ports import Output
from instructor.exceptions import ConfigurationError
from instructor.output.growing import Growing
from instructor.output.many import Many, Segmentation
from instructor.output.one import One
from instructor.output.parallel import Parallel
from instructor.output.partial import Partial

_LISTS = (
    list,
    collections.abc.Iterable,
    collections.abc.Collection,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
)
"""What a list of items may be called: `list`, and what is no more than a promise that a list keeps."""
_KEPT = 512
"""Shapes kept: enough for a program's own models, and a bound for programs that make a model for each call."""


def output_for(response_model: Any) -> Output:
    """Give the shape of `response_model`'s answer: a list for `Iterable[T]`, `list[T]` and `IterableModel(T)`."""
    item = item_of(response_model)
    if item is not None:
        return _compiled("many", item)
    if inspect.isclass(response_model) and issubclass(response_model, Segmentation):
        return _compiled("wrapper", response_model)
    if get_origin(response_model) is Partial:
        return growing_for(response_model)
    return _compiled("one", response_model)


def list_for(response_model: Any) -> Output:
    """Give the shape of a list of `response_model`, or of its items where it is a list already."""
    if item_of(response_model) is not None or (
        inspect.isclass(response_model) and issubclass(response_model, Segmentation)
    ):
        return output_for(response_model)
    return _compiled("many", response_model)


def parallel_for(response_model: Any) -> Output:
    """Give the shape of an answer that is a list of tool calls."""
    item = item_of(response_model)
    return _compiled("parallel", response_model if item is None else item)


def growing_for(response_model: Any) -> Output:
    """Give the shape of a value that is shown while it grows."""
    inner = get_args(response_model)[0] if get_origin(response_model) is Partial else response_model
    if get_origin(inner) in _LISTS:  # of Iterable, pydantic would make an iterator that validates nothing yet
        inner = list[get_args(inner)[0]]  # type: ignore[misc]
    return _compiled("growing", inner)


def item_of(response_model: Any) -> Any:
    """Give the item type of a list type; None when it is none."""
    origin = get_origin(response_model)
    if origin is Annotated:
        return item_of(get_args(response_model)[0])
    if origin in _LISTS:
        return next(iter(get_args(response_model)), None)
    return None


def _compile(how: str, kind: Any) -> Output:
    if how == "many":
        return Many(kind)
    if how == "parallel":
        return Parallel(kind)
    if how == "wrapper":
        return Many(kind.task_type, kind)
    return Growing(One(kind)) if how == "growing" else One(kind)


_kept = lru_cache(maxsize=_KEPT)(_compile)


def _compiled(how: str, kind: Any) -> Output:
    if kind is Partial or kind is collections.abc.Iterable or kind is typing.Iterable:
        raise ConfigurationError(f"{kind!r} does not say of what: write Iterable[User] or Partial[User].")
    if how != "growing" and get_origin(kind) is Partial:
        raise ConfigurationError(f"{kind!r} is not an item type: a list gives whole items; use create_partial.")
    try:
        hash(kind)
    except TypeError:  # Annotated with a dict, say
        return _compile(how, kind)
    return _kept(how, kind)
