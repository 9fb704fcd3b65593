"""A thousand items through a stream that goes wrong in every way: examples/hostile_stream.py, watched closely."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from persons import stream_of

from harness import Harness
from instructor import Mode
from instructor.testing import Scripted

_PATH = Path(__file__).parents[2] / "examples" / "hostile_stream.py"
_EXAMPLE = runpy.run_path(str(_PATH))
_NUMBERS, _INVALID = list(_EXAMPLE["NUMBERS"]), _EXAMPLE["INVALID"]


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.MD_JSON])
async def test_a_thousand_items_once_each(harness: Harness, mode: Mode) -> None:
    with Scripted(_EXAMPLE["provider"]) as server:
        stream = stream_of(harness, server, _EXAMPLE["Person"], mode, max_retries=5)
        found = [person.id for person in await harness.items(stream)]
    right = [number for number in _NUMBERS if number not in _INVALID]
    assert found[:997] == right
    assert found[997:] == sorted(_INVALID)

    report = stream.report
    assert len(server.requests) == report.attempts == 5
    assert (report.good, report.bad, report.repaired, report.failed_items) == (1000, 3, 3, [])
    assert (report.continuations, report.dropped_repeats, report.mended) == (3, 3, 0)
    assert (report.complete, report.finish_reason) == (True, "tool" if mode is Mode.TOOLS else "stop")
    usage = report.usage
    assert set(usage.by_cause) == {"first", "continuation", "reask"}
    assert sum(each.total_tokens for each in usage.by_cause.values()) == usage.total_tokens
    assert not usage.by_cause["continuation"].exact  # the connection was lost before the tokens were told
    assert usage.by_cause["first"].exact
    assert usage.by_cause["reask"].exact


async def test_corrective_requests_hold_what_is_wrong_and_a_seam(harness: Harness) -> None:
    with Scripted(_EXAMPLE["provider"]) as server:
        await harness.items(stream_of(harness, server, _EXAMPLE["Person"], max_retries=5))
    shown = [
        [int(number) for number in re.findall(r"Person (\d+)", json.dumps(asked.messages))] for asked in server.requests
    ]
    assert shown[0] == []
    assert [len(numbers) for numbers in shown[1:4]] == [3, 3, 3]
    assert all(numbers == list(range(numbers[0], numbers[0] + 3)) for numbers in shown[1:4])
    assert shown[4] == sorted(_INVALID)


def test_the_example_runs() -> None:
    command = [sys.executable, "-X", "dev", "-W", "error", str(_PATH)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "delivered 1000 people, each once" in done.stdout
    assert done.stderr == ""
