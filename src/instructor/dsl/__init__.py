"""Types that say how an answer comes: `Partial[T]`, `Maybe(T)`, `IterableModel(T)`, `CitationMixin`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, Field, ValidationInfo, create_model, model_validator
from typing_extensions import Self

from instructor import _compat
from instructor.core import prompts
from instructor.parsing.fuzzy import place_of
from instructor.schema.types import legal, name_of, normalize_type

T = TypeVar("T")


class Partial(Generic[T]):
    """Ask for snapshots of one `T`: `create(response_model=Partial[User], stream=True)` gives `User` after `User`.

    A mark, never an instance: each snapshot is a `User`, and without `stream` so is the one answer.
    """

    def __init__(self, *_: Any, **__: Any) -> None:
        raise TypeError("Partial cannot be instantiated; pass Partial[YourModel] as response_model.")

    def __init_subclass__(cls, **_: Any) -> None:
        raise TypeError("Partial cannot be subclassed; pass Partial[YourModel] as response_model.")


class PartialLiteralMixin:
    """Nothing is needed of a model whose literals grow: this base of older programs changes nothing."""


class Possible(BaseModel, Generic[T]):
    """A `T`, or a message that says why there is none. It is true where there is one."""

    result: T | None = None
    error: bool = False
    message: str | None = None

    def __bool__(self) -> bool:
        return self.result is not None


def Maybe(model: type[T]) -> type[Possible[T]]:  # noqa: N802 - the field's name for it
    """Make the model `MaybeT`, whose `result` is a T or None; twice the same for the same T."""
    kind: Any = model
    made: type[Possible[T]] = _made(kind)
    return made


@lru_cache(maxsize=512)
def _made(model: Any) -> Any:
    name = name_of(model)
    fields: Any = {
        "result": (model | None, Field(default=None, description=prompts.MAYBE_RESULT)),
        "error": (bool, Field(default=False, description=prompts.MAYBE_ERROR)),
        "message": (str | None, Field(default=None, description=prompts.MAYBE_MESSAGE)),
    }
    doc = prompts.EXTRACT_MAYBE.format(name=name)
    return create_model(legal(f"Maybe{name}"), __base__=Possible[model], __doc__=doc, **fields)


prompts.when_replaced(_made.cache_clear)


class CitationMixin(BaseModel):
    """A model with quotes. With `context={"context": text}` each becomes the place in the text that it is like.

    A quote that is in no place of the text is left out.
    """

    substring_quotes: list[str] = Field(description=prompts.QUOTES)

    @model_validator(mode="after")
    def _found_in_context(self, info: ValidationInfo) -> Self:
        text = info.context.get("context") if isinstance(info.context, Mapping) else None
        if isinstance(text, str):  # past the validation of assignments, which would come here again
            vars(self)["substring_quotes"] = [text[start:end] for start, end in self.get_spans(text)]
        return self

    def get_spans(self, context: str) -> Iterator[tuple[int, int]]:
        """Find where each quote stands; those that stand nowhere are passed over."""
        for quote in self.substring_quotes:
            span = place_of(quote, context)
            if span is not None:
                yield span


class Segmentation(BaseModel):
    """What all wrappers of a list have in common: `task_type`, the type of their items."""

    task_type: ClassVar[Any] = None
    if TYPE_CHECKING:
        tasks: list[Any]


def IterableModel(subtask_class: Any, name: str | None = None, description: str | None = None) -> type[Segmentation]:  # noqa: N802 - the field's name for it
    """Make the wrapper object of a list: a model `IterableT` with one field, `tasks`.

    As a response model it gives the list itself. `name` stands for T's own, `description` for the docstring.
    """
    item_name = name or name_of(subtask_class)
    item: Any = normalize_type(subtask_class)
    tasks: Any = (list[item], Field(repr=False, description=prompts.tasks(item_name)))
    doc = description or prompts.segmentation(item_name)
    model = create_model(legal(f"Iterable{item_name}"), __base__=Segmentation, __doc__=doc, tasks=tasks)
    model.task_type = subtask_class
    return model


_compat.serve_older_names(__name__)
