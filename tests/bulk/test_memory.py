"""The memory of a run does not grow with its rows."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

FEW, MANY, MOST_MB = 2_000, 30_000, 16
PROGRAM = """
import asyncio, itertools, resource, sys, tempfile
import instructor
from instructor.bulk import Limits
from pydantic import BaseModel

class Number(BaseModel):
    value: int

BODY = {"id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}

async def create(**asked):
    call = {"id": "c", "type": "function", "function": {"name": "Number", "arguments": '{"value": 1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {**BODY, "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

async def main(few, many):
    client = instructor.from_litellm(create, model="m")
    with tempfile.TemporaryDirectory() as folder:
        run = client.map(
            (f"Row {number}" for number in itertools.count()), response_model=Number, store=f"{folder}/s.sqlite",
            limits=Limits(concurrency=64),
        )
        count = first = 0
        async with run:
            async for row in run:
                assert row.ok, row.error
                count += 1
                if count == few:
                    first = resident()
                if count == many:
                    print((resident() - first) / 1e6)
                    return

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_an_endless_source_takes_constant_memory() -> None:
    command = [sys.executable, "-c", PROGRAM, str(FEW), str(MANY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < MOST_MB
