"""`Partial[T]`: a response model that grows while it is streamed."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

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
