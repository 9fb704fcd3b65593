"""The command line's groups. A group is a module of its own that imports what it needs when a command runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from instructor._version import __version__
from instructor.cli import extract, known, local, schema, stores

app = typer.Typer(name="instructor", no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(extract.extract)
app.command()(stores.runs)
app.command()(stores.show)
app.command("providers")(known.list_providers)
app.command()(schema.schema)
app.add_typer(local.group, name="local")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"instructor {__version__}\n")
        raise typer.Exit


@app.callback()
def instructor(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Typed objects from language models."""
