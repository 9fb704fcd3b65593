"""Write the sync client of the async one: `python scripts/generate_sync_client.py`. A test fails where they differ."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src" / "instructor"
SOURCE, TARGET = PACKAGE / "client.py", PACKAGE / "sync_client.py"
REPLACEMENTS = (
    (
        r'\A""".*?"""\n',
        '"""The sync client. Generated from client.py by scripts/generate_sync_client.py: change that file."""\n',
    ),
    (r"from instructor\.sync_client import .*\n", ""),
    (r"(?m)^    AsyncRetries = .*", "    Retries = int | Retrying"),
    (r"AsyncStream, ListResponse", "ListResponse, Stream"),
    (r"import AsyncRetrying, Retrying", "import Retrying"),
    (r"The async client", "The sync client"),
    (
        r" `create` is awaited\. (`create_iterable` and `create_partial` return a stream) at once: `async for",
        r" \1: `for",
    ),
    (r"\bAsync(Instructor|Responses|Stream|Retries|BulkRun)\b", r"\1"),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"from instructor import _compat\n", ""),
    (r"(?s)\n\n\nif not TYPE_CHECKING:.*\Z", "\n"),
    (r"_caller\.a(create|partial|iterable|with_completion|map)\b", r"_caller.\1"),
)
"""Applied in this order."""


def sync(text: str) -> str:
    """Return the sync client's source for the source of the async one."""
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text, flags=re.DOTALL if pattern.startswith(r"\A") else 0)
    return text


if __name__ == "__main__":
    TARGET.write_text(sync(SOURCE.read_text("utf-8")), "utf-8")
