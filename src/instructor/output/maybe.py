"""`Maybe(T)`: an answer that may say that there is no T, and why."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, create_model

from instructor.engine import prompts
from instructor.output import schema as schemas

T = TypeVar("T")


class Possible(BaseModel, Generic[T]):
    """A `T`, or a message that says why there is none. It is true where there is one."""

    result: T | None = Field(default=None, description=prompts.MAYBE_RESULT)
    error: bool = Field(default=False, description=prompts.MAYBE_ERROR)
    message: str | None = Field(default=None, description=prompts.MAYBE_MESSAGE)

    def __bool__(self) -> bool:
        return self.result is not None


def Maybe(model: type[T]) -> type[Possible[T]]:  # noqa: N802 - the field's name for it
    """Make the model `MaybeT`, whose `result` is a T or None; twice the same for the same T."""
    kind: Any = model
    made: type[Possible[T]] = _made(kind)
    return made


@lru_cache(maxsize=512)
def _made(model: Any) -> Any:
    name = schemas.name_of(model)
    doc = prompts.EXTRACT_MAYBE.format(name=name)
    return create_model(schemas.legal(f"Maybe{name}"), __base__=Possible[model], __doc__=doc)
