"""`instructor runs` and `instructor show`: what is in a store."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from instructor.cli.messages import errors_reported
from instructor.cli.output import quiet_pipe

File = Annotated[Path, typer.Argument(help="The store: the file that --store of instructor extract wrote.")]

_HINT = "a store is made by instructor extract ... --store people.sqlite"


def runs(store: File) -> None:
    """List the runs of a store, and what was changed from one to the next.

    Example: instructor runs people.sqlite
    """
    from instructor.bulk.store import Store

    with errors_reported(_HINT), quiet_pipe():
        for run in Store(store).runs():
            began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started))
            state = run.stopped or ("ended" if run.ended else "not ended")
            cost = "" if run.cost is None else f", cost {run.cost:,.4f}"
            sys.stdout.write(
                f"{run.id}  {began}  {run.configuration['provider']}/{run.configuration['model']}  {run.rows:,} rows, "
                f"{run.failed:,} failed, {run.tokens:,} tokens{cost}, {state}\n"
            )
            for name, (old, new) in run.differs.items():
                sys.stdout.write(f"   {name}: {_short(old)} -> {_short(new)}\n")


def show(
    store: File,
    failed: Annotated[bool, typer.Option("--failed", help="Only the rows that failed, with their errors.")] = False,
) -> None:
    """Print the rows of a store's last run as JSON lines.

    Example: instructor show people.sqlite --failed
    """
    from instructor.bulk.store import Store

    with errors_reported(_HINT), quiet_pipe():
        for row in Store(store).rows(failed=True if failed else None):
            line = {"key": row.key, "input": row.input}
            line |= {"value": row.value} if row.error is None else {"error": row.error, "text": row.text}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
