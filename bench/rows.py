"""What is measured, and the goals: each row of the table is a few measures and ratios of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SIZES = (10_000, 100_000, 1_000_000)
SHAPES = {"text": "one long string", "many": "many small items", "deep": "deep nesting"}
_ROOTS = {"text": "Text", "many": "People", "deep": "Node"}
_ITEMS = {"text": "Text", "many": "User", "deep": "Node"}


@dataclass(frozen=True)
class Measure:
    """One thing that several participants do in turn. `who` may name an HTTP client after a colon."""

    key: str
    told: str
    path: str
    do: str
    model: str
    who: tuple[str, ...]
    repeats: int = 5
    quick: int = 2
    """Repeats of `make bench-quick`; 0 leaves the measure out."""
    cap: float = 60.0
    """Seconds after which a participant is stopped: what it used by then is a lower bound."""
    warm: bool = True
    slow: tuple[str, ...] = ()
    """Who runs once only, without warming up."""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """A number that has a limit: the ratio of two medians, or a growth, or a value of its own."""

    what: str
    limit: float
    over: tuple[str, str]
    under: tuple[str, str] | None = None
    at_least: bool = False
    kind: str = "ratio"
    """`ratio`, `growth` (over the sizes of a measure's key), or a field of the answer."""


_PEERS = ("ours", "bare", "floor", "reference", "pydantic_ai", "langchain", "mirascope")
_FOUR = ("ours", "bare", "floor", "reference")


def _grown() -> list[Measure]:
    made = []
    for shape, told in SHAPES.items():
        for size in SIZES:
            for kind, do, root in (("items", "items", _ITEMS), ("value", "snapshots", _ROOTS)):
                made.append(
                    Measure(
                        f"growth-{kind}-{shape}-{size}",
                        f"{do}, {told}, {size // 1000} kB",
                        f"{kind}.{shape}-{size}/16/16",
                        do,
                        root[shape],
                        ("ours",),
                        repeats=3 if size > 100_000 else 9,
                        quick=1 if size > 100_000 else 3,
                    )
                )
    return made


def _against() -> list[Measure]:
    """Measure the others over the same sizes as far as a cap allows: for the plots."""
    made = []
    for size in (1_000, 10_000, 100_000):
        made.append(
            Measure(
                f"plot-items-{size}",
                f"items of {size // 1000} kB of small objects, 4 characters an event",
                f"items.many-{size}/4/16",
                "items",
                "User",
                _PEERS,
                repeats=1,
                quick=0,
                cap=6,
            )
        )
        made.append(
            Measure(
                f"plot-snapshots-{size}",
                f"snapshots of a mixed document of {size // 1000} kB, 4 characters an event",
                f"report-{size}/4/16",
                "snapshots",
                "Report",
                _PEERS,
                repeats=1,
                quick=0,
                cap=6,
            )
        )
    return made


MEASURES = [
    Measure("items", "1,000 items, 4-character events, 16 a write", "users-1000/4/16", "items", "User", _FOUR, 7, 3),
    Measure("each", "the same, one event a write", "users-1000/4/1", "items", "User", _FOUR, 7, 3),
    Measure("partial", "snapshots of 10 kB", "report-10000/4/16", "snapshots", "Report", _FOUR, 7, 3),
    Measure(
        "partial100",
        "snapshots of 2,700 small objects, 100 kB",
        "value.many-100000/4/16",
        "snapshots",
        "People",
        ("ours", "reference"),
        repeats=3,
        quick=0,
        cap=75,
        slow=("reference",),
    ),
    *[
        Measure(
            key,
            f"250 items of a text of 10 kB{told}",
            "users-250/4/16",
            "grounded",
            "User",
            ("ours",),
            15,
            9,
            more={"count": 250, "ground": ground},
        )
        for key, told, ground in (("ungrounded", "", False), ("grounded", ", with ground=True", True))
    ],
    Measure(
        "create",
        "plain create, 100 calls",
        "user/0/0",
        "create",
        "User",
        ("ours", "bare", "reference"),
        9,
        5,
        more={"count": 100},
    ),
    Measure(
        "streams",
        "200 streams of 50 items at once, 16 events a write",
        "users-50/4/16",
        "streams",
        "User",
        ("ours", "bare", "ours:aiohttp"),
        repeats=2,
        quick=1,
        more={"count": 200},
    ),
    Measure(
        "streams-each",
        "the same, one event a write",
        "users-50/4/1",
        "streams",
        "User",
        ("ours", "bare", "ours:aiohttp"),
        repeats=1,
        quick=0,
        more={"count": 200},
    ),
    Measure(
        "calls",
        "1,000 concurrent calls",
        "user/hold-1000/0",
        "calls",
        "User",
        ("ours:aiohttp", "ours", "bare", "bare:aiohttp"),
        2,
        1,
        warm=False,
        more={"count": 1000},
    ),
    Measure(
        "rows",
        "2,000 rows with a store, 64 in flight, 50 ms each",
        "user/wait-50/0",
        "rows",
        "User",
        ("ours:aiohttp", "ours", "batch_llm:aiohttp", "curator"),
        1,
        1,
        more={"count": 2000, "flight": 64},
    ),
    Measure(
        "rows-long",
        "1,280 rows with a store, 64 in flight, 1 s each",
        "user/wait-1000/0",
        "rows",
        "User",
        ("ours:aiohttp",),
        1,
        0,
        cap=180,
        warm=False,
        more={"count": 1280, "flight": 64},
    ),
    Measure("traced", "calls and items with traces on", "user/0/0", "traced", "User", ("ours",), 5, 3, warm=False),
    Measure("hit", "1,000 hits of a cache", "user/0/0", "hit", "User", ("ours",), 5, 3, more={"count": 1000}),
    Measure("lag", "events from an item's end to the item", "users-50/4/1", "lag", "User", ("ours", "reference"), 1, 1),
    Measure("flood", "a list of 100 MB", "flood-100/1024/16", "flood", "Order", ("ours",), 1, 0, warm=False, cap=120),
    Measure("flood", "a list of 20 MB", "flood-20/1024/16", "flood", "Order", ("ours",), 0, 1, warm=False),
    Measure(
        "kept",
        "objects kept by 10,000 calls",
        "user/4/16",
        "kept",
        "User",
        ("ours",),
        1,
        0,
        warm=False,
        more={"count": 10_000},
    ),
    Measure(
        "kept",
        "objects kept by 1,500 calls",
        "user/4/16",
        "kept",
        "User",
        ("ours",),
        0,
        1,
        warm=False,
        more={"count": 1_500},
    ),
    Measure("import", "import beyond pydantic", "user/0/0", "imports", "User", ("ours",), 7, 5),
    Measure("start", "a process that makes a client", "user/0/0", "start", "User", ("ours", "bare"), 11, 7),
    *[
        Measure(
            f"reader-{name}-{chunk}",
            f"the reader alone, items of {told}, {chunk} characters a chunk",
            f"{path}/0/0",
            "reader",
            model,
            ("ours",),
            3,
            1,
            warm=False,
            more={"document": path, "chunk": chunk},
        )
        for name, told, path, model in (
            ("30B", "30 B", "users-2000", "User"),
            ("2kB", "2 kB", "orders-50", "Order"),
            ("200kB", "200 kB", "order-200000", "Order"),
        )
        for chunk in (4, 64)
    ],
    *_grown(),
    *_against(),
]

GOALS = [
    Goal("`create_iterable`, 1,000 items, 4-char chunks, ÷ bare SDK", 0.05, ("items", "ours"), ("items", "bare")),
    Goal("the same ÷ the floor", 1.8, ("items", "ours"), ("items", "floor")),
    Goal("one event a write, ÷ bare SDK", 0.15, ("each", "ours"), ("each", "bare")),
    Goal("one event a write, ÷ the floor", 1.3, ("each", "ours"), ("each", "floor")),
    *[
        Goal(
            f"the reader alone, {name}, {chunk} characters a chunk",
            4,
            (f"reader-{name}-{chunk}", "ours"),
            kind="ratio_in",
        )
        for name in ("30B", "2kB", "200kB")
        for chunk in (4, 64)
    ],
    Goal("`create_partial`, 10 kB, every snapshot, ÷ bare SDK", 0.10, ("partial", "ours"), ("partial", "bare")),
    *[
        Goal(f"growth of items: {told}", 1.05, (f"growth-items-{at}", "ours"), kind="growth")
        for at, told in SHAPES.items()
    ],
    *[
        Goal(
            f"growth of snapshots: {told}", 1.4 if at == "many" else 1.05, (f"growth-value-{at}", "ours"), kind="growth"
        )
        for at, told in SHAPES.items()
    ],
    Goal("snapshots of 100 kB, the reference ÷ ours", 200, ("partial100", "reference"), ("partial100", "ours"), True),
    Goal("items of 10 kB with `ground=True` ÷ without", 1.1, ("grounded", "ours"), ("ungrounded", "ours")),
    Goal("reading the evidence of a field, µs", 50, ("grounded", "ours"), kind="read_us"),
    Goal("200 streams at once ÷ bare `AsyncOpenAI`", 0.10, ("streams", "ours"), ("streams", "bare")),
    Goal(
        "1,000 concurrent calls over aiohttp ÷ bare `AsyncOpenAI`, default client",
        0.5,
        ("calls", "ours:aiohttp"),
        ("calls", "bare"),
    ),
    Goal("plain `create` ÷ bare call and `model_validate_json`", 1.0, ("create", "ours"), ("create", "bare")),
    Goal("bulk run, rows/s ÷ the bare SDK's calls, 50 ms", 0.95, ("rows", "ours:aiohttp"), None, True, "rate_share"),
    Goal("the same, CPU ÷ the bare SDK's calls", 1.2, ("rows", "ours:aiohttp"), kind="cpu_ratio"),
    Goal(
        "the same at 1 s, rows/s ÷ the bare SDK's calls", 0.95, ("rows-long", "ours:aiohttp"), None, True, "rate_share"
    ),
    Goal("a hit of a cache beyond building its key, µs", 100, ("hit", "ours"), kind="hit_us"),
    Goal("traces on: a request beyond the call's first, µs", 60, ("traced", "ours"), kind="request_us"),
    Goal("traces on: a call with one request, µs", 90, ("traced", "ours"), kind="call_us"),
    Goal("traces on: a good item, µs", 1, ("traced", "ours"), kind="item_us"),
    Goal("item latency: events after the one that closes it", 0, ("lag", "ours"), kind="lag"),
    Goal("growth of memory while a list streams, MB", 12, ("flood", "ours"), kind="grown_mb"),
    Goal("blocks of memory kept per call", 0.05, ("kept", "ours"), kind="objects_a_call"),
    Goal("memory kept per call, bytes", 100, ("kept", "ours"), kind="bytes_a_call"),
    Goal("`import instructor` beyond `import pydantic`, ms", 40, ("import", "ours"), kind="import_ms"),
    Goal("a client of ours around an SDK's, beyond the SDK's, ms", 120, ("import", "ours"), kind="client_ms"),
    Goal("from process start to a client ÷ bare `OpenAI()`", 1.05, ("start", "ours"), ("start", "bare")),
]
