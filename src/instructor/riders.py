"""What rides along with a result: the SDK's response, the tokens, the report. It shows in no dump and no comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel


class _Unlisted(str):
    """An attribute's name that `dict(model)` passes over, as it does names that begin with an underscore."""

    __slots__ = ()

    def startswith(self, *prefix: Any) -> bool:
        return prefix[:1] == ("_",) or super().startswith(*prefix)


_REPORT = _Unlisted("report")


def _is_read_again(model: BaseModel) -> bool:
    """Whether pydantic reads an instance's own dict again where it meets it, and would keep or refuse riders there."""
    config = model.model_config
    return config.get("revalidate_instances", "never") != "never" and config.get("extra", "ignore") != "ignore"


def attach(value: Any, *, raw_response: Any, total_usage: Any, report: Any) -> Any:
    """Give a model its riders, in the instance's own dict: its class, equality and dumps stay as they were."""
    if isinstance(value, BaseModel) and not _is_read_again(value):  # TypedDicts, scalars, slotted classes have no room
        riders = vars(value)
        riders["_raw_response"], riders["_total_usage"] = raw_response, total_usage
        cls, extra = type(value), value.model_extra or ()
        if not (hasattr(cls, "report") or "report" in cls.model_fields or "report" in extra):
            riders[_REPORT] = report
    return value


_USAGES = ("usage", "usage_metadata")
"""Where responses say their tokens."""


def totalled(raw: Any, earlier: Iterable[Any]) -> Any:
    """Return a response whose counts of tokens are the sums over all attempts, those of earlier responses included.

    It is a copy: the provider's own response, `_raw_response`, is never changed.
    """
    others = list({id(each): each for each in earlier if each is not raw}.values())
    for name in _USAGES if others else ():
        usage = _part(raw, name)
        if usage is not None:
            for other in others:
                usage = _sum(usage, _part(other, name))
            return _with(raw, {name: usage})
    return raw


def _sum(one: Any, two: Any) -> Any:
    """Add up numbers, and what holds them, by name; what is no number stays as the later response says it."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return one + two
    if two is None:
        return one
    if one is None:
        return two if isinstance(two, (int, float, BaseModel, Mapping)) else None
    if isinstance(one, (BaseModel, Mapping)) and isinstance(two, (BaseModel, Mapping)):
        return _with(one, {name: _sum(_part(one, name), _part(two, name)) for name in (*_names(one), *_names(two))})
    return one


def _names(whole: Any) -> list[str]:
    return list(whole) if isinstance(whole, Mapping) else [*vars(whole), *(whole.model_extra or ())]


def _part(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, Mapping) else getattr(whole, name, None)


def _with(whole: Any, parts: Mapping[str, Any]) -> Any:
    """Copy a response, or a part of one, and put these values into it."""
    if isinstance(whole, Mapping):
        return {**whole, **parts}
    return whole.model_copy(update=dict(parts)) if isinstance(whole, BaseModel) else whole
