"""Types that are written in one line."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, get_args

import pytest
from pydantic import ValidationError
from pydantic_core import to_json

from instructor.exceptions import ConfigurationError
from instructor.schema.concise import concise_model


def kinds(text: str) -> dict[str, Any]:
    return {name: field.annotation for name, field in concise_model(text).model_fields.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name", {"name": str}),
        ("name, age int", {"name": str, "age": int}),
        (" name ,\tage  integer ,", {"name": str, "age": int}),
        ("name\nage int\n\n", {"name": str, "age": int}),
        ("a float, b number, c bool, d date, e datetime, f any",
         {"a": float, "b": float, "c": bool, "d": date, "e": datetime, "f": Any}),
        ("tags str[], table int[][]", {"tags": list[str], "table": list[list[int]]}),
        ("kind cat|dog", {"kind": Literal["cat", "dog"]}),
        ("age int?, email?", {"age": int | None, "email": str | None}),
        ("名前, âge int", {"名前": str, "âge": int}),
    ],
)  # fmt: skip
def test_fields_and_their_types(text: str, expected: dict[str, Any]) -> None:
    assert kinds(text) == expected


def test_descriptions() -> None:
    fields = concise_model('email?: the address, note: "one, or two: both", age int: in years\nrest').model_fields
    assert {name: field.description for name, field in fields.items()} == {
        "email": "the address", "note": "one, or two: both", "age": "in years", "rest": None,
    }  # fmt: skip
    assert not fields["email"].is_required()
    assert fields["note"].is_required()


def test_objects_in_objects() -> None:
    model = concise_model("name, homes {city, zip int?}[]: where, boss? {name}")
    value = model.model_validate({"name": "Ann", "homes": [{"city": "Bonn"}]})
    assert value.model_dump() == {"name": "Ann", "homes": [{"city": "Bonn", "zip": None}], "boss": None}
    assert model.model_fields["homes"].description == "where"
    inner = get_args(model.model_fields["homes"].annotation)[0]
    assert inner.__name__ == "Homes"
    with pytest.raises(ValidationError):
        model.model_validate({"name": "Ann", "homes": [{"town": "Bonn"}]})


def test_names_that_a_model_has_already() -> None:
    model = concise_model("schema, copy int, model_name, class")
    value = model.model_validate_json('{"schema": "x", "copy": 1, "model_name": "y", "class": "z"}')
    assert to_json(value) == b'{"schema":"x","copy":1,"model_name":"y","class":"z"}'
    assert list(model.model_json_schema()["properties"]) == ["schema", "copy", "model_name", "class"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "There are no fields"),
        ("name, age integr", "Unknown type 'integr'. Did you mean 'integer'"),
        ("name, name", "'name' is there twice"),
        ("name int str", "A comma must follow the field 'name'"),
        ("home {city", "A comma or } must follow the field 'city'"),
        ("home {}", "There are no fields"),
        ("1st", "Here must be the name of a field"),
        ("_x", "Here must be the name of a field"),
        ("kind cat|", "Here must be a word"),
        ("a $", "A comma must follow the field 'a'"),
    ],
)
def test_what_cannot_be_read_shows_the_place(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        concise_model(text)
    assert says in str(caught.value)
    assert "^" in str(caught.value)
    assert '"name, age int, email?: the address"' in str(caught.value)


def test_the_place_is_right_in_a_later_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        concise_model("name\n  age integr")
    lines = str(caught.value).splitlines()
    assert lines[1].index("integr") == lines[2].index("^")
