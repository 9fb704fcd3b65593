"""This library."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

import documents
import openai
from lag import lags
from models import MESSAGES, MODEL
from participants import bare
from participants.bare import OPTIONS, client_of
from pydantic import BaseModel, TypeAdapter
from traces import traced as traced
from wire import cut

import instructor
from instructor.bulk import Limits
from instructor.cache import AutoCache
from instructor.parsing.items import ItemReader


def blocking(url: str) -> Any:
    return instructor.from_openai(openai.OpenAI(base_url=url, **OPTIONS), model=MODEL)


def items(url: str, model: Any, **_: Any) -> Callable[[], int]:
    client = blocking(url)
    return lambda: sum(1 for _ in client.create_iterable(MESSAGES, model))


def grounded(url: str, model: Any, count: int, ground: bool, **_: Any) -> Callable[[], dict[str, float]]:
    """Stream items of a text of 10 kB, then read the evidence of each, which is not part of the CPU time."""
    client = blocking(url)
    messages = [{"role": "user", "content": documents.people(count)}]

    def run() -> dict[str, float]:
        begin = time.process_time()
        items = list(client.create_iterable(messages, model, ground=ground))
        streamed = time.process_time()
        fields = sum(len(instructor.evidence(item).fields) for item in items) if ground else 0
        read = time.process_time()
        assert fields == ground * count * len(model.model_fields), fields
        return {"count": len(items), "cpu": streamed - begin, "read_us": (read - streamed) / max(1, fields) * 1e6}

    return run


def snapshots(url: str, model: Any, **_: Any) -> Callable[[], int]:
    client = blocking(url)
    return lambda: sum(1 for _ in client.create_partial(model, MESSAGES))


def create(url: str, model: Any, count: int, **_: Any) -> Callable[[], int]:
    client = blocking(url)

    def run() -> int:
        for _ in range(count):
            client.create(model, MESSAGES)
        return count

    return run


def hit(url: str, model: Any, count: int, **_: Any) -> Callable[[], dict[str, float]]:
    """Answer calls from a cache; what do they cost beyond building the request and its key?"""
    client = instructor.from_openai(openai.OpenAI(base_url=url, **OPTIONS), model=MODEL, cache=AutoCache())
    client.create(model, MESSAGES)
    builder = client._caller

    def cpu(once: Callable[[], Any]) -> float:
        begin = time.process_time()
        for _ in range(count):
            once()
        return time.process_time() - begin

    def run() -> dict[str, float]:
        key = cpu(lambda: builder._plan(builder._whole(model), MESSAGES, {}))
        whole = cpu(lambda: client.create(model, MESSAGES))
        return {"count": count, "hit_us": (whole - key) / count * 1e6}

    return run


def streams(url: str, model: Any, count: int, http: str = "", **_: Any) -> Callable[[], int]:
    client, loop = instructor.from_openai(client_of(url, http), model=MODEL), asyncio.new_event_loop()

    async def one() -> int:
        return len([item async for item in client.create_iterable(MESSAGES, model)])

    async def every() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(count))))

    return lambda: loop.run_until_complete(every())


def rows(url: str, model: Any, count: int, flight: int, http: str = "", **_: Any) -> Callable[[], dict[str, float]]:
    """Run over many rows with a store; beside it, in turns, the bare SDK's calls and a semaphore."""
    sdk, loop = client_of(url, http), asyncio.new_event_loop()
    client = instructor.from_openai(sdk, model=MODEL)
    texts = [f"Row {number}" for number in range(count)]

    async def ours(folder: str) -> None:
        store, limits = f"{folder}/run.sqlite", Limits(concurrency=flight)
        run = client.map(texts, response_model=model, store=store, limits=limits)
        assert sum([row.ok async for row in run]) == count

    async def plain(_folder: str) -> None:
        free = asyncio.Semaphore(flight)

        async def one(text: str) -> None:
            async with free:
                asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": text}], **bare.tool(model)}
                reply = await sdk.chat.completions.create(**asked)
            model.model_validate_json(reply.choices[0].message.tool_calls[0].function.arguments)

        await asyncio.gather(*map(one, texts))

    def spent(every: Any) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            wall, cpu = time.monotonic(), time.process_time()
            loop.run_until_complete(every(folder))
            return time.monotonic() - wall, time.process_time() - cpu

    def run() -> dict[str, float]:
        pairs = [(spent(plain), spent(ours)) for _ in range(3)]
        wall = statistics.median(theirs[0] / mine[0] for theirs, mine in pairs)
        cpu = statistics.median(mine[1] / theirs[1] for theirs, mine in pairs)
        rate = count / statistics.median(mine[0] for _, mine in pairs)
        return {"count": count, "rows_a_second": rate, "rate_share": wall, "cpu_ratio": cpu}

    return run


