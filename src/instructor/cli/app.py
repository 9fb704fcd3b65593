"""The command line's groups. A group is a module of its own that imports what it needs when a command runs."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from instructor._version import __version__
from instructor.cli import batch, extract, files, jobs, known, local, play, schema, stores
from instructor.cli.messages import INTERRUPTED, USAGE, tell

app = typer.Typer(name="instructor", no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(extract.extract)
app.command()(stores.runs)
app.command()(stores.show)
app.command("providers")(known.list_providers)
app.command()(schema.schema)
app.command()(play.play)
app.add_typer(local.group, name="local")
app.add_typer(batch.group, name="batch")
app.add_typer(files.group, name="files")
app.add_typer(jobs.group, name="jobs")


def run() -> int:
    """Run the command, and return its status."""
    if not sys.stdout.isatty():  # a file or pipe gets the same bytes on every system
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    try:
        return app(standalone_mode=False) or 0
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        message: Any = getattr(error, "format_message", None)  # what the command line's reader raises has it
        if message is None:
            raise
        text = message()
        if text:  # else it has shown the help
            path = getattr(getattr(error, "ctx", None), "command_path", "instructor")
            tell(text, f"{path} --help")
        return int(getattr(error, "exit_code", USAGE))


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
    """Typed objects from language models.

    Example: echo "Jason is 10, John is 30" | instructor extract - --schema "name, age int" --many
    """
