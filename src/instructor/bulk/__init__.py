"""Many inputs, one table out: `client.map`, its limits, and the store that a run is resumed from.

    client = instructor.from_provider("openai/gpt-4o-mini")
    run = client.map("texts/", response_model=Iterable[Person], store="people.sqlite", limits=Limits(rpm=500))
    for row in run:
        print(row.key, row.value or row.error)
    print(run.report.cost)
    run.store.export("people.parquet", explode=True)

`client.map(rows, *, response_model, messages, key, store, limits, on_error, ordered, engine, ...)` returns a `BulkRun`,
or an `AsyncBulkRun` of an async client.
"""

from instructor.bulk.batches import Batches
from instructor.bulk.documents import Chunk, chunks, merge
from instructor.bulk.export import Exported
from instructor.bulk.inputs import Document, Pages, read_document
from instructor.bulk.journal import StoredBatch
from instructor.bulk.limits import Limits, Prices
from instructor.bulk.rows import (
    BudgetReachedError,
    BulkReport,
    Estimate,
    JobStoppedError,
    Row,
    RowError,
    StoreError,
)
from instructor.bulk.run import AsyncBulkRun, BulkRun
from instructor.bulk.store import RunInfo, Store, StoredRow

__all__ = [
    "AsyncBulkRun",
    "Batches",
    "BudgetReachedError",
    "BulkReport",
    "BulkRun",
    "Chunk",
    "Document",
    "Estimate",
    "Exported",
    "JobStoppedError",
    "Limits",
    "Pages",
    "Prices",
    "Row",
    "RowError",
    "RunInfo",
    "Store",
    "StoreError",
    "StoredBatch",
    "StoredRow",
    "chunks",
    "merge",
    "read_document",
]
