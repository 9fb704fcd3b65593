"""Run the benchmark: `python bench/run.py [--quick] [--only KEY ...]`, with the environments of `make bench` there.

Each participant works in a process and an environment of its own; they take turns, so that a busy machine is unfair to
none, and only ratios of one run are judged. Every measurement is printed as a JSON line; `docs/measured/` has the
tables and the plots that are made of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import plots
import results
from rows import MEASURES, Measure

HERE = Path(__file__).parent
MEASURED = HERE.parent / "docs" / "measured"
_PEERS = ("reference", "pydantic_ai", "langchain", "mirascope", "batch_llm", "curator")
ENVIRONMENTS = {name: name.replace("_", "-") for name in _PEERS}
PACKAGES = {
    "ours": ["instructor", "openai", "pydantic", "jiter", "httpx2", "aiohttp"],
    "reference": ["instructor", "openai", "pydantic", "jiter"],
    "pydantic_ai": ["pydantic-ai-slim", "openai"],
    "langchain": ["langchain-openai", "langchain-core", "openai"],
    "mirascope": ["mirascope", "openai"],
    "batch_llm": ["async-batch-llm", "openai"],
    "curator": ["bespokelabs-curator", "openai"],
}
Found = dict[tuple[str, str], list[dict[str, Any]]]


class TooLongError(Exception):
    """A participant did not answer in time."""


class Worker:
    """A participant's process."""

    def __init__(self, participant: str) -> None:
        python = HERE / ".envs" / ENVIRONMENTS.get(participant, "sdk") / "bin" / "python"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self.process = subprocess.Popen(
            [python, "worker.py", participant],
            cwd=HERE,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, patience: float = 60.0, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise TooLongError
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended at {order}: run `python worker.py NAME` by hand to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def spent(self) -> float:
        """Give the CPU seconds that the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer repeats; ours, the bare SDK, the floor, the reference"
    )
    parser.add_argument("--only", nargs="+", default=[], help="the measures whose keys begin so")
    given = parser.parse_args()
    begin = time.monotonic()
    found: Found = {}
    with subprocess.Popen(
        [sys.executable, "server.py"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        for measure in MEASURES:
            repeats = measure.quick if given.quick else measure.repeats
            if repeats and (not given.only or measure.key.startswith(tuple(given.only))):
                found |= taken(measure, repeats, port, found)
        server.kill()
    conditions = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": f"{os.getloadavg()[1]:.1f}",
        "minutes": f"{(time.monotonic() - begin) / 60:.1f}",
        "versions": {name: versions(name) for name in PACKAGES},
    }
    report = results.written(found, conditions, quick=given.quick)
    print(report, file=sys.stderr)
    if not given.only:
        (HERE / "results-quick.md" if given.quick else MEASURED / "results.md").write_text(report)
    if not (given.only or given.quick):
        plots.draw(found, MEASURED)


def versions(name: str) -> dict[str, Any]:
    """Return the versions of a participant's packages; none where its environment was not made."""
    try:
        worker = Worker(name)
    except OSError:
        return {}
    try:
        return worker.ask(versions=PACKAGES[name])
    except (RuntimeError, OSError):
        return {}
    finally:
        worker.end()


def taken(measure: Measure, repeats: int, port: int, before: Found) -> Found:
    """Let the participants of a measure take turns."""
    found: Found = {(measure.key, who): [] for who in measure.who if not hopeless(measure, who, before)}
    workers: dict[str, Worker] = {}
    url = f"http://127.0.0.1:{port}/{measure.path}/v1"
    try:
        for _, who in found:
            name, _, http = who.partition(":")
            if not (HERE / ".envs" / ENVIRONMENTS.get(name, "sdk")).exists():
                continue
            workers[who] = Worker(name)
            more = {**measure.more, **({"http": http} if http else {})}
            workers[who].ask(do=measure.do, url=url, model=measure.model, **more)
        for turn in range(-1 if measure.warm else 0, repeats):
            for who in list(workers):
                if who in measure.slow and turn:
                    continue
                answer = once(measure, workers, who)
                if turn >= 0 or "stopped" in answer:
                    found[measure.key, who].append(answer)
                    print(json.dumps({"key": measure.key, "who": who, **answer}), flush=True)
    finally:
        for worker in workers.values():
            worker.end()
    return found


def once(measure: Measure, workers: dict[str, Worker], who: str) -> dict[str, Any]:
    spent = workers[who].spent()
    try:
        return workers[who].ask(measure.cap, run=True)
    except TooLongError:
        cpu = workers[who].spent() - spent
        workers.pop(who).end()
        return {"cpu": cpu, "wall": measure.cap, "count": 0, "stopped": True}


def hopeless(measure: Measure, who: str, before: Found) -> bool:
    """Whether somebody was stopped at a smaller size, or took so long that a larger one is not tried."""
    kind = measure.key.rpartition("-")[0]
    if not kind.startswith("plot"):
        return False
    smaller = [answers for (key, other), answers in before.items() if other == who and key.startswith(f"{kind}-")]
    return any(not answers or "stopped" in answers[-1] or answers[-1]["wall"] * 10 > measure.cap for answers in smaller)


if __name__ == "__main__":
    main()
