"""`instructor local`: the embedded model."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from instructor._install import install_command
from instructor.cli.messages import USAGE, errors_reported, tell
from instructor.exceptions import ConfigurationError

group = typer.Typer(no_args_is_help=True, help="The embedded model: a small language model on this machine.")

Model = Annotated[str, typer.Option(help="The embedded model's name, or the path of a GGUF file.")]
_NAMED = "smollm2-135m"
_INSTALL = "nothing is changed if this fails: the same command tries again"
_MODELS = "instructor local install puts the model in place; --model takes the path of a GGUF file of yours"


@group.command()
def install() -> None:
    """Put the embedded model's weights in place (94 MB, Apache-2.0).

    Example: instructor local install
    """
    with errors_reported(_INSTALL, mistake=1, failure=1):
        weights = importlib.import_module("instructor.local.weights")
        _say(f"The weights are in {weights.install()}")
        weights.check()


@group.command()
def serve(
    port: Annotated[int, typer.Option(help="The port; 0 is any that is free.", min=0, max=65535)] = 8000,
    model: Model = _NAMED,
) -> None:
    """Serve the model to programs written for OpenAI, on 127.0.0.1 only, until Ctrl-C.

    Example: instructor local serve --port 8000
    """
    with errors_reported(_MODELS, mistake=1, failure=1):
        loaded = _model(model)
    with errors_reported("--port 0 takes one that is free", mistake=1, failure=1):
        server = _module("server").Server(loaded, port)
        _say(f"Listening on {server.base_url}\nOPENAI_BASE_URL={server.base_url} OPENAI_API_KEY=local")
        with contextlib.suppress(KeyboardInterrupt):
            server.run()


@group.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    script: Annotated[Path, typer.Argument(help="A Python script that uses OpenAI's SDK.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="The script's own arguments.")] = None,
    model: Model = _NAMED,
    grace: Annotated[float, typer.Option(help="Seconds that the script has to end when it is asked to.", min=0)] = 5.0,
) -> None:
    """Run a script on the embedded model instead of OpenAI; end with the script's status.

    Example: instructor local run script.py
    """
    if not script.is_file():
        tell(f"There is no script {str(script)!r}.", "the first argument is the path of a Python file")
        raise typer.Exit(USAGE)
    with errors_reported(_MODELS, mistake=1, failure=1):
        status = _module("launch").run_script(script, arguments or [], _model(model), grace=grace)
    raise typer.Exit(status)


def _model(name: str) -> Any:
    """Load the model now, so that no request waits for it and no error comes late."""
    model = _module("chat").LocalModel(name)
    _module("engine").engine(model.path)
    return model


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"instructor.local.{name}")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The embedded model needs the module {error.name!r}: {install_command('local')}"
        ) from error


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
