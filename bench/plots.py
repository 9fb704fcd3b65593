"""Time against size, both logarithmic, as SVG: nothing but text is needed to write it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rows import SHAPES, SIZES

Found = dict[tuple[str, str], list[dict[str, Any]]]
Lines = Mapping[str, Sequence[tuple[float, float]]]

_COLOURS = ("#c2410c", "#1d4ed8", "#047857", "#7e22ce", "#b45309", "#be185d", "#475569")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 420, 64, 170, 40, 46


def draw(found: Found, folder: Path) -> None:
    """Draw what there is to draw."""
    folder.mkdir(exist_ok=True)
    for kind, title in (
        ("items", "Items of a list of small objects, 4 characters an event"),
        ("snapshots", "Snapshots of a document, 4 characters an event"),
    ):
        lines = _lines(found, {who: (f"plot-{kind}", who) for who in _participants(found, f"plot-{kind}")})
        _write(folder / f"{kind}.svg", title, lines)
    ours = {f"{kind}, {SHAPES[shape]}": (f"growth-{at}-{shape}", "ours") for shape in SHAPES for at, kind in _KINDS}
    _write(folder / "growth.svg", "Ours, 16 characters an event, from 10 kB to 1 MB", _lines(found, ours))


_KINDS = (("items", "items"), ("value", "snapshots"))


def _participants(found: Found, kind: str) -> list[str]:
    return list(dict.fromkeys(who for key, who in found if key.startswith(kind)))


def _lines(found: Found, wanted: Mapping[str, tuple[str, str]]) -> Lines:
    lines = {}
    for name, (kind, who) in wanted.items():
        points = []
        for size in sorted({1_000, *SIZES}):
            answers = [answer for answer in found.get((f"{kind}-{size}", who), ()) if "stopped" not in answer]
            if answers:
                points.append((size, median(answer["cpu"] for answer in answers) * 1000))
        if points:
            lines[name.replace("_", "-")] = points
    return lines


def _write(path: Path, title: str, lines: Lines) -> None:
    if not lines:
        return
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    low = math.floor(math.log10(min(ys)))
    high = math.ceil(math.log10(max(ys)))
    first, last = math.log10(min(xs)), math.log10(max(xs))

    def place(x: float, y: float) -> tuple[float, float]:
        right = _LEFT + (math.log10(x) - first) / max(last - first, 1e-9) * (_WIDTH - _LEFT - _RIGHT)
        return right, _HEIGHT - _BOTTOM - (math.log10(y) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{title}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">size of the document; CPU in milliseconds, both logarithmic</text>',
    ]
    for power in range(low, high + 1):
        _, y = place(10**first, 10.0**power)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_count(10.0**power)}</text>')
    for x in sorted(set(xs)):
        right, _ = place(x, 10.0**low)
        bottom = _HEIGHT - _BOTTOM
        parts.append(f'<line x1="{right:.1f}" x2="{right:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{right:.1f}" y="{bottom + 16}" text-anchor="middle">{x / 1000:g} kB</text>')
    parts += _drawn(lines, place)
    path.write_text("\n".join([*parts, "</svg>", ""]))


def _drawn(lines: Lines, place: Any) -> list[str]:
    parts, last_label = [], -100.0
    order = sorted(lines, key=lambda name: place(*lines[name][-1])[1])
    for name, colour in zip(order, _COLOURS, strict=False):
        points = [place(x, y) for x, y in lines[name]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        x, y = points[-1]
        last_label = max(y + 4, last_label + 14)  # labels do not lie on each other
        left = max(x, _WIDTH - _RIGHT) + 8
        parts.append(f'<text x="{left:.1f}" y="{last_label:.1f}" fill="{colour}">{name}</text>')
    return parts


def _count(value: float) -> str:
    return f"{value:g}"
