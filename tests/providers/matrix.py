"""The table of `docs/providers.md`, made from the providers' rows and the cases of the contract tests.

`python tests/providers/matrix.py` writes it; a test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(Path(__file__).parent))

from cases import FEATURES, Case, cases  # noqa: E402 - found by the line above when this file is run
from instructor import Mode, providers  # noqa: E402

PAGE = ROOT / "docs" / "providers.md"
MARK = "<!-- From here on the page is made by tests/providers/matrix.py. -->\n"
APART = ("local", "litellm")
"""Providers without a case: their tests are their own."""
PACKAGES = {
    "bedrock": "boto3",
    "cerebras": "cerebras-cloud-sdk",
    "fireworks": "fireworks-ai",
    "google": "google-genai",
    "local": "xllamacpp",
    "mistral": "mistralai",
    "writer": "writer-sdk",
    "xai": "xai-sdk",
}
"""The package of an extra, where it has another name."""


def tried(extra: str) -> str:
    """Give the package of an extra and the version that the tests run with."""
    package = PACKAGES.get(extra, extra)
    pins = "".join((ROOT / "requirements" / f"{name}.txt").read_text() for name in ("run", "providers", "litellm"))
    pin = re.search(rf"^{re.escape(package)}==([\w.]+)", pins, re.MULTILINE)
    return f"{package} {pin[1]}" if pin else package


def rows() -> str:
    """List the providers."""
    lines = ["| provider | `pip install` | SDK tried | key | modes, the default first |", "|---|---|---|---|---|"]
    for name in providers.names():
        row = providers.load(name)
        extra = row.extra or name
        key = f"`{row.key}`" if row.key else ""
        modes = ", ".join(mode.name for mode in row.modes)
        lines.append(f'| {name} | `"instructor[{extra}]"` | {tried(extra)} | {key} | {modes} |')
    return "\n".join(lines)


def features() -> str:
    """Show what each provider can do, and why not what it cannot."""
    notes: list[str] = []
    lines = ["| provider | " + " | ".join(FEATURES.values()) + " |", "|---|" + "---|" * len(FEATURES)]
    for case in cases():
        cells = [_cell(case, feature, notes) for feature in FEATURES]
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
    told = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*lines, "", *told])


def page() -> str:
    """Give the generated part of the page."""
    return f"{MARK}\n## All of them\n\n{rows()}\n\n## What each can do\n\n{features()}\n"


def _cell(case: Case, feature: str, notes: list[str]) -> str:
    if feature == "parallel" and Mode.PARALLEL_TOOLS not in case.row.modes:
        return "no"
    found = ["yes"]
    for what, why in case.impossible.items():
        named, _, mode = what.partition(" ")
        if named == feature:
            note = f"{mode}: {why}." if mode else f"{why[0].upper()}{why[1:]}."
            if note not in notes:
                notes.append(note)
            found = ["no"] if not mode else found
            found.append(f"({notes.index(note) + 1})")
    return " ".join(found)


if __name__ == "__main__":
    kept = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(kept + page())
