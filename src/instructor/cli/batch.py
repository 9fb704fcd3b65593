"""`instructor batch`: batches of a provider, with the functions of `instructor.batch`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from instructor.cli.messages import FAILED, requests_reported, tell
from instructor.cli.output import Refresh, at, counted, quiet_pipe, show_table
from instructor.cli.types import type_of
from instructor.exceptions import ConfigurationError

group = typer.Typer(no_args_is_help=True, help="Batches: thousands of requests within a day, for half the price.")
Provider = Annotated[str, typer.Option(help="openai, anthropic, mistral or google.")]
BatchId = Annotated[str, typer.Option(help="The id of the batch.")]
Model = Annotated[str, typer.Option("--model", "-m", help="provider/model.")]
Schema = Annotated[
    str,
    typer.Option(
        "--schema", "--response-model", "-s",
        help='The type of each answer: module:Class, file.py:Class, a JSON Schema file, or fields: "name, age int".',
    ),
]  # fmt: skip
_HINT = "instructor batch list shows the batches; instructor providers whether the key is set"


def _processor(model: str, kind: Any = None) -> Any:
    """Return what makes and follows batches; without a type it cannot read answers."""
    from instructor.batch import BatchProcessor

    return BatchProcessor(model, dict[str, Any] if kind is None else kind)


def _of(provider: str) -> Any:
    return _processor(f"{provider}/any")


@group.command("list")
def list_batches(
    provider: Provider = "openai",
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 10,
    live: Annotated[bool, typer.Option("--live", help="Draw the list again, until Ctrl-C.")] = False,
    poll: Annotated[float, typer.Option(help="Seconds between two drawings.", min=0.1)] = 10,
    screen: Annotated[bool, typer.Option("--screen", help="As --live, on the whole screen.")] = False,
) -> None:
    """List the batches.

    Example: instructor batch list --provider anthropic --live
    """
    with requests_reported(_HINT), quiet_pipe():
        processor = _of(provider)

        def rows() -> list[dict[str, object]]:
            return [
                {"id": batch.id, "status": batch.status.value, "requests": batch.total, "done": batch.completed,
                 "failed": batch.failed, "created": at(batch.created)}
                for batch in processor.list_batches(limit)
            ]  # fmt: skip

        show_table(rows, "There are no batches.", Refresh(poll if live or screen else None, screen))


@group.command()
def create(
    messages_file: Annotated[
        Path, typer.Option(help='JSON lines: a list of messages each, or an object with "messages" (and "custom_id").')
    ],
    model: Model,
    schema: Schema,
    output_file: Annotated[Path, typer.Option("--output-file", "-o", help="The file to write.")] = Path(
        "batch_requests.jsonl"
    ),
    max_tokens: Annotated[int | None, typer.Option(help="The most tokens of each answer.", min=1)] = 1000,
    temperature: Annotated[float | None, typer.Option(help="That of each request (default: the provider's).")] = None,
) -> None:
    """Write a file of requests, one for each conversation.

    Example: instructor batch create --messages-file texts.jsonl -m openai/gpt-4o-mini -s "name, age int"
    """
    with requests_reported('each line of the file is like [{"role": "user", "content": "Ann is 1"}]'):
        names, conversations = _conversations(messages_file)
        processor = _processor(model, type_of(schema))
        processor.create_batch_from_messages(conversations, output_file, max_tokens, temperature, names)
        count, file = counted(len(conversations), "request"), shlex.quote(str(output_file))
        tell(f"{count} in {str(output_file)!r}.", f"instructor batch submit -m {model} -f {file}")


@group.command()
def submit(
    model: Model,
    file_path: Annotated[Path, typer.Option("--file-path", "-f", help="The file of requests.")] = Path(
        "batch_requests.jsonl"
    ),
    description: Annotated[str | None, typer.Option(help="Kept with the batch, where the provider can.")] = None,
) -> None:
    """Send a file of requests, and print the id of the batch.

    Example: instructor batch submit -m openai/gpt-4o-mini --file-path batch_requests.jsonl
    """
    with requests_reported(_HINT), quiet_pipe():
        if not file_path.is_file():
            raise ConfigurationError(f"There is no file {str(file_path)!r}: instructor batch create writes one.")
        key = "display_name" if model.startswith("google/") else "description"
        typer.echo(_processor(model).submit_batch(file_path, None if description is None else {key: description}))


group.command("create-from-file", help="The same as submit.", hidden=True)(submit)


@group.command()
def status(batch_id: BatchId, provider: Provider = "openai") -> None:
    """Print how far a batch is: pending, processing, completed, failed, cancelled or expired.

    Example: instructor batch status --batch-id batch_abc123
    """
    with requests_reported(_HINT), quiet_pipe():
        typer.echo(_of(provider).get_batch_status(batch_id).status.value)


@group.command()
def cancel(batch_id: BatchId, provider: Provider = "openai") -> None:
    """Cancel a batch. What was answered before can be read.

    Example: instructor batch cancel --batch-id batch_abc123
    """
    with requests_reported(_HINT):
        tell(f"{batch_id} is {_of(provider).cancel_batch(batch_id).status.value}.")


@group.command()
def delete(batch_id: BatchId, provider: Provider = "openai") -> None:
    """Delete a batch that has ended, where the provider can.

    Example: instructor batch delete --batch-id msgbatch_abc123 --provider anthropic
    """
    with requests_reported(_HINT):
        _of(provider).delete_batch(batch_id)
        tell(f"{batch_id} is deleted.")


@group.command()
def download_file(
    batch_id: BatchId,
    download_file_path: Annotated[Path, typer.Option(help="The file to write.")] = Path("batch_results.jsonl"),
    provider: Provider = "openai",
) -> None:
    """Write the provider's lines of a batch that has ended.

    Example: instructor batch download-file --batch-id batch_abc123
    """
    with requests_reported(_HINT):
        lines = _of(provider).get_results(batch_id, download_file_path)
        tell(f"{counted(len(lines), 'line')} in {str(download_file_path)!r}.")


@group.command()
def results(
    batch_id: BatchId,
    model: Model,
    schema: Schema,
    output_file: Annotated[Path | None, typer.Option("--output-file", "-o", help="Default: standard output.")] = None,
) -> None:
    """Write the values of a batch that has ended, as JSON lines; status 3 if a request has none.

    Example: instructor batch results --batch-id batch_abc123 -m openai/gpt-4o-mini -s "name, age int"
    """
    from pydantic_core import to_json

    with requests_reported(_HINT), quiet_pipe():
        found = _processor(model, type_of(schema)).get_results(batch_id)
        lines: list[dict[str, Any]] = [
            {"custom_id": each.custom_id, "value": each.result}
            if each.success
            else {"custom_id": each.custom_id, "error": each.error_type, "message": each.error_message}
            for each in found
        ]
        text = "".join(to_json(line).decode() + "\n" for line in lines)
        if output_file is None:
            typer.echo(text, nl=False)
        else:
            output_file.write_text(text, "utf-8")
        if failed := sum(not each.success for each in found):
            tell(f"{counted(failed, 'request')} without a value.")
            raise typer.Exit(FAILED)


def _conversations(file: Path) -> tuple[list[str] | None, list[Any]]:
    """Return the names of the lines of a file, if it has names, and the conversations."""
    if not file.is_file():
        raise ConfigurationError(f"There is no file {str(file)!r}.")
    names: list[str] = []
    conversations: list[Any] = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            raise ConfigurationError(f"Line {number} of {str(file)!r} is not JSON: {error}.") from None
        if isinstance(found, dict) and isinstance(name := found.get("custom_id"), str):
            names.append(name)
        conversations.append(found.get("messages") if isinstance(found, dict) else found)
        if not isinstance(conversations[-1], list):
            raise ConfigurationError(f"Line {number} of {str(file)!r} must be a list of messages, got {line[:60]!r}.")
    if names and len(names) != len(conversations):
        raise ConfigurationError(f"All lines of {str(file)!r} must have a custom_id, or none: {len(names)} have one.")
    return names or None, conversations
