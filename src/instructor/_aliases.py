"""Module paths of older versions: one table, and the import hook that serves it.

An old path becomes a module that holds nothing and looks each name up where it lives now, so the objects are the same.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader
else:  # that module costs more than all of `import instructor`, and the import system asks for methods only
    Loader = object

ALIASES: dict[str, tuple[str, ...]] = {
    "instructor.auto_client": ("instructor.auto",),
    "instructor.core": (
        "instructor.client",
        "instructor.exceptions",
        "instructor.from_sdk",
        "instructor.hooks",
        "instructor.patching",
    ),
    "instructor.core.client": ("instructor.client", "instructor.from_sdk"),
    "instructor.core.exceptions": ("instructor.exceptions",),
    "instructor.core.hooks": ("instructor.hooks",),
    "instructor.core.patch": ("instructor.patching",),
    "instructor.dsl": ("instructor.output.partial", "instructor.output.many"),
    "instructor.dsl.iterable": ("instructor.output.many",),
    "instructor.dsl.partial": ("instructor.output.partial",),
    "instructor.function_calls": ("instructor.mode",),
}
"""Old path: the modules that have its names now, the first that has a name giving it."""


class _OldPath(ModuleType):
    """A module of an older version: it looks a name up in the modules that have it now."""

    def __getattr__(self, name: str) -> Any:
        for home in map(import_module, ALIASES[self.__name__]):
            if name in vars(home):
                return vars(home)[name]
        return submodule(self.__name__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system sets each submodule here. It is found without that, and would hide a function of its name.
        if not isinstance(value, ModuleType):
            super().__setattr__(name, value)


class _OldPaths(Loader):
    """Finds the old paths, after all other finders have failed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002 - the same
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname in ALIASES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _OldPath(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module is as it should be."""


def submodule(package: str, name: str) -> ModuleType:
    """Import `package.name` because it was asked for as an attribute; AttributeError where there is none."""
    path = f"{package}.{name}"
    try:
        if not name.startswith("_"):
            return import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
    raise AttributeError(f"module {package!r} has no attribute {name!r}")


def install() -> None:
    """Let the old paths be imported."""
    if not any(isinstance(finder, _OldPaths) for finder in sys.meta_path):
        sys.meta_path.append(_OldPaths())
