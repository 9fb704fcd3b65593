"""`instructor play`: a page to watch an extraction live."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from instructor._install import install_command
from instructor.cli.messages import errors_reported
from instructor.cli.types import module_of
from instructor.exceptions import ConfigurationError

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="A Python file whose classes can be asked for; a text to begin with; stores and recordings."),
]


def play(
    files: Files = None,
    model: Annotated[str, typer.Option("--model", "-m", help="provider/model, or local.")] = "local",
    port: Annotated[int, typer.Option(help="The port; 0 is any that is free.", min=0, max=65535)] = 8765,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Open a page on which an extraction can be watched, on 127.0.0.1 only, until Ctrl-C.

    Example: instructor play shapes.py --model openai/gpt-4o-mini
    """
    with errors_reported("instructor play --help shows what it takes"):
        app = _module("app")
        session = app.Session(model=model, **_given(files or []))
    with errors_reported("--port 0 takes one that is free; a store is made by instructor extract --store FILE"):
        server = app.PageServer(session, port)
    sys.stdout.write(f"The page is at {server.root} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    if browser:
        webbrowser.open(server.root)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


_STORES = (".sqlite", ".sqlite3", ".db")
"""How the names of stores end: such a file need not be there yet."""


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\x00"


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"instructor.web.{name}")
    except ModuleNotFoundError as error:
        if str(error.name).startswith("instructor"):
            raise
        raise ConfigurationError(f"The page needs the module {error.name!r}: {install_command('web')}") from error


def _given(files: list[Path]) -> dict[str, Any]:
    """Return what the files are for the page."""
    recordings = _module("recordings")
    found: dict[str, Any] = {"classes": {}, "files": {}, "stores": [], "recordings": []}
    for path in files:
        if path.suffix == ".py":
            classes = _classes(path)
            found["classes"] |= classes
            found["files"] |= dict.fromkeys(classes, str(path))
        elif path.suffix in _STORES or _is_sqlite(path):
            found["stores"].append(path)
        elif recordings.is_recording(path):
            found["recordings"].append(recordings.Recording(path))
        else:
            from instructor.bulk.inputs import read_document

            found["text"] = read_document(str(path)).text
    return found


def _classes(path: Path) -> dict[str, Any]:
    """Return the models that a Python file defines."""
    from pydantic import BaseModel

    module = module_of(path)
    classes = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, BaseModel) and value.__module__ == module.__name__
    }
    if not classes:
        raise ConfigurationError(f"{str(path)!r} defines no pydantic model.")
    return classes
