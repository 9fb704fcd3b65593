"""`instructor files`: the files that OpenAI keeps for batches and fine-tuning."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from instructor.cli.messages import requests_reported, tell
from instructor.cli.output import Refresh, at, quiet_pipe, show_table
from instructor.exceptions import ConfigurationError

group = typer.Typer(no_args_is_help=True, help="The files that OpenAI keeps for you.")
FileId = Annotated[str, typer.Argument(help="The id of the file: file-...")]
_HINT = "instructor files list shows the files"


def openai_client() -> Any:
    """Return a client of OpenAI's SDK, with the key of the environment.

    Raises:
        ConfigurationError: There is no key, or no SDK.
    """
    from instructor.factories import from_provider

    return from_provider("openai/any").client


def check_file(path: Path) -> None:
    """Raise a ConfigurationError if there is no such file."""
    if not path.is_file():
        raise ConfigurationError(f"There is no file {str(path)!r}.")


def uploaded(client: Any, path: Path, purpose: str, poll: float) -> str:
    """Upload a file, wait until it is processed, and return its id.

    Raises:
        ConfigurationError: OpenAI cannot read it.
    """
    with path.open("rb") as content:
        file = client.files.create(file=content, purpose=purpose)
    while (state := client.files.retrieve(file.id).status) not in ("processed", "error"):
        time.sleep(poll)
    if state == "error":
        raise ConfigurationError(f"OpenAI cannot read {str(path)!r}. Its id is {file.id}.")
    return str(file.id)


@group.command()
def upload(
    filepath: Annotated[Path, typer.Argument(help="The file.")],
    purpose: Annotated[str, typer.Option(help="fine-tune, batch ...")] = "fine-tune",
    poll: Annotated[float, typer.Option(help="Seconds between two questions whether it is processed.", min=0)] = 5,
) -> None:
    """Upload a file, wait until it is processed, and print its id.

    Example: instructor files upload people.jsonl
    """
    with requests_reported(_HINT), quiet_pipe():
        check_file(filepath)
        typer.echo(uploaded(openai_client(), filepath, purpose, poll))


@group.command()
def download(file_id: FileId, output: Annotated[Path, typer.Argument(help="Where it is written.")]) -> None:
    """Download a file.

    Example: instructor files download file-abc123 people.jsonl
    """
    with requests_reported(_HINT):
        content = openai_client().files.content(file_id).read()
        output.write_bytes(content)
        tell(f"{len(content):,} bytes are in {str(output)!r}.")


@group.command()
def delete(file_id: FileId) -> None:
    """Delete a file.

    Example: instructor files delete file-abc123
    """
    with requests_reported(_HINT):
        openai_client().files.delete(file_id)
        tell(f"{file_id} is deleted.")


@group.command()
def status(file_id: FileId) -> None:
    """Print how far a file is: uploaded, processed or error.

    Example: instructor files status file-abc123
    """
    with requests_reported(_HINT), quiet_pipe():
        typer.echo(openai_client().files.retrieve(file_id).status)


@group.command("list")
def list_files(limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 10) -> None:
    """List the files.

    Example: instructor files list --limit 3
    """
    with requests_reported("instructor providers shows whether the key is set"), quiet_pipe():
        client = openai_client()
        show_table(
            lambda: [
                {"id": file.id, "name": file.filename, "purpose": file.purpose, "bytes": file.bytes,
                 "created": at(file.created_at), "status": file.status}
                for file in client.files.list(limit=limit).data
            ],
            "There are no files.", Refresh(None),
        )  # fmt: skip
