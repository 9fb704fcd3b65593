"""Schemas as grammars: what the compiler understands stays, what it would trip over goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from instructor.exceptions import ProviderError
from instructor.local.grammar import fit, grammar


@pytest.mark.parametrize(
    ("pattern", "plain"),
    [
        (r"^\d{3}$", "^[0-9]{3}$"),
        (r"^[\d.]+\w$", "^[0-9.]+[A-Za-z0-9_]$"),
        (r"^\\d$", r"^\\d$"),
        (r"^(?:a|b)\s*$", r"^(?:a|b)[ \t\n\r]*$"),
        ("^[0-9]+$", "^[0-9]+$"),
    ],
)
def test_a_patterns_classes_are_spelled_out(pattern: str, plain: str) -> None:
    assert fit({"type": "string", "pattern": pattern}) == {"type": "string", "pattern": plain}


@pytest.mark.parametrize("pattern", ["^(?=a)b", "^(?!a)b", "(?<=a)b", r"(a)\1", r"\bword\b"])
def test_a_pattern_that_looks_around_is_left_to_validation(pattern: str) -> None:
    assert fit({"type": "string", "pattern": pattern}) == {"type": "string"}


def test_keywords_that_would_not_compile_are_dropped_everywhere() -> None:
    node = {
        "type": "string",
        "not": {"const": "x"},
        "contentMediaType": "text/plain",
        "title": "T",
        "format": "password",
    }
    schema = {"type": "array", "items": node, "uniqueItems": False, "$defs": {"A": {"anyOf": [node]}}}
    fitted = {"type": "string"}
    assert fit(schema) == {"type": "array", "items": fitted, "$defs": {"A": {"anyOf": [fitted]}}}


def test_a_field_may_be_called_like_a_keyword() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}, "not": {"type": "null"}}}
    assert list(fit(schema)["properties"]) == ["title", "not"]


def test_an_object_with_fields_is_closed_and_one_without_is_not() -> None:
    assert fit({"type": "object", "properties": {}})["additionalProperties"] is False
    assert "additionalProperties" not in fit({"type": "object"})
    free = {"type": "object", "additionalProperties": {"type": "integer", "title": "T"}}
    assert fit(free)["additionalProperties"] == {"type": "integer"}


def test_exactly_one_of_becomes_any_of() -> None:
    members: list[dict[str, Any]] = [{"type": "integer"}, {"type": "number"}]
    assert fit({"oneOf": members, "discriminator": {"propertyName": "kind"}}) == {"anyOf": members}


def test_a_reference_to_nothing_is_an_error() -> None:
    with pytest.raises(ProviderError, match=r"#/\$defs/Missing"):
        fit({"type": "array", "items": {"$ref": "#/$defs/Missing"}})


def test_the_grammar_fixes_the_layout() -> None:
    head, _, schema = grammar({"type": "object"}).partition("%json ")
    assert head.startswith("%llguidance")
    assert json.loads(schema)["x-guidance"]["whitespace_flexible"] is False
