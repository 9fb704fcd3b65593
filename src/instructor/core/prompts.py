"""Every text that this library itself says to a model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


def schema(schema: dict[str, Any]) -> str:
    """Return the instruction for a model that answers in plain text: which JSON to write."""
    schema_text = json.dumps(schema, indent=2, ensure_ascii=False)
    return (
        "Answer with one JSON value that fits the JSON Schema below, read from what you are given. "
        f"Write the JSON and nothing else.\n\n{schema_text}\n\n"
        "Give an instance that fits this schema, not the schema itself."
    )


NOTHING_SAID = "(no answer)"

CODE_BLOCK = "Put the JSON into one ```json code block."

EXTRACT = "Give one `{name}`, with each required field and every value in its own type."


def segmentation(name: str) -> str:
    """Describe the wrapper of a list."""
    return (
        f"Correct segmentation of the text into `{name}` items: every one of them, each once, in the order of the text."
    )


def tasks(name: str) -> str:
    """Describe the wrapper's one field."""
    return f"All the `{name}` items, in the order in which they occur."


SIMPLE = "The one value that was asked for, under `content`."


EXTRACT_MAYBE = "A `{name}`, if there is one to extract; otherwise why there is none."
MAYBE_RESULT = "What was asked for, correctly extracted; null if it is not there."
MAYBE_ERROR = "Whether it could not be extracted."
MAYBE_MESSAGE = "Why it could not be extracted; null if it was."

QUOTES = "Quotes from the text that show this, each word for word, and no longer than it must be."


def wrong(lines: Iterable[str]) -> str:
    """Return the note that lists an answer's errors and asks for it again."""
    return "\n".join(
        ["The answer is not valid:", *(f"- {line}" for line in lines), "Correct it and answer again, whole."]
    )


def ended_by(reason: str) -> str:
    """Return the note that an answer was cut off, and asks for it again."""
    return f"The answer was not accepted. The reason: {reason}\nAnswer again, whole."


def wrong_items(errors: Sequence[Sequence[str]], repeats: Sequence[str] = ()) -> str:
    """Return the note that lists the errors of the items just shown and asks for only these again.

    `repeats`: what was answered the last time, but is in the list already.
    """
    listed = [f"- item {number}: {'; '.join(lines)}" for number, lines in enumerate(errors, 1)]
    one = len(errors) == 1
    already = []
    if repeats:
        there = "This item was" if len(repeats) == 1 else "These items were"
        below = "version of the item" if one else "versions of the items"
        already = [
            f"{there} already in the list:",
            *(f"- {text}" for text in repeats),
            f"Give the corrected {below} below instead.",
        ]
    return "\n".join([
        *already,
        f"{'This item is' if one else f'These {len(errors)} items are'} not valid:",
        *listed,
        f"Give exactly {'this item' if one else f'these {len(errors)} items'} again, corrected, "
        "in the same order and in the same form. Leave out all others.",
    ])  # fmt: skip


def go_on(count: int, shown: int, *, by_calls: bool) -> str:
    """Ask for the rest of a list that broke off after `count` items, of which the last `shown` are on view."""
    last = "The last one is shown" if shown == 1 else f"The last {shown} are shown"
    return (
        f"The list broke off after {count} item{'s' if count > 1 else ''}. {last}. "
        "Go on with the item that follows, to the end, in the same form. Do not repeat an item that is there already. "
        f"If none is left, {'call no tool' if by_calls else 'give an empty list'}."
    )


def missing_call(names: Sequence[str], *, by_calls: bool) -> str:
    """Return the note that no answer tool was called; `by_calls`: each item is a call of its own."""
    listed = ", ".join(f"`{name}`" for name in names)
    how = "once for each item, with the item" if by_calls else "with the whole answer"
    return f"No tool of the answer was called. Call {listed}, {how} as its arguments."


def faulty_escape(escape: str) -> str:
    """Return the error for an escape in a string that JSON does not have."""
    return (
        f"Invalid JSON: a string holds `{escape}`, which JSON does not have. "
        "In a JSON string, write each backslash twice: `\\\\`."
    )


def too_long_to_mend(fault: str, size: int) -> str:
    """Return the error for a text that is not JSON and is too long to be repaired."""
    return f"{fault}. The text has {size} characters, too many for its syntax to be corrected here. Write valid JSON."


def one_value(left: str) -> str:
    """Return the error for an answer with more than its one JSON value."""
    return (
        f"The answer must be one JSON value and nothing else, got this besides: {left!r}. "
        "Put what belongs to the answer inside the one value, and leave out the rest."
    )


NO_JSON = "There is no JSON of the form that was asked for in the answer. Answer with that JSON alone."

NO_LIST = "The arguments hold neither the list nor an item. Call the tool again, with the whole answer in them."
