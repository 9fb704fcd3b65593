"""`instructor extract`: typed items out of a text, or out of thousands of files and rows.

One text is streamed: each item is written when its last bracket has arrived. Several inputs, or a store or file to
write to, are a bulk run (`client.map`): it can be stopped, and goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_origin

import typer

from instructor.cli.messages import BUDGET, FAILED, USAGE, errors_reported, tell
from instructor.cli.output import WRITERS, Format, Progress, Writer, quiet_pipe
from instructor.cli.types import type_of
from instructor.exceptions import ConfigurationError, InstructorError
from instructor.mode import Mode

_LOCAL = "local"
_LOCAL_CALLS = 4
"""Calls in flight on the embedded model."""
_EXAMPLE = 'echo "Jason is 10, John is 30" | instructor extract - --schema "name, age int" --many'

Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, globs, tables (.csv, .jsonl, .parquet, .xlsx); - is standard input."),
]
Schema = Annotated[
    str,
    typer.Option(
        "--schema", "-s", help='module:Class, file.py:Class, a JSON Schema file, or fields: "name, age int, email?".'
    ),
]
Form = Annotated[Format | None, typer.Option("--format", "-f", help="Default: jsonl; in a terminal a table.")]


class Output(NamedTuple):
    """Where values go: to a writer, or into a file when the run has ended."""

    writer: Writer | None
    file: Path | None


def extract(
    inputs: Inputs,
    schema: Schema,
    many: Annotated[bool, typer.Option("--many", help="A list of items in each text, instead of one.")] = False,
    model: Annotated[str, typer.Option("--model", "-m", help="provider/model, or local.")] = _LOCAL,
    prompt: Annotated[str | None, typer.Option(help="An instruction, or a template: {{ text }} is the text.")] = None,
    mode: Annotated[str | None, typer.Option(help="How the answer is asked for: tools, json, md_json ...")] = None,
    form: Form = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a .jsonl, .csv or .parquet file.")] = None,
    store: Annotated[Path | None, typer.Option(help="Keep the answers: the same command goes on after them.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="The most calls in flight (64; local: 4).", min=1)] = None,
    rpm: Annotated[int | None, typer.Option(help="Requests a minute.", min=1)] = None,
    tpm: Annotated[int | None, typer.Option(help="Tokens a minute.", min=1)] = None,
    max_cost: Annotated[float | None, typer.Option(help="Stop when this much money is spent.")] = None,
    engine: Annotated[str, typer.Option(help="asyncio, or ray.")] = "asyncio",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take. No request is made.")] = False,
    limit: Annotated[int | None, typer.Option(help="Read this many rows at most.", min=1)] = None,
    sample: Annotated[int | None, typer.Option(help="Choose this many rows at random.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Chooses the sample.")] = 0,
    confirm_over: Annotated[float | None, typer.Option(help="Ask before a run that costs more.", min=0)] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask again for rows that failed.")] = False,
) -> None:
    """Extract typed items from texts.

    Example: echo "Jason is 10, John is 30" | instructor extract - --schema "name, age int" --many

    Status: 0 all is well, 2 the command is wrong, 3 something failed, 4 the budget is spent, 130 or 143 interrupted.
    """
    with errors_reported(f"for example: {_EXAMPLE}"):
        kind, text = type_of(schema), _text(inputs)
        is_one = text is not None and not (out or store or dry_run)
        client = _client(model, mode, is_async=not is_one)
        rows = _rows(inputs) if text is None else [text]
    chosen = form or (Format.table if sys.stdout.isatty() else Format.jsonl)
    if text is not None and is_one:
        raise typer.Exit(_one(client, kind, _messages(prompt, text), WRITERS[chosen](), many=many))
    limits = {"concurrency": concurrency or (_LOCAL_CALLS if model == _LOCAL else None), "rpm": rpm, "tpm": tpm}
    response_model: Any = Iterable[kind] if many else kind  # type: ignore[valid-type]
    given = {
        "rows": rows, "response_model": response_model,
        "messages": prompt, "store": store, "engine": engine, "limit": limit, "sample": sample, "seed": seed,
        "limits": _limits(**limits, max_cost=max_cost), "retry_failed": retry_failed,
    }  # fmt: skip
    with errors_reported():
        if dry_run:
            _print_estimate(client.map(**given).estimate())
            return
        if confirm_over is not None:
            _confirm(client.map(**given).estimate(), confirm_over)
        status = _many(client, given, Output(None if out else WRITERS[chosen](), out))
    raise typer.Exit(status)


def _limits(**limits: Any) -> Any:
    kind = importlib.import_module("instructor.bulk").Limits
    with errors_reported():
        return kind(**{name: value for name, value in limits.items() if value is not None})


def _client(model: str, mode: str | None, *, is_async: bool) -> Any:
    from instructor.factories import from_provider

    chosen = None
    if mode is not None:
        try:
            chosen = Mode[mode.upper().replace("-", "_")]
        except KeyError:
            known = ", ".join(each.name.lower() for each in list(Mode)[:7])
            raise ConfigurationError(f"--mode must be one of {known}, got {mode!r}.") from None
    return from_provider(model, is_async, mode=chosen)


def _text(inputs: list[str]) -> str | None:
    """Return the one text that is asked about; None if there are several inputs, or a table of rows."""
    from instructor.bulk.inputs import MEDIA, TABLES, read_document

    if "-" in inputs:
        if len(inputs) > 1:
            raise ConfigurationError("- stands alone: it reads one text from standard input.")
        if sys.stdin.isatty():
            raise ConfigurationError("There is no text: - reads what is sent into the command.")
        return _some(sys.stdin.read())
    path = Path(inputs[0])
    if len(inputs) > 1 or not path.is_file() or path.suffix.lower() in (*TABLES, *MEDIA):
        return None
    return _some(read_document(path).text)


def _some(text: str) -> str:
    if not text.strip():
        raise ConfigurationError("The text is empty.")
    return text


def _rows(inputs: list[str]) -> Any:
    """Return the rows of all inputs."""
    from instructor.bulk.inputs import joined, source_of

    return joined([source_of(each) for each in inputs])


def _messages(prompt: str | None, text: str) -> dict[str, Any]:
    """Return the arguments of a call for one text."""
    if prompt is not None and "{{" in prompt:
        return {"messages": [{"role": "user", "content": prompt}], "context": {"text": text}}
    return {"messages": [{"role": "user", "content": text if prompt is None else f"{prompt}\n\n{text}"}]}


def _one(client: Any, kind: Any, messages: dict[str, Any], writer: Writer, *, many: bool) -> int:
    """Stream the items of one text, and return the status."""
    status = 0
    with _interrupted_by(signal.SIGTERM), quiet_pipe():
        try:
            if many:
                with client.create_iterable(response_model=kind, **messages) as stream:
                    for item in stream:
                        writer.add(item)
            else:
                writer.add(client.create(kind, **messages))
        except KeyboardInterrupt as interrupt:
            status = 128 + int(interrupt.args[0] if interrupt.args else signal.SIGINT)
        except BrokenPipeError:
            raise
        except Exception as error:  # those of SDKs have no class in common
            tell(_first_line(error))
            status = USAGE if isinstance(error, ConfigurationError) else FAILED
        writer.close()
    return status


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] if isinstance(error, InstructorError) else f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _interrupted_by(number: signal.Signals) -> Iterator[None]:
    """Let a signal interrupt as Ctrl-C does; the KeyboardInterrupt has its number then."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.signal(number, before)


