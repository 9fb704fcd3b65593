"""`instructor jobs`: fine-tuning at OpenAI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from instructor.cli.files import check_file, openai_client, uploaded
from instructor.cli.messages import requests_reported, tell
from instructor.cli.output import Refresh, at, quiet_pipe, show_table

group = typer.Typer(no_args_is_help=True, help="Fine-tuning at OpenAI.")
Model = Annotated[str, typer.Option(help="The model that learns.")]
Epochs = Annotated[int | None, typer.Option(help="How often all lines are seen (default: OpenAI decides).", min=1)]
BatchSize = Annotated[int | None, typer.Option(help="Lines a step (default: OpenAI decides).", min=1)]
Rate = Annotated[float | None, typer.Option(help="Factor of the learning rate (default: OpenAI decides).", min=0)]
Suffix = Annotated[str | None, typer.Option(help="A part of the new model's name.")]
_HINT = "instructor jobs list shows the jobs"
_MODEL = "gpt-4o-mini-2024-07-18"


@group.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 5,
    live: Annotated[bool, typer.Option("--live", help="Draw the list again, until Ctrl-C.")] = False,
    poll: Annotated[float, typer.Option(help="Seconds between two drawings.", min=0.1)] = 5,
    screen: Annotated[bool, typer.Option("--screen", help="As --live, on the whole screen.")] = False,
) -> None:
    """List the jobs.

    Example: instructor jobs list --live
    """
    with requests_reported("instructor providers shows whether the key is set"), quiet_pipe():
        client = openai_client()

        def rows() -> list[dict[str, object]]:
            return [
                {"id": job.id, "model": job.model, "status": job.status, "created": at(job.created_at),
                 "result": job.fine_tuned_model}
                for job in client.fine_tuning.jobs.list(limit=limit).data
            ]  # fmt: skip

        show_table(rows, "There are no jobs.", Refresh(poll if live or screen else None, screen))


@group.command()
def create_from_id(
    id: Annotated[str, typer.Argument(help="The id of an uploaded file.")],  # noqa: A002 - the name in messages
    model: Model = _MODEL,
    n_epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate_multiplier: Rate = None,
    validation_file_id: Annotated[str | None, typer.Option(help="The id of a file with lines to test with.")] = None,
    model_suffix: Suffix = None,
) -> None:
    """Start a job with a file that was uploaded, and print its id.

    Example: instructor jobs create-from-id file-abc123 --n-epochs 3
    """
    with requests_reported(_HINT), quiet_pipe():
        rules = _rules(n_epochs, batch_size, learning_rate_multiplier)
        _start(openai_client(), id, model, rules, validation_file_id, model_suffix)


@group.command()
def create_from_file(
    file: Annotated[Path, typer.Argument(help="Lines for fine-tuning.")],
    model: Model = _MODEL,
    poll: Annotated[float, typer.Option(help="Seconds between two questions whether files are processed.", min=0)] = 2,
    n_epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate_multiplier: Rate = None,
    validation_file: Annotated[Path | None, typer.Option(help="Lines to test with.")] = None,
    model_suffix: Suffix = None,
) -> None:
    """Upload a file, start a job with it, and print its id.

    Example: instructor jobs create-from-file people.jsonl --model-suffix people
    """
    with requests_reported(_HINT), quiet_pipe():
        files = [file] if validation_file is None else [file, validation_file]
        for each in files:
            check_file(each)
        client = openai_client()
        ids = [uploaded(client, each, "fine-tune", poll) for each in files]
        rules = _rules(n_epochs, batch_size, learning_rate_multiplier)
        _start(client, ids[0], model, rules, ids[1] if validation_file is not None else None, model_suffix)


@group.command()
def cancel(id: Annotated[str, typer.Argument(help="The id of the job: ftjob-...")]) -> None:  # noqa: A002
    """Cancel a job.

    Example: instructor jobs cancel ftjob-abc123
    """
    with requests_reported(_HINT):
        job = openai_client().fine_tuning.jobs.cancel(id)
        tell(f"{job.id} is {job.status}.")


def _rules(n_epochs: int | None, batch_size: int | None, learning_rate_multiplier: float | None) -> dict[str, Any]:
    rules = {"n_epochs": n_epochs, "batch_size": batch_size, "learning_rate_multiplier": learning_rate_multiplier}
    return {name: value for name, value in rules.items() if value is not None}


def _start(
    client: Any, file: str, model: str, rules: dict[str, Any], validation: str | None, suffix: str | None
) -> None:
    more = {"suffix": suffix, "validation_file": validation}
    given: dict[str, Any] = {name: value for name, value in more.items() if value is not None}
    if rules:
        given["method"] = {"type": "supervised", "supervised": {"hyperparameters": rules}}
    job = client.fine_tuning.jobs.create(training_file=file, model=model, **given)
    tell(f"{job.model} learns from {file}.")
    typer.echo(job.id)
