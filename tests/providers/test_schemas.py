"""A type's schema in the subset of each wire: golden files, and what holds for all of them.

`python tests/providers/test_schemas.py` writes the golden files anew.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field

from instructor.outputs import output_for
from instructor.schema import subsets
from instructor.schema.subsets import OPENAI, Fitted, Subset, fit

GOLDEN = Path(__file__).parent / "golden"
SUBSETS: dict[str, Subset] = {
    "openai": subsets.OPENAI,
    "anthropic": subsets.ANTHROPIC,
    "bedrock": subsets.BEDROCK,
    "gemini": subsets.GEMINI,
    "cohere": subsets.COHERE,
    "xai": subsets.XAI,
}


class Unit(enum.Enum):
    PIECE = "piece"
    KILO = "kilo"


class Line(BaseModel):
    """One line of an order."""

    number: Annotated[str, Field(min_length=3, max_length=8, pattern=r"^[A-Z]+$", description="As printed.")]
    coded: Annotated[str, Field(json_schema_extra={"pattern": r"^(?=A)\w+$"})]
    amount: Annotated[int, Field(ge=1, lt=100, multiple_of=5)] = 5
    unit: Unit = Unit.PIECE


class Order(BaseModel):
    kind: Literal["order"]
    lines: Annotated[list[Line], Field(min_length=2, max_length=9)]
    main: Line = Field(description="The first of them.")
    due: datetime | None = None
    takes: timedelta
    page: AnyUrl
    paid: bool = False


class Tree(BaseModel):
    name: str
    children: list[Tree]
    parent: Tree | None = None


class Cat(BaseModel):
    sort: Literal["cat"]
    lives: int


class Dog(BaseModel):
    sort: Literal["dog"]
    bark: str


class Pets(BaseModel):
    one: Cat | Dog
    told: Annotated[Cat | Dog, Field(discriminator="sort")]
    either: int | str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str


class Keys(BaseModel):
    counts: dict[str, int]


class Pair(BaseModel):
    place: tuple[float, float]


class Anything(BaseModel):
    value: Any


TYPES = (Order, Tree, Pets, Open, Keys, Pair, Anything)


def golden(subset: Subset) -> dict[str, Any]:
    return {kind.__name__: fit(output_for(kind).schema, subset)._asdict() for kind in TYPES}


@pytest.mark.parametrize("name", SUBSETS)
def test_each_subset_is_as_its_golden_file_says(name: str) -> None:
    assert golden(SUBSETS[name]) == json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Walk the schemas in a schema."""
    yield node
    for key in ("properties", "$defs"):
        for part in node.get(key, {}).values():
            yield from nodes(part)
    for key in ("anyOf", "prefixItems"):
        for part in node.get(key, ()):
            yield from nodes(part)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key])


@pytest.mark.parametrize("name", SUBSETS)
@pytest.mark.parametrize("kind", TYPES)
def test_what_passes_holds_only_what_the_wire_takes(name: str, kind: type[BaseModel]) -> None:
    subset = SUBSETS[name]
    fitted = fit(output_for(kind).schema, subset)
    assert (fitted.schema is None) == bool(fitted.obstacles)
    shape = {"type", "properties", "required", "items", "enum", "$ref", "$defs", "description", "format"}
    shape |= {"additionalProperties"} if subset.closed or subset.free_keys else set()
    shape |= {"anyOf"} if subset.unions else set()
    shape |= {"prefixItems"} if subset.tuples else set()
    shape |= {"const"} if subset.constants else set()
    for node in nodes(fitted.schema or {}):
        assert node.keys() <= shape | subset.keywords
        assert node.get("format") in (None, *subset.formats)
        if "$ref" in node:
            assert set(node) == {"$ref"}
            assert fitted.schema is not None
            assert node["$ref"].rsplit("/", 1)[-1] in fitted.schema["$defs"]
        if subset.closed and not subset.free_keys and node.get("type") == "object":
            assert node["additionalProperties"] is False
        if subset.all_required and node.get("type") == "object":
            assert node["required"] == list(node["properties"])


def test_every_keyword_is_kept_or_a_loss() -> None:
    schema = output_for(Order).schema
    said = ("minLength", "maxLength", "pattern", "minimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems")
    for subset in SUBSETS.values():
        fitted = fit(schema, subset)
        kept = {key for node in nodes(fitted.schema) for key in node}
        lost = " ".join(fitted.losses)
        assert all(key in kept or f"{key}=" in lost for key in said)


def test_what_is_lost_is_told_to_the_model() -> None:
    class Named(BaseModel):
        name: Annotated[str, Field(min_length=2, description="In full.")]

    fitted = fit(output_for(Named).schema, subsets.ANTHROPIC)
    assert fitted.losses == ["minLength=2 @ $.name"]
    assert fitted.schema is not None
    assert fitted.schema["properties"]["name"] == {"type": "string", "description": "In full.; minLength=2"}


def test_all_of_is_joined() -> None:
    part = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    schema = {"allOf": [part], "properties": {"b": {"type": "integer"}}, "required": ["b"], "description": "Both."}
    closed = fit(schema, OPENAI).schema
    assert closed is not None
    assert set(closed["properties"]) == {"a", "b"}
    assert closed["description"] == "Both."


def test_types_that_hold_each_other_end() -> None:
    said = {"description": "The other."}
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A", **said}},
        "$defs": {
            "A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B", **said}}},
            "B": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A", **said}}},
        },
    }
    assert set(fit(schema, subsets.OPENAI).schema["$defs"]) == {"A", "B"}  # type: ignore[index]
    assert fit(schema, subsets.ANTHROPIC) == Fitted(None, [], ["a type that holds itself: A, B @ $"])


def test_the_schema_given_is_not_changed() -> None:
    schema = output_for(Order).schema
    before = json.dumps(schema)
    for subset in SUBSETS.values():
        fit(schema, subset)
    assert json.dumps(schema) == before


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, subset in SUBSETS.items():
        (GOLDEN / f"{name}.json").write_text(json.dumps(golden(subset), indent=1) + "\n", "utf-8")
