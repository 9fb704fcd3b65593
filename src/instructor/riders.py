"""What rides along with a result: the SDK's response, the tokens, the report. It shows in no dump and no comparison."""

from __future__ import annotations

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
