"""`instructor extract`: typed items out of a text, or out of thousands of files and rows.

One text is streamed: each item is written when its last bracket has arrived. Several inputs, or a store or file to
write to, are a bulk run (`client.map`): it can be stopped, and goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_origin

import typer

from instructor.cli.messages import (
    BUDGET,
    FAILED,
    INTERRUPTED,
    USAGE,
    errors_reported,
    first_line,
    tell,
    tell_error,
)
from instructor.cli.output import WRITERS, Format, Progress, Writer, counted, quiet_pipe
from instructor.cli.types import type_of
from instructor.exceptions import ConfigurationError
from instructor.mode import Mode

_LOCAL = "local"
_LOCAL_CALLS = 4
"""Calls in flight on the embedded model."""
_HINT = "instructor extract --help shows the options, and an example"

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
    has_keys: bool
    """Whether values are written with the keys of their rows."""


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
    engine: Annotated[str, typer.Option(help="asyncio, batch (half the price), or ray.")] = "asyncio",
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
    with errors_reported('fields in one line are written as in --schema "name, age int, email?: the address"'):
        kind: Any = type_of(schema)
    for_many = (out, store, rpm, tpm, max_cost, confirm_over, dry_run or None, retry_failed or None)
    is_text = _is_one_text(inputs)
    is_one = is_text and engine == "asyncio" and all(option is None for option in for_many)
    with errors_reported("instructor providers lists the providers, and whether their keys are set"):
        client = _client(model, mode, is_async=not is_one)
    writer = WRITERS[form or (Format.table if sys.stdout.isatty() else Format.jsonl)]()
    with errors_reported(_HINT):
        if retry_failed and store is None:
            raise ConfigurationError("--retry-failed needs --store: only a store knows what has failed.")
        rows = [_text(inputs[0])] if is_text else _rows(inputs)
        if is_one:
            raise typer.Exit(_one(client, kind, _messages(prompt, rows[0]), writer, many=many))
        most = concurrency or (_LOCAL_CALLS if model.partition("/")[0] == _LOCAL else None)
        given = {
            "rows": rows, "response_model": Iterable[kind] if many else kind, "messages": prompt, "store": store,
            "limits": _limits(concurrency=most, rpm=rpm, tpm=tpm, max_cost=max_cost), "engine": engine, "limit": limit,
            "sample": sample, "seed": seed, "retry_failed": retry_failed,
        }  # fmt: skip
        if dry_run:
            with quiet_pipe():
                _print_estimate(client.map(**given).estimate())
            return
        if confirm_over is not None:
            _confirm(client.map(**given).estimate(), confirm_over)
    raise typer.Exit(_many(client, given, Output(None if out else writer, out, not is_text)))


def _limits(**limits: Any) -> Any:
    from instructor.bulk import Limits

    return Limits(**{name: value for name, value in limits.items() if value is not None})


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


def _is_one_text(inputs: list[str]) -> bool:
    """Return whether the inputs are one text: standard input or one document, not several inputs or a table."""
    from instructor.bulk.inputs import MEDIA, TABLES

    is_document = os.path.isfile(inputs[0]) and Path(inputs[0]).suffix.lower() not in (*TABLES, *MEDIA)
    return len(inputs) == 1 and (inputs == ["-"] or is_document)


def _text(source: str) -> str:
    """Return the text of standard input or of a document."""
    from instructor.bulk.inputs import read_document

    if source != "-":
        text = read_document(source).text
    elif sys.stdin.isatty():
        raise ConfigurationError("There is no text: - reads what is sent into the command.")
    else:
        try:
            text = sys.stdin.buffer.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"Standard input is not a text in UTF-8: {error.reason} at byte {error.start}."
            ) from None
    if not text.strip():
        raise ConfigurationError("The text is empty.")
    return text


def _rows(inputs: list[str]) -> Any:
    """Return the rows of all inputs."""
    from instructor.bulk.inputs import joined, source_of

    if "-" in inputs:
        raise ConfigurationError("- stands alone: it reads one text from standard input.")
    return joined([source_of(each) for each in inputs])


def _messages(prompt: str | None, text: str) -> dict[str, Any]:
    """Return the arguments of a call for one text: those that a row with this text has."""
    from instructor.bulk.requests import Prompt

    made = Prompt(prompt, "text", None)
    made.check(text)
    return made.of(text)._asdict()


def _one(client: Any, kind: Any, messages: dict[str, Any], writer: Writer, *, many: bool) -> int:
    """Stream the items of one text, and return the status."""
    status = 0
    with errors_reported(_HINT, failure=FAILED), _interrupted_by(signal.SIGTERM), quiet_pipe():
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
            tell_error(error)
            status = USAGE if isinstance(error, ConfigurationError) else FAILED
        writer.close()
    if status > 128:
        tell("Interrupted: items that were not written are lost.", "the same command asks for all of them again")
    return status


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
    from instructor.bulk.export import check_path

    goes_on, exported = given["store"] is not None, 0
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress(output.writer)
        with errors_reported(_HINT):
            if output.file is not None:
                check_path(output.file)
                given["store"] = given["store"] or Path(folder) / "run.sqlite"
            run = client.map(**given, on_progress=progress)
        with errors_reported(_HINT, failure=FAILED), progress.over(run.report):
            status, reason = asyncio.run(_read(run, output))
        if output.file is not None and run.report.rows:
            kept = None if goes_on else Path(tempfile.gettempdir(), f"{output.file.stem}-{os.getpid()}.sqlite")
            exported = _export(run, output.file, kept, explode=get_origin(given["response_model"]) is Iterable)
    if status:
        hint = "the same command goes on after these rows" if goes_on else "with --store FILE a run can go on"
        tell(reason or f"Stopped after {counted(run.report.rows, 'row')}.", hint)
    elif run.report.failed:
        hint = "with --store FILE they can be asked again alone"
        if goes_on:
            hint = f"instructor show {shlex.quote(str(given['store']))} --failed; --retry-failed asks for them again"
        tell(f"{counted(run.report.failed, 'row')} failed.", hint)
    return status or exported or (FAILED if run.report.failed else 0)


def _export(run: Any, file: Path, kept: Path | None, *, explode: bool) -> int:
    """Write the answers of a run to a file, and return the status. If that fails, a store that would go is kept."""
    try:
        lines = run.store.export(file, explode=explode).rows
    except Exception as error:  # also those of Arrow
        if kept is not None:
            run.store.backup(kept)
        store = shlex.quote(str(kept or run.store.path))
        tell(f"{str(file)!r} cannot be written: {first_line(error)}", f"the answers are kept: --store {store}")
        return FAILED
    tell(f"{counted(lines, 'line')} {'is' if lines == 1 else 'are'} in {str(file)!r}.")
    return 0


async def _read(run: Any, output: Output) -> tuple[int, str]:
    """Write what comes; return the status, and why the run has stopped."""
    from instructor.bulk import BudgetReachedError, JobStoppedError

    reading = asyncio.current_task()
    assert reading is not None
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        if len(signals) > 1:
            reading.cancel()
            return
        run.stop()
        tell(f"Stopping: {counted(run.report.in_flight, 'call')} in flight end first.", "once more cancels them")

    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C interrupts at once
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        with quiet_pipe():
            try:
                async with run:
                    async for row in run:
                        _write(row, output)
            finally:
                if output.writer is not None:
                    output.writer.close()
    except BudgetReachedError as error:
        return BUDGET, str(error)
    except JobStoppedError as error:
        return FAILED, str(error)
    except asyncio.CancelledError:
        pass
    return (128 + signals[0], "") if signals else (0, "")


def _write(row: Any, output: Output) -> None:
    if row.error is not None:
        tell(f"{row.key}: {row.error.kind}: {first_line(row.error)}")
    elif output.writer is not None:
        for item in row.value if isinstance(row.value, list) else [row.value]:
            output.writer.add(item, row.key if output.has_keys else None)


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
    if not typer.confirm("Go on?", err=True):
        tell("No request was made.")
        raise typer.Exit(INTERRUPTED)
