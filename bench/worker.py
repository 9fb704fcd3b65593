"""One participant in a process of its own: takes orders as JSON lines, answers each with what it measured.

    {"do": "items", "url": ..., "model": "User", ...}      prepare; answered with {}
    {"run": true}                                          run once; answered with cpu, wall, count, rss

CPU is this process's own, in seconds. Garbage is collected before each run, and as ever during it.
"""

from __future__ import annotations

import gc
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import models


def main(participant: str) -> None:
    module = importlib.import_module(f"participants.{participant}")
    run: Callable[[], Any] = int
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("run"):
            answer = measured(run)
        elif "versions" in order:
            answer = {name: version(name) for name in order["versions"]}
        else:
            do = getattr(module, order.pop("do"))
            run, answer = do(order.pop("url"), getattr(models, order.pop("model")), **order), {}
        print(json.dumps(answer), flush=True)


def measured(run: Callable[[], Any]) -> dict[str, Any]:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    more = found if isinstance(found, dict) else {"count": found}
    return {"cpu": cpu, "wall": wall, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, **more}


if __name__ == "__main__":
    main(sys.argv[1])
