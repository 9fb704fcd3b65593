"""Random values, types and models, the ways in which a model may write them, and those in which text may be cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Any, Literal, NamedTuple, Optional

from hypothesis import strategies as st
from pydantic import BaseModel, create_model

WORDS = st.text(
    st.one_of(st.sampled_from('aé"\\/{}[],:\n\t😀\u2028 '), st.characters(exclude_categories=["Cs"])), max_size=12
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False), WORDS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=5)
SEEDS = st.integers(0, 2**32)

PROSE = [
    "",
    "Here you are:\n",
    "\ufeff",
    "Sure! It's \"done\nitems [as asked]: see [1] and (b}\n",
    "<think>{x} or {'y'} or [{z}]</think>\n",
    'I would say {"this" is} or {"that\nand [ so on ] { too }: ',
    "a { b [ c ] } } ]\n\n",
]


class Known(NamedTuple):
    """A type, and a strategy for JSON values of it."""

    kind: Any
    values: st.SearchStrategy[Any]


def write(value: Any, seed: int) -> str:
    """Write a value as JSON with random white space and escapes."""
    return _written(value, Random(seed))


def _written(value: Any, random: Random) -> str:
    def gap() -> str:
        return random.choice(["", "", "", " ", "\n  ", "\t"])

    if isinstance(value, dict):
        pairs = (f"{gap()}{_written(k, random)}{gap()}:{gap()}{_written(v, random)}{gap()}" for k, v in value.items())
        return "{" + (",".join(pairs) or gap()) + "}"
    if isinstance(value, list):
        return "[" + (",".join(f"{gap()}{_written(v, random)}{gap()}" for v in value) or gap()) + "]"
    if isinstance(value, str):
        return '"' + "".join(_character(c, random) for c in value) + '"'
    return json.dumps(value)


def _character(character: str, random: Random) -> str:
    plain = json.dumps(character, ensure_ascii=False)[1:-1]
    escaped = json.dumps(character)[1:-1]
    ways = [plain, plain, escaped]
    if len(character.encode("utf-16-le")) == 2:
        ways.append(f"\\u{ord(character):04{random.choice('xX')}}")
    if character == "/":
        ways.append("\\/")
    return random.choice(ways)


@st.composite
def cuts(draw: st.DrawFn, text: Sequence[Any]) -> list[Any]:
    """Cut a text (or bytes) into pieces: single ones, pieces of one length, or of any."""
    how = draw(st.sampled_from(["single", "even", "random", "whole"]))
    if how == "whole":
        return [text]
    if how == "random":
        random = Random(draw(SEEDS))
        places = sorted(random.sample(range(len(text) + 1), min(len(text), random.randint(0, 12))))
        return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    step = 1 if how == "single" else draw(st.integers(2, 70))
    return [text[at : at + step] for at in range(0, len(text), step)]


def _leaves() -> st.SearchStrategy[Known]:
    return st.sampled_from(
        [
            Known(str, WORDS),
            Known(int, st.integers(-(10**9), 10**9)),
            Known(float, st.floats(allow_nan=False, allow_infinity=False)),
            Known(bool, st.booleans()),
            Known(Literal["red", "green"], st.sampled_from(["red", "green"])),
            Known(str | None, st.none() | WORDS),
            Known(date, st.dates().map(date.isoformat)),
        ]
    )


def _or_none(kind: Any) -> Any:
    return Optional[kind]  # noqa: UP045 - a type that is known at run time only


def _larger(inner: st.SearchStrategy[Known]) -> st.SearchStrategy[Known]:
    return st.one_of(
        inner.map(lambda k: Known(list[k.kind], st.lists(k.values, max_size=3))),  # type: ignore[name-defined]
        inner.map(lambda k: Known(dict[str, k.kind], st.dictionaries(WORDS, k.values, max_size=3))),  # type: ignore[name-defined]
        inner.map(lambda k: Known(_or_none(k.kind), st.none() | k.values)),
        st.lists(inner, min_size=1, max_size=4).map(_model),
    )


def _model(parts: list[Known]) -> Known:
    """Make a model; every second of its fields has a default and may be missing."""
    names = [f"{name}_{at}" for at, name in zip(range(len(parts)), "nülk", strict=False)]
    given: dict[str, Any] = {
        name: (_or_none(part.kind), None) if at % 2 else (part.kind, ...)
        for at, (name, part) in enumerate(zip(names, parts, strict=True))
    }
    values = [part.values for part in parts]
    required = {name: value for at, (name, value) in enumerate(zip(names, values, strict=True)) if at % 2 == 0}
    optional = {name: value for at, (name, value) in enumerate(zip(names, values, strict=True)) if at % 2}
    return Known(create_model("Made", **given), st.fixed_dictionaries(required, optional=optional))


TYPES = st.recursive(_leaves(), _larger, max_leaves=6)
MODELS = st.lists(TYPES, min_size=1, max_size=4).map(_model)


@st.composite
def instances(draw: st.DrawFn, at_most: int = 4) -> tuple[type[BaseModel], list[Any]]:
    """Give a model, and JSON objects of it."""
    known = draw(MODELS)
    return known.kind, draw(st.lists(known.values, max_size=at_most))