def calls(url: str, model: Any, count: int, http: str = "", **_: Any) -> Callable[[], int]:
    client, loop = instructor.from_openai(client_of(url, http), model=MODEL), asyncio.new_event_loop()

    async def every() -> int:
        await asyncio.gather(*(client.create(model, MESSAGES) for _ in range(count)))
        return count

    return lambda: loop.run_until_complete(every())


def lag(url: str, model: Any, **_: Any) -> Callable[[], dict[str, int]]:
    def stream(http: Any) -> Iterable[Any]:
        sdk = openai.OpenAI(base_url=url, http_client=http, **OPTIONS)
        return instructor.from_openai(sdk, model=MODEL).create_iterable(MESSAGES, model)

    return lags(url, stream)


def flood(url: str, model: Any, **_: Any) -> Callable[[], dict[str, float]]:
    """Read an endless list; by how much does memory grow after its first thousand items?"""
    client = blocking(url)

    def run() -> dict[str, float]:
        at_first = most = count = 0
        for count, _item in enumerate(client.create_iterable(MESSAGES, model), 1):
            if count % 1000 == 0:
                at_first, most = at_first or resident(), max(most, resident())
        return {"count": count, "grown_mb": (most - at_first) / 1e6}

    return run


def kept(url: str, model: Any, count: int, **_: Any) -> Callable[[], dict[str, float]]:
    """Call often; how many objects and bytes stay?"""
    client = blocking(url)

    def often(times: int) -> tuple[int, int, int]:
        for at in range(times):
            if at % 3 == 0:
                client.create(model, MESSAGES)
            elif at % 3 == 1:
                list(client.create_partial(model, MESSAGES))
            else:
                list(client.create_iterable(MESSAGES, model))
        gc.collect()
        return sys.getallocatedblocks(), len(BaseModel.__subclasses__()), resident()

    def run() -> dict[str, float]:
        blocks, classes, memory = often(300)
        now_blocks, now_classes, now = often(count)
        return {
            "count": count,
            "objects_a_call": (now_blocks - blocks) / count,
            "classes": now_classes - classes,
            "bytes_a_call": (now - memory) / count,
        }

    return run


_IMPORT = """
import time, pydantic, {before}
begin = time.process_time()
{what}
print(time.process_time() - begin)
"""


def imports(_url: str, _model: Any, **_: Any) -> Callable[[], dict[str, float]]:
    """Import in a fresh interpreter, with nothing but pydantic there; then with the SDK there, a client made."""

    def cpu(before: str, what: str) -> float:
        code = _IMPORT.format(before=before, what=what)
        told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        return float(told) * 1000

    def run() -> dict[str, float]:
        client = 'import instructor; instructor.from_openai(openai.OpenAI(api_key="none"))'
        names = "from instructor import Instructor, Mode, Partial, from_openai, from_provider"
        return {
            "count": 1,
            "import_ms": cpu("sys", "import instructor"),
            "names_ms": cpu("sys", names),
            "client_ms": cpu("openai", client) - cpu("openai", 'openai.OpenAI(api_key="none")'),
        }

    return run


def start(url: str, model: Any, **_: Any) -> Callable[[], dict[str, float]]:
    """Run a whole process that makes a client of the SDK, and one of ours around it."""
    code = 'import instructor; from openai import OpenAI; instructor.from_openai(OpenAI(api_key="none"))'
    return bare.start(url, model, code)


def reader(_url: str, model: Any, document: str, chunk: int, **_: Any) -> Callable[[], dict[str, float]]:
    """Read a list without HTTP, and do the least that anybody must: an append a chunk, a validation an item."""
    text, validate = documents.document(document), TypeAdapter(model).validator.validate_json
    pieces = cut(text, chunk)
    items = [cut(json.dumps(item, ensure_ascii=False), chunk) for item in json.loads(text)["tasks"]]

    def read() -> int:
        found, feed = 0, ItemReader(opens="{").feed
        for piece in pieces:
            closed = feed(piece)
            if closed:
                for item in closed:
                    validate(item.text)
                    found += 1
        return found

    def least() -> int:
        for item in items:
            held: list[str] = []
            for piece in item:
                held.append(piece)  # noqa: PERF402 - pieces come one by one
            validate("".join(held))
        return len(items)

    def best(function: Callable[[], int]) -> float:
        took = []
        for _ in range(5):
            begin = time.process_time()
            assert function() == len(items)
            took.append(time.process_time() - begin)
        return statistics.median(took)

    def run() -> dict[str, float]:
        ours, limit = best(read), best(least)
        return {"count": len(items), "ours_ms": ours * 1000, "limit_ms": limit * 1000, "ratio_in": ours / limit}

    return run


def resident() -> int:
    """Give the memory of this process, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
