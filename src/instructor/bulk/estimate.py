"""What a run would take, before it is paid for."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from instructor.bulk.configuration import Configuration
from instructor.bulk.inputs import Source, Unreadable
from instructor.bulk.job import Settings
from instructor.bulk.journal import connect
from instructor.bulk.requests import Keys, Prompt, Requests
from instructor.bulk.rows import Estimate
from instructor.bulk.store import Store
from instructor.media import as_parts
from instructor.usage import Usage, with_short_files

_CHARACTERS = 4
"""Characters a token, until the store knows better."""


def estimate(
    source: Source, settings: Settings, prompt: Prompt, requests: Requests, store: Store | None, job: Configuration
) -> Estimate:
    """Return what a run would take. The rows are read, and no request is made."""
    pulled = source.again("An estimate")
    connection = connect(str(store.path), read_only=True) if store is not None and store.exists else None
    keys = Keys(settings.key, source.key_field)
    seen: set[bytes] = set()
    rows = done = duplicates = unreadable = characters = 0
    first: Sequence[Mapping[str, Any]] | None = None
    try:
        for position, row in enumerate(pulled):
            key = keys.of(row)
            if settings.positions is not None and position not in settings.positions:
                continue
            if settings.limit is not None and rows >= settings.limit:
                break
            rows += 1
            if isinstance(row, Unreadable):
                unreadable += 1
                continue
            messages = as_parts(prompt.of(row).final())
            identity = requests.identity(messages, "" if settings.dedupe else key)
            if identity.request in seen:
                duplicates += 1
                continue
            seen.add(identity.request)
            if connection is not None and _has(connection, identity.request, identity.schema, settings.retry_failed):
                done += 1
                continue
            first = messages if first is None else first
            characters += sum(len(str(with_short_files(message.get("content")))) for message in messages)
        asked = rows - done - duplicates - unreadable
        ratio, output = _learned(connection, requests.schema) if connection is not None else (None, None)
    finally:
        keys.close()
        if connection is not None:
            connection.close()
    schema = len(job.schema) // _CHARACTERS
    sent = characters // _CHARACTERS + asked * schema
    low = Usage(sent, 0)
    expected = Usage(
        int(sent if ratio is None else asked * ratio), int(asked * (schema / 2 if output is None else output))
    )
    limits, prices = settings.limits, settings.limits.prices
    times = [asked / limits.rpm * 60] if limits.rpm else []
    times += [expected.total_tokens / limits.tpm * 60] if limits.tpm else []
    return Estimate(
        rows, done, duplicates, asked, low.total_tokens, expected.total_tokens,
        None if prices is None else prices.of(low), None if prices is None else prices.of(expected),
        max(times, default=None), [dict(message) for message in first or ()],
    )  # fmt: skip


def _has(connection: sqlite3.Connection, request: bytes, schema: bytes, retry_failed: bool) -> bool:
    statement = "SELECT error IS NULL FROM answer WHERE request = ? AND schema = ?"
    found = connection.execute(statement, (request, schema)).fetchone()
    return found is not None and (bool(found[0]) or not retry_failed)


def _learned(connection: sqlite3.Connection, schema: bytes) -> tuple[float | None, float | None]:
    """Return the mean tokens of a request and of an answer; the requests of an answer are in them."""
    sent, answered = connection.execute(
        "SELECT avg(input_tokens), avg(output_tokens) FROM answer WHERE schema = ? AND attempts > 0", (schema,)
    ).fetchone()
    return sent, answered