def _many(client: Any, given: dict[str, Any], output: Output) -> int:
    """Run over many inputs, and return the status."""
    if output.file is not None:
        importlib.import_module("instructor.bulk.export").format_of(output.file)
    with tempfile.TemporaryDirectory() as folder:
        goes_on = given["store"] is not None
        given["store"] = given["store"] or (Path(folder) / "run.sqlite" if output.file else None)
        progress = Progress()
        run = client.map(**given, on_progress=progress)
        status, reason = asyncio.run(_read(run, output.writer))
        progress.close(run.report)
        if output.file is not None and run.report.rows:
            is_list = get_origin(given["response_model"]) is Iterable
            tell(f"{run.store.export(output.file, explode=is_list).rows} lines are in {str(output.file)!r}.")
        if status:
            hint = "the same command goes on after these rows" if goes_on else "with --store FILE a run can go on"
            tell(reason or f"Stopped after {run.report.rows} rows.", hint)
    return status or (FAILED if run.report.failed else 0)


async def _read(run: Any, writer: Writer | None) -> tuple[int, str]:
    """Write what comes; return the status, and why the run has stopped."""
    bulk = importlib.import_module("instructor.bulk")
    reading = asyncio.current_task()
    assert reading is not None
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        if len(signals) > 1:
            reading.cancel()
            return
        run.stop()
        tell(f"Stopping: {run.report.in_flight} calls in flight end first. Once more cancels them.")

    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C interrupts at once
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        with quiet_pipe():
            async with run:
                async for row in run:
                    _write(row, writer)
            if writer is not None:
                writer.close()
    except bulk.BudgetReachedError as error:
        return BUDGET, str(error)
    except bulk.JobStoppedError as error:
        return FAILED, str(error)
    except asyncio.CancelledError:
        pass
    return (128 + signals[0], "") if signals else (0, "")


def _write(row: Any, writer: Writer | None) -> None:
    if row.error is not None:
        tell(f"{row.key}: {row.error.kind}: {_first_line(row.error)}")
    elif writer is not None:
        for item in row.value if isinstance(row.value, list) else [row.value]:
            writer.add(item, row.key)


def _print_estimate(estimate: Any) -> None:
    lines = [
        ("rows", f"{estimate.rows:,}"),
        ("answered before", f"{estimate.done:,}"),
        ("duplicates", f"{estimate.duplicates:,}"),
        ("requests", f"{estimate.requests:,}"),
        ("tokens", f"{estimate.tokens_low:,} to {estimate.tokens_expected:,}"),
    ]
    if estimate.cost_low is None:
        lines.append(("cost", "not known: no prices"))
    else:
        lines.append(("cost", f"{estimate.cost_low:,.4f} to {estimate.cost_expected:,.4f}"))
    if estimate.seconds is not None:
        lines.append(("time at the limits", f"{estimate.seconds / 3600:,.2f} hours"))
    for name, value in lines:
        sys.stdout.write(f"{name:20}{value}\n")
    for message in estimate.prompt:
        sys.stdout.write(f"\n{message['role']}:\n{message['content']}\n")


def _confirm(estimate: Any, most: float) -> None:
    if estimate.cost_expected is None:
        raise ConfigurationError("--confirm-over needs prices: pip install genai-prices")
    if estimate.cost_expected <= most:
        return
    text = f"This may cost {estimate.cost_expected:,.2f} for {estimate.requests:,} requests."
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{text} There is no terminal to confirm it in: leave --confirm-over out.")
    tell(text)
    typer.confirm("Go on?", abort=True, err=True)
