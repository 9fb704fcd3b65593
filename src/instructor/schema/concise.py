"""Types that are written as text: JSON Schemas, and fields in one line, for shells and pages.

The fields: `name, age int, email?: the address, tags str[], home {city, zip?}`.

    field   NAME [?] [TYPE] [: DESCRIPTION]      `?`: it may be missing; without a type it is text
    TYPE    str int float bool date datetime any | one of some words: a|b|c | { fields } | TYPE[] for a list

Fields are separated by commas or line ends. A description that has a comma is written in double quotes.
"""

from __future__ import annotations

import importlib
import re
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, create_model

from instructor._compat import did_you_mean
from instructor._install import install_command
from instructor.exceptions import ConfigurationError

TYPES: dict[str, Any] = {
    **dict.fromkeys(("str", "text", "string"), str),
    **dict.fromkeys(("int", "integer"), int),
    **dict.fromkeys(("float", "number"), float),
    **dict.fromkeys(("bool", "boolean"), bool),
    "date": date,
    "datetime": datetime,
    "any": Any,
}
"""The names of types."""
_TOKEN = re.compile(r'[^\S\n]*(?:(\n|[,{}?|])|(\[\])|:[^\S\n]*("[^"\n]*"|[^,}\n]*)|([^\W\d_]\w*)|(\S))')


_CONFIG = ConfigDict(protected_namespaces=())


class _Token(NamedTuple):
    kind: str
    """The character itself, or "[]", "description", "word", "wrong", "end"."""
    text: str
    place: int


def concise_model(text: str, name: str = "Item") -> type[BaseModel]:
    """Return the model that a line describes.

    Args:
        text: The fields.
        name: The model's name. Models see it.

    Raises:
        ConfigurationError: The text is no such line; the error shows the place.

    Example:
        >>> concise_model("name, age int")(name="Ann", age=1)
        Item(name='Ann', age=1)
    """
    return _Reader(text).model(name)


def model_of_schema(schema: Any, name: str = "Item") -> type[BaseModel]:
    """Return the model that a JSON Schema of an object describes. It has the schema's title, or else this name.

    Raises:
        ConfigurationError: It is not a JSON Schema of an object, or the package that reads it is missing.
    """
    try:
        make = importlib.import_module("json_schema_to_pydantic").create_model
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"A JSON Schema needs the module {error.name!r}: {install_command('cli')}") from error
    if not isinstance(schema, dict):
        raise ConfigurationError(f"A JSON Schema must be an object, got {str(schema)[:80]!r}.")
    try:
        made: type[BaseModel] = make({"title": name, **schema})
    except Exception as error:
        raise ConfigurationError(f"This is not a JSON Schema of an object: {error}") from error
    return made


class _Reader:
    """Reads the fields, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def model(self, name: str, closed_by: str = "end") -> type[BaseModel]:
        fields: dict[str, Any] = {}
        while True:
            while self._peek.kind in (",", "\n"):
                self._next()
            if self._peek.kind == closed_by:
                if not fields:
                    raise self._error(self._peek, "There are no fields.")
                self._next()
                return create_model(name, __config__=_CONFIG, **fields)
            word = self._expect("word", "the name of a field")
            if word.text in fields or f"{word.text}_" in fields:
                raise self._error(word, f"The field {word.text!r} is there twice.")
            self._field(word.text, fields)
            if self._peek.kind not in (",", "\n", closed_by):
                end = " or }" if closed_by == "}" else ""
                raise self._error(self._peek, f"A comma{end} must follow the field {word.text!r}.")

    def _field(self, name: str, fields: dict[str, Any]) -> None:
        is_optional = self._took("?")
        kind = self._type(name) if self._peek.kind in ("word", "{") else str
        is_optional = self._took("?") or is_optional
        description = self._next().text.strip('"').strip() or None if self._peek.kind == "description" else None
        facts: dict[str, Any] = {"description": description}
        if is_optional:
            kind, facts["default"] = kind | None if kind is not Any else Any, None
        if hasattr(BaseModel, name):  # it must not hide a method
            facts["alias"] = name
            name += "_"
        fields[name] = (kind, Field(**facts))

    def _type(self, name: str) -> Any:
        if self._took("{"):
            kind: Any = self.model(name.title().replace("_", ""), "}")
        else:
            words = [self._next()]
            while self._took("|"):
                words.append(self._expect("word", "a word"))
            if len(words) > 1:
                kind = Literal[tuple(word.text for word in words)]
            elif words[0].text not in TYPES:
                hint = did_you_mean(words[0].text, TYPES)
                raise self._error(words[0], f"Unknown type {words[0].text!r}.{hint} There are {', '.join(TYPES)}.")
            else:
                kind = TYPES[words[0].text]
        while self._took("[]"):
            kind = list[kind]
        return kind

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._peek
        self._at += token.kind != "end"
        return token

    def _took(self, kind: str) -> bool:
        if self._peek.kind != kind:
            return False
        self._next()
        return True

    def _expect(self, kind: str, what: str) -> _Token:
        if self._peek.kind != kind:
            raise self._error(self._peek, f"Here must be {what}.")
        return self._next()

    def _error(self, token: _Token, problem: str) -> ConfigurationError:
        start = self._text.rfind("\n", 0, token.place) + 1
        line = self._text[start:].partition("\n")[0]
        return ConfigurationError(
            f"The schema cannot be read. {problem}\n  {line}\n  {' ' * (token.place - start)}^\n"
            'Write fields as in "name, age int, email?: the address".'
        )


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        mark, brackets, description, word, wrong = match.groups()
        place = match.end() - len(match.group().lstrip(" \t\r\f\v"))
        if mark:
            found.append(_Token(mark, mark, match.end() - 1))
        elif brackets:
            found.append(_Token("[]", "[]", place))
        elif description is not None:
            found.append(_Token("description", description, place))
        elif word:
            found.append(_Token("word", word, match.start(4)))
        else:
            found.append(_Token("wrong", wrong, match.start(5)))
    return [*found, _Token("end", "", len(text.rstrip()))]
