"""The texts that a model would write: JSON documents of a kind and a size, the same in every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_WORDS = "the quick brown fox jumps over a lazy dog while seven wizards quietly brew jasmine tea and vex bold judges"
_DEPTH = 20
"""How deeply a `deep` document is nested: two brackets a level."""


@lru_cache(maxsize=8)
def document(name: str) -> str:
    """Give the text of a document, by its kind and size: `users-1000` (items), `text-10000` (characters)."""
    kind, _, size = name.partition("-")
    return json.dumps(_KINDS[kind](int(size or 0)), ensure_ascii=False)


def user(at: int) -> dict[str, Any]:
    return {"name": f"Person {at}", "age": at % 90}


def people(count: int) -> str:
    """Make the text that so many users are extracted from."""
    return "\n".join(f"Person {at}, who is {at % 90} years old, came." for at in range(count))


def order(at: int, lines: int) -> dict[str, Any]:
    """Make an object of about 110 characters a line, and 300 more."""
    return {
        "number": at,
        "customer": {"name": f"Person {at}", "email": f"person{at}@example.org", "city": "Königsberg \U0001f3f0"},
        "note": f'He said: "as [soon] as {{possible}}", and paid. {prose(80)}',
        "lines": [
            {"sku": f"SKU-{at}-{line}", "title": prose(40, line), "count": line % 7 + 1, "price": line * 0.25}
            for line in range(lines)
        ],
    }


def prose(size: int, begin: int = 0) -> str:
    """Give so many characters of words."""
    words = _WORDS[begin % 60 :] + " "
    return (words + (_WORDS + " ") * (size // len(_WORDS) + 1))[:size]


def nested(at: int) -> dict[str, Any]:
    node: dict[str, Any] = {"name": f"leaf {at}", "children": []}
    for level in range(_DEPTH):
        node = {"name": f"node {level}", "children": [node]}
    return node


def report(size: int) -> dict[str, Any]:
    """Make a document of many kinds of parts: strings long and short, lists of strings, lists of small objects."""
    made: dict[str, Any] = {"title": "Annual report", "summary": prose(400), "sections": []}
    length = 0
    while length < size:
        at = len(made["sections"])
        section = {
            "heading": f"Section {at}",
            "body": prose(300, at),
            "points": [prose(30, at + n) for n in range(5)],
            "figures": [{"label": f"Figure {at}.{n}", "value": n * 1.5, "sound": n % 2 == 0} for n in range(8)],
        }
        made["sections"].append(section)
        length += len(json.dumps(section)) + 2
    return made


def _until(size: int, make: Any) -> list[Any]:
    made, length = [], 0
    while length < size:
        made.append(make(len(made)))
        length += len(json.dumps(made[-1])) + 2
    return made


def _lines(size: int) -> int:
    return max(1, (size - 300) // 110)


_KINDS = {
    # lists of items, under the wrapper's key
    "users": lambda count: {"tasks": [user(at) for at in range(count)]},
    "orders": lambda count: {"tasks": [order(at, _lines(2000)) for at in range(count)]},
    "order": lambda size: {"tasks": [order(at, _lines(size)) for at in range(2)]},
    "items.text": lambda size: {"tasks": [{"title": "One long string", "body": prose(size)}]},
    "items.many": lambda size: {"tasks": _until(size, user)},
    "items.deep": lambda size: {"tasks": [{"name": "root", "children": _until(size, nested)}]},
    # one value
    "user": lambda _: user(41),
    "report": report,
    "value.text": lambda size: {"title": "One long string", "body": prose(size)},
    "value.many": lambda size: {"people": _until(size, user)},
    "value.deep": lambda size: {"name": "root", "children": _until(size, nested)},
}


def flood(megabytes: int) -> Iterator[str]:
    """Give a list of so many megabytes of 2 kB items, in pieces of 1 kB."""
    block = "".join(json.dumps(order(at, _lines(2000))) + ", " for at in range(500))
    pieces = [block[at : at + 1024] for at in range(0, len(block), 1024)]
    yield '{"tasks": ['
    for _ in range(megabytes * 1_000_000 // len(block)):
        yield from pieces
    yield json.dumps(order(0, 1)) + "]}"
