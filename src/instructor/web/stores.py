"""The store of a bulk run, watched while it is written, possibly by another process. It is only read."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from instructor.bulk.export import one_schema
from instructor.bulk.journal import connect
from instructor.bulk.rows import StoreError
from instructor.bulk.store import RunInfo, Store
from instructor.web.events import EventLog, Json
from instructor.web.plain import for_page

SHOWN = 10_000
"""The most rows of a store that a page is sent. All are counted."""
_BATCH = 250
_PAUSE = 0.5
"""Seconds between two looks at the file. A look that takes long makes a longer pause."""
_WINDOW = 30.0
"""Seconds over which the rate is counted."""


class _Look(NamedTuple):
    """What was seen in the file."""

    job: bytes
    last: RunInfo
    rows: list[Json]
    counts: Json


class WatchedStore:
    """One store and its events: `store` (another job begins), `rows` (new or changed), `progress`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = EventLog()
        self._store = Store(path)
        self._job = b""
        self._seen: dict[str, float] = {}  # when each row that was sent was written
        self._since = 0.0
        self._before: Json = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to look at the file, if that has not begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.log.end()

    async def _watch(self) -> None:
        while True:
            began = time.monotonic()
            try:
                look = await asyncio.to_thread(self._look)
            except (StoreError, sqlite3.Error) as error:
                self._tell_progress({"error": str(error)})
            else:
                if look is None:
                    self._tell_progress({"state": "no run yet"})
                else:
                    self._tell(look)
            took = time.monotonic() - began
            await asyncio.sleep(max(_PAUSE, 5 * took))

    def _look(self) -> _Look | None:
        """Read what is new. It runs in a thread."""
        if not self._store.exists or not (runs := self._store.runs()):
            return None
        with closing(connect(str(self.path), read_only=True)) as reader:
            job = reader.execute("SELECT job FROM run ORDER BY id DESC LIMIT 1").fetchone()[0]
            is_other = job != self._job
            since, room = (0.0, SHOWN) if is_other else (self._since, SHOWN - len(self._seen))
            seen: Mapping[str, float] = {} if is_other else self._seen
            rows: list[Json] = []
            if room > 0 or not is_other:
                for key, written, *rest in reader.execute(_ROWS, (since,)):
                    if seen.get(key) != written and (key in seen or len(rows) < room):
                        rows.append({"key": key, "written": written, **_row(rest)})
            counts: Json = dict(zip(_NAMES, reader.execute(_COUNTS, (time.time() - _WINDOW,)).fetchone(), strict=True))
        return _Look(job, runs[-1], rows, counts)

    def _tell(self, look: _Look) -> None:
        config = look.last.configuration
        if look.job != self._job:
            self._job, self._seen, self._since = look.job, {}, 0.0
            fields = [] if config["many"] else list(one_schema(config["schema"]).get("properties", ()))
            self.log.add("store", {
                "path": str(self.path), "many": config["many"], "type": config["type"], "fields": fields,
                "model": f"{config['provider']}/{config['model']}", "prompt": config["prompt"],
            })  # fmt: skip
        for at in range(0, len(look.rows), _BATCH):
            self.log.add("rows", {"rows": look.rows[at : at + _BATCH]})
        for row in look.rows:
            self._seen[row["key"]] = row["written"]
            self._since = max(self._since, row["written"])
        self._tell_progress(self._progress(look))

    def _progress(self, look: _Look) -> Json:
        last, counts = look.last, look.counts
        is_running = last.ended is None
        rate = counts.pop("recent") / min(_WINDOW, max(time.time() - last.started, 0.001)) if is_running else None
        left = None
        if rate and last.total is not None:
            left = max(last.total - counts["rows"], 0) / rate
        state = "running" if is_running else last.stopped or "ended"
        return {
            **counts, "state": state, "total": last.total, "rate": rate, "seconds_left": left,
            "shown": len(self._seen), "run": last.id,
        }  # fmt: skip

    def _tell_progress(self, progress: Json) -> None:
        if progress != self._before:
            self._before = progress
            self.log.notice("progress", progress)


_ROWS = (
    "SELECT key, written, position, input, value, n_items, error, error_kind, raw, input_tokens, output_tokens, "
    "attempts, cost, seconds FROM rows WHERE written >= ? ORDER BY written, position"
)
_NAMES = ("rows", "failed", "items", "tokens", "attempts", "cost", "recent")
_COUNTS = (
    "SELECT count(*), coalesce(sum(state = 'failed'), 0), coalesce(sum(n_items), 0), "
    "coalesce(sum(input_tokens + output_tokens), 0), coalesce(sum(attempts), 0), sum(cost), "
    "coalesce(sum(written > ?), 0) FROM rows"
)


def _row(found: list[Any]) -> Json:
    position, given, value, n_items, error, kind, text, tokens_in, tokens_out, attempts, cost, seconds = found
    return {
        "position": position, "input": for_page(json.loads(given)) if given else None,
        "value": None if value is None else for_page(json.loads(value)), "n_items": n_items, "error": error,
        "kind": kind, "text": text, "tokens": tokens_in + tokens_out, "attempts": attempts, "cost": cost,
        "seconds": seconds,
    }  # fmt: skip
