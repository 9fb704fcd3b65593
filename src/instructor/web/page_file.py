"""A run as one HTML file that needs nothing else: no server, no network, no other file.

The data is JSON in an element that browsers do not run, with every `<` as `\\u003c`, so that no value can end it. The
policy of the page names the one script and the one style sheet by their hashes: nothing else runs, whatever is in the
data.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path

from instructor.web.events import Json
from instructor.web.plain import for_page
from instructor.web.runs import Run

_STATIC = Path(__file__).parent / "static"
_MODULES = ("dom.js", "marks.js", "table.js", "detail.js", "export.js")
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def html_of(run: Run, _file: str = "") -> str:
    """Return the file."""
    script, style = _script(), (_STATIC / "style.css").read_text("utf-8")
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'"
    policy += "; form-action 'none'"
    data = json.dumps(_data(run)).replace("<", "\\u003c")
    title = html.escape(f"{len(run.rows)} items of {run.wanted.model}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body class="exported">
<header><h1>{title}</h1></header>
<main>
<section><h2>Text</h2><div id="marked" tabindex="0" aria-label="Text with marks"></div></section>
<section id="items-pane"><h2>Items</h2><div id="items" class="scroll"></div></section>
</main>
<section id="below"><div id="detail"></div></section>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def _data(run: Run) -> Json:
    """Return what the file shows. The items that stayed wrong are in it, too."""
    tries: dict[int, list[Json]] = {}
    for wrong in run.log.of_kind("wrong"):
        tries.setdefault(wrong["index"], []).append({name: wrong[name] for name in ("text", "errors", "request")})
    rows: list[Json] = []
    for number, item in enumerate(run.log.of_kind("item")):
        row = run.rows[number]
        rows.append({
            "number": number, "index": item["index"], "value": for_page(row.plain), "state": item["state"],
            "spans": row.spans, "request": item["request"],
            "tries": tries.pop(item["index"], []) if item["state"] == "repaired" else [],
        })  # fmt: skip
    for index, each in tries.items():
        rows.append({
            "number": None, "index": index, "value": None, "state": "wrong", "spans": [], "tries": each,
            "errors": each[-1]["errors"], "request": each[-1]["request"],
        })  # fmt: skip
    rows.sort(key=lambda row: row["index"])
    return {"text": run.wanted.text, "columns": list(run.wanted.columns), "rows": rows}


def _script() -> str:
    """Return the page's modules as one script: without what they import from each other."""
    whole = "\n".join((_STATIC / name).read_text("utf-8") for name in _MODULES)
    return '"use strict";\n' + _EXPORT.sub("", _IMPORT.sub("", whole))


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
