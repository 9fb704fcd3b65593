"""`results.md`: the goals, met or missed, and what they were computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from rows import GOALS, MEASURES, SIZES, Goal

Found = dict[tuple[str, str], list[dict[str, Any]]]


def written(found: Found, conditions: dict[str, Any], *, quick: bool) -> str:
    """Write the report."""
    parts = [
        f"# Results of `make bench{'-quick' if quick else ''}`",
        f"Python {conditions['python']}, {conditions['cores']} cores, load {conditions['load']} "
        f"(1 to 2 of it are the benchmark itself), {conditions['minutes']} minutes. "
        "CPU of the participant's own process; medians. "
        "What was stopped for taking too long counts with what it had used by then: `≥`.",
        *(
            f"- {who}: " + ", ".join(f"{name} {version}" for name, version in names.items())
            for who, names in conditions["versions"].items()
            if names
        ),
        "",
        "## Goals",
        table(("what", "goal", "measured", ""), [judged(goal, found) for goal in GOALS if has(goal, found)]),
        "## Growth",
        "Exponents: from 10 kB to 1 MB, which is judged, and of the last step alone, from 100 kB: in small sizes the "
        "fixed cost of a request hides growth, in the largest the collection of garbage adds to it: there is more to "
        "go through while one value of 1 MB is built.",
        table(("of", *(f"{size // 1000} kB, ms" for size in SIZES), "all", "last step"), grown(found)),
        "## Measurements",
        table(("measure", "who", "CPU, ms", "from … to", "runs", "more"), measured(found)),
    ]
    return "\n".join(parts[:2]) + "\n\n" + "\n".join(parts[2:]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def cpu(found: Found, at: tuple[str, str]) -> float:
    return median(answer["cpu"] for answer in found[at])


def has(goal: Goal, found: Found) -> bool:
    keys = [goal.over] if goal.under is None else [goal.over, goal.under]
    if goal.kind == "growth":
        keys = [(f"{goal.over[0]}-{size}", goal.over[1]) for size in SIZES]
    return all(found.get(key) for key in keys)


def judged(goal: Goal, found: Found) -> tuple[str, str, str, str]:
    stopped = False
    if goal.kind == "growth":
        whole, last = exponents(found, *goal.over)
        value = whole
        told = f"{whole:.2f} (last step {last:.2f})"
    elif goal.under is not None:
        value = cpu(found, goal.over) / cpu(found, goal.under)
        stopped = "stopped" in found[goal.over][-1]
        told = f"{'≥ ' if stopped else ''}{value:.3f}" if value < 10 else f"{'≥ ' if stopped else ''}{value:.0f}"
    else:
        value = median(answer[goal.kind] for answer in found[goal.over])
        told = f"{value:.2f}"
    met = value >= goal.limit if goal.at_least else value <= goal.limit
    sign = "≥" if goal.at_least else "≤"
    verdict = "met" if met else "not shown" if stopped else "**missed**"
    return goal.what, f"{sign} {goal.limit:g}", told, verdict


def exponents(found: Found, key: str, who: str) -> tuple[float, float]:
    """Give the slope of log time over log size: of all sizes, by least squares, and of the last step."""
    times = [math.log(cpu(found, (f"{key}-{size}", who))) for size in SIZES]
    sizes = [math.log(size) for size in SIZES]
    mean_size, mean_time = sum(sizes) / len(sizes), sum(times) / len(times)
    rise = sum((size - mean_size) * (time - mean_time) for size, time in zip(sizes, times, strict=True))
    whole = rise / sum((size - mean_size) ** 2 for size in sizes)
    return whole, (times[-1] - times[-2]) / (sizes[-1] - sizes[-2])


def grown(found: Found) -> list[Sequence[str]]:
    rows = []
    for goal in GOALS:
        if goal.kind == "growth" and has(goal, found):
            whole, last = exponents(found, *goal.over)
            times = [f"{cpu(found, (f'{goal.over[0]}-{size}', goal.over[1])) * 1000:.1f}" for size in SIZES]
            rows.append((goal.what.removeprefix("growth of "), *times, f"{whole:.2f}", f"{last:.2f}"))
    return rows


def measured(found: Found) -> list[Sequence[str]]:
    told = {measure.key: measure.told for measure in MEASURES}
    rows = []
    for (key, who), answers in found.items():
        if not answers:
            continue
        times = [answer["cpu"] * 1000 for answer in answers]
        more = {name: value for name, value in answers[-1].items() if name not in ("cpu", "wall", "rss")}
        rows.append(
            (
                told[key],
                who,
                ("≥ " if "stopped" in answers[-1] else "") + f"{median(times):.1f}",
                f"{min(times):.1f} … {max(times):.1f}",
                str(len(times)),
                ", ".join(f"{name} {value:.4g}" for name, value in more.items() if name != "stopped"),
            )
        )
    return rows
