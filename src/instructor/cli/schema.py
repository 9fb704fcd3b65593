"""`instructor schema`: the schema that a provider's constrained decoding gets, and what is lost in it."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from instructor.cli.messages import errors_reported
from instructor.cli.output import quiet_pipe
from instructor.cli.types import imported


def schema(
    model: Annotated[str, typer.Argument(help="The type, as package.module:Name.", metavar="MODEL")],
    provider: Annotated[str, typer.Option("--provider", "-p", help="The provider whose form is wanted.")] = "openai",
) -> None:
    """Print a type's JSON Schema as a provider's strict modes take it; what is lost by that goes to stderr.

    The status is 1 if the type has no such form.

    Example: instructor schema shapes.py:Person --provider anthropic
    """
    from instructor import providers
    from instructor.outputs import output_for

    with errors_reported("for example: instructor schema shapes.py:Person --provider openai"):
        plain = output_for(imported(model)).schema
        fitted = providers.load(provider).fitted(plain)
    with quiet_pipe():
        sys.stdout.write(json.dumps(fitted.schema or plain, indent=2, ensure_ascii=False) + "\n")
    if fitted.schema is None:
        _tell(f"{provider} cannot be held to this schema; it is shown as it is. In the way:", fitted.obstacles)
        raise typer.Exit(1)
    if fitted.losses:
        _tell(
            f"What {provider} does not hold a model to, or asks for beyond it (validation goes by the type):",
            fitted.losses,
        )


def _tell(head: str, lines: list[str]) -> None:
    sys.stderr.write("\n  ".join([head, *lines]) + "\n")
