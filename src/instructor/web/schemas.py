"""The type that a page asks for: fields in one line, a JSON Schema, or a class that the command was given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from instructor.exceptions import ConfigurationError
from instructor.schema.concise import concise_model, model_of_schema

KINDS = ("fields", "json", "class")


def type_for(schema: Any, classes: Mapping[str, Any]) -> Any:
    """Return the type that `{"kind": ..., "text": ...}` describes.

    Args:
        schema: The kind is "fields", "json" or "class"; the text is the fields, the JSON Schema or the class's name.
        classes: The classes that can be named.

    Raises:
        ConfigurationError: It describes no type.
    """
    if not isinstance(schema, dict) or not isinstance(schema.get("text"), str):
        raise ConfigurationError(f'schema must be {{"kind": ..., "text": ...}}, got {str(schema)[:80]!r}.')
    kind, text = schema.get("kind"), schema["text"]
    if kind == "fields":
        return concise_model(text)
    if kind == "json":
        try:
            return model_of_schema(json.loads(text))
        except ValueError as error:
            raise ConfigurationError(f"The JSON Schema is not JSON: {error}.") from None
        except RecursionError:
            raise ConfigurationError("The JSON Schema is nested too deeply.") from None
    if kind == "class":
        if text not in classes:
            known = ", ".join(classes) or "none: instructor play FILE.py gives some"
            raise ConfigurationError(f"Unknown class {text[:80]!r}. There are {known}.")
        return classes[text]
    raise ConfigurationError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")


def columns_of(kind: Any) -> list[str]:
    """Return the names of a type's fields, as its values have them in JSON; ["value"] for one without fields."""
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    if "$ref" in schema:  # it refers to itself
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("properties", ())) or ["value"]
