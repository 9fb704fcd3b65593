"""The type that a command is asked for: a class of a Python file or module, a JSON Schema, or fields in one line."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

from instructor.exceptions import ConfigurationError

_PATH = re.compile(r"([\w./\\-]+\.py|[A-Za-z_][\w.]*):([A-Za-z_]\w*)")


def type_of(text: str) -> Any:
    """Return the type that a `--schema` names or describes.

    Raises:
        ConfigurationError: There is no such file, module or class, or the fields cannot be read.
    """
    from instructor.schema.concise import concise_model

    if text.endswith(".json"):
        return _of_json_schema(Path(text))
    if match := _PATH.fullmatch(text):
        where, name = match.groups()
        if where.endswith(".py"):
            return _attribute(module_of(Path(where)), name, text)
        if name not in ("str", "text") and (found := _module(where)) is not None:
            return _attribute(found, name, text)
    return concise_model(text)


def imported(path: str) -> Any:
    """Return what `package.module:Name` or `file.py:Name` names, from the current directory too.

    Raises:
        ConfigurationError: There is no such thing.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ConfigurationError(f"{path!r} names no type: write package.module:Name or file.py:Name.")
    where, name = match.groups()
    module = module_of(Path(where)) if where.endswith(".py") else _module(where)
    if module is None:
        raise ConfigurationError(f"{path!r} cannot be found: No module named {where!r}.")
    return _attribute(module, name, path)


def _module(name: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            return None
        raise ConfigurationError(f"{name!r} cannot be imported: {error}.") from error


def module_of(path: Path) -> Any:
    """Import a Python file, and return its module."""
    if not path.is_file():
        raise ConfigurationError(f"There is no file {str(path)!r}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigurationError(f"{str(path)!r} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _attribute(module: Any, name: str, path: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise ConfigurationError(f"{path!r} cannot be found: {error}.") from error


def _of_json_schema(path: Path) -> Any:
    from instructor.schema.concise import model_of_schema

    try:
        schema = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"There is no file {str(path)!r}.") from None
    except ValueError as error:
        raise ConfigurationError(f"{str(path)!r} is not a JSON Schema of an object: {error}") from error
    try:
        return model_of_schema(schema, path.stem.title().replace("_", "").replace("-", "").replace(".", ""))
    except ConfigurationError as error:
        raise ConfigurationError(f"{str(path)!r}: {error}") from error
