"""A run that is killed again and again, with real processes: at the end each row is there once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from instructor.bulk import Store
from instructor.testing import Asked, Reply, Scripted, answer, error

pytestmark = pytest.mark.slow

ROWS, IN_FLIGHT, KILLS = 2000, 32, 20
PROGRAM = """
import sys
import instructor, openai
from pydantic import BaseModel
from instructor.bulk import Limits

class Number(BaseModel):
    value: int

url, store, rows, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = instructor.from_openai(openai.OpenAI(base_url=url, api_key="test"))
run = client.map(
    (f"Row {i}" for i in range(rows)), response_model=Number, model="m", store=store,
    limits=Limits(concurrency=in_flight), max_retries=2,
)
for row in run:
    assert row.ok, row.error
    if not row.reused:
        print(row.input, flush=True)
"""


def moody(chance: random.Random, answered: dict[int, int], lock: threading.Lock) -> Any:
    """Return a server's function: 3 % of 429s, 2 % of 500s, 1 % invalid answers."""

    def reply(asked: Asked) -> Reply:
        text = next(str(m["content"]) for m in asked.body["messages"] if str(m["content"]).startswith("Row "))
        number = int(text.split()[1])
        with lock:
            luck = chance.random()
            if luck >= 0.06:
                answered[number] = answered.get(number, 0) + 1
        if luck < 0.03:
            return error(429, "slow down", headers={"retry-after": "0"})
        if luck < 0.05:
            return error(500, "broken", headers={"retry-after": "0"})
        return answer({"value": "none"} if luck < 0.06 else {"value": number})

    return reply


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
def test_a_run_that_is_killed_twenty_times_has_each_row_once(tmp_path: Path) -> None:
    chance, answered, lock = random.Random(int(os.environ.get("SEED", "1"))), dict[int, int](), threading.Lock()
    store = tmp_path / "s.sqlite"
    with Scripted(moody(chance, answered, lock)) as server:
        command = [sys.executable, "-c", PROGRAM, server.base_url, str(store), str(ROWS), str(IN_FLIGHT)]
        for _ in range(KILLS):
            yielded = _killed_after(command, chance.randrange(1, ROWS // KILLS))
            kept = {row.input for row in Store(store).rows()}
            assert yielded <= kept  # nothing that was yielded is lost
        subprocess.run(command, check=True, capture_output=True, timeout=240)
    rows = list(Store(store).rows())
    assert sorted(row.value["value"] for row in rows) == list(range(ROWS))
    assert all(row.input == f"Row {row.value['value']}" for row in rows)
    assert sum(answered.values()) - ROWS <= KILLS * IN_FLIGHT


def _killed_after(command: list[str], count: int) -> set[str]:
    """Start the program, kill it when it has yielded so many new rows, and return what it yielded."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yielded = set()
    for line in process.stdout:
        yielded.add(line.strip())
        if len(yielded) >= count:
            process.send_signal(signal.SIGKILL)
            break
    yielded |= {line.strip() for line in process.stdout if line.endswith("\n")}
    process.stdout.close()
    process.wait()
    return yielded
