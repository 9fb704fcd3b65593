"""An extension of griffe for `make docs`: a function with overloads is shown with the signature of its last overload.

The last overload names every argument with its default; the body below it only takes `**arguments`.
"""

from __future__ import annotations

from typing import Any

import griffe


class LastOverload(griffe.Extension):
    """Shows the parameters of the last overload, under the docstring of the function."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        self._take_over(cls)

    def on_module_members(self, *, mod: griffe.Module, **_: Any) -> None:
        self._take_over(mod)

    def _take_over(self, container: griffe.Class | griffe.Module) -> None:
        for member in container.members.values():
            if isinstance(member, griffe.Function) and member.overloads:
                member.parameters = member.overloads[-1].parameters
