"""The functions that follow the references of a JSON schema."""

from __future__ import annotations

from typing import Any

from instructor.schema import json_schema

NESTED: dict[str, Any] = {
    "$defs": {
        "Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}, "size": {"$ref": "#/$defs/a~1b"}}},
        "a/b": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Loop"}]},
        "Loop": {"oneOf": [{"$ref": "#/$defs/Loop"}, {"type": "null"}]},
        "Alone": {"type": "string"},
    },
    "anyOf": [{"$ref": "#/$defs/Tree"}, {"$ref": "#/$defs/a~1b"}],
}


def test_a_reference_is_looked_up_as_a_json_pointer() -> None:
    assert json_schema.lookup(NESTED, "#/$defs/Alone") == {"type": "string"}
    assert json_schema.lookup(NESTED, "#/$defs/a~1b") == NESTED["$defs"]["a/b"]
    assert json_schema.lookup(NESTED, "#/$defs/Nobody/properties") is None
    assert json_schema.lookup(NESTED, "https://example.com/schema#/$defs/Alone") is None


def test_alternatives_follow_references_and_end_in_a_loop() -> None:
    assert [node["type"] for node in json_schema.alternatives(NESTED)] == ["object", "integer", "null"]
    assert json_schema.starts(NESTED) == "-0123456789n{"
    assert json_schema.starts({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}) == json_schema.ANY_START


def test_what_nothing_refers_to_is_not_reached() -> None:
    assert json_schema.reached(NESTED["$defs"]["Loop"], NESTED["$defs"]) == {"Loop"}
    assert json_schema.reached({"$ref": "#/$defs/Tree"}, {"Tree": {"items": {"$ref": "#/$defs/Leaf"}}}) == {
        "Tree",
        "Leaf",
    }
    assert json_schema.reached({"$ref": "#/$defs/a~1b"}, NESTED["$defs"]) == {"a/b", "Loop"}
