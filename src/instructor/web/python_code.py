"""A run as a Python program that does the same."""

from __future__ import annotations

import json
import keyword
import types
import typing
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from instructor.web.runs import Run


def python_of(run: Run, class_file: str) -> str:
    """Return the program.

    Args:
        run: The run.
        class_file: The file of a class that was named.
    """
    wanted = run.wanted
    imports, classes, name = _type_of(run, class_file)
    call = (
        f"for item in client.create_iterable(response_model={name}, messages=messages):\n    print(item)"
        if wanted.many
        else f"print(client.create(response_model={name}, messages=messages))"
    )
    messages = "".join(f"    {_dict(message)},\n" for message in wanted.messages)
    return (
        "\n".join([*imports, "", ""])
        + "".join(f"\n{each}\n\n" for each in classes)
        + ("\n" if classes else "")
        + f"client = instructor.from_provider({_quoted(wanted.model)})\n"
        + f"messages = [\n{messages}]\n{call}\n"
    )


def _type_of(run: Run, class_file: str) -> tuple[list[str], list[str], str]:
    """Return imports, classes, and the name of the type."""
    wanted = run.wanted
    if wanted.schema["kind"] == "class":
        return (
            [f"from {Path(class_file).stem} import {wanted.schema['text']}", "", "import instructor"],
            [],
            wanted.schema["text"],
        )
    if wanted.schema["kind"] == "json":
        imports = ["import json", "", "from json_schema_to_pydantic import create_model", "", "import instructor"]
        schema = {"title": wanted.kind.__name__, **json.loads(wanted.schema["text"])}
        return (
            imports,
            [f"{_name(wanted.kind.__name__)} = create_model(json.loads({_quoted(json.dumps(schema))}))"],
            _name(wanted.kind.__name__),
        )
    code = _Classes()
    name = code.add(wanted.kind)
    return code.imports(), code.classes, name


class _Classes:
    """The source of models that were made of fields in one line."""

    def __init__(self) -> None:
        self.classes: list[str] = []
        self._names: dict[Any, str] = {}
        self._uses: set[str] = set()

    def imports(self) -> list[str]:
        """Return the lines of imports."""
        dates = sorted(self._uses & {"date", "datetime"})
        typed = sorted(self._uses & {"Any", "Literal"})
        standard = [f"from datetime import {', '.join(dates)}"] * bool(dates) + [
            f"from typing import {', '.join(typed)}"
        ] * bool(typed)
        pydantic = f"from pydantic import BaseModel{', Field' if 'Field' in self._uses else ''}"
        return [*standard, *[""] * bool(standard), pydantic, "", "import instructor"]

    def add(self, model: type[BaseModel]) -> str:
        """Write a model, and those in it before; return its name."""
        if model in self._names:
            return self._names[model]
        name = base = model.__name__
        count = 1
        while name in self._names.values():
            count += 1
            name = f"{base}{count}"
        self._names[model] = name
        lines = [self._field(field, info) for field, info in model.model_fields.items()]
        self.classes.append("\n".join([f"class {name}(BaseModel):", *lines]))
        return name

    def _field(self, name: str, info: Any) -> str:
        facts = []
        if info.default is not PydanticUndefined:
            facts.append(f"default={info.default!r}" if info.description or info.alias else repr(info.default))
        if keyword.iskeyword(name):
            name, info = f"{name}_", _Aliased(info, name)
        if info.alias:
            facts.append(f"alias={_quoted(info.alias)}")
        if info.description:
            facts.append(f"description={_quoted(info.description)}")
        if info.description or info.alias:
            self._uses.add("Field")
            return f"    {name}: {self._type(info.annotation)} = Field({', '.join(facts)})"
        return f"    {name}: {self._type(info.annotation)}{f' = {facts[0]}' if facts else ''}"

    def _type(self, kind: Any) -> str:
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            return " | ".join(self._type(each) for each in get_args(kind))
        if origin is list:
            return f"list[{self._type(get_args(kind)[0])}]"
        if origin is Literal:
            self._uses.add("Literal")
            return f"Literal[{', '.join(_quoted(each) for each in get_args(kind))}]"
        if kind is typing.Any:
            self._uses.add("Any")
            return "Any"
        if kind in (None, type(None)):
            return "None"
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self.add(kind)
        self._uses.add(kind.__name__)
        return str(kind.__name__)


class _Aliased:
    """A field whose name is a word of Python's."""

    def __init__(self, info: Any, alias: str) -> None:
        self.annotation, self.default, self.description, self.alias = (
            info.annotation, info.default, info.description, alias
        )  # fmt: skip


def _name(text: str) -> str:
    return text if text.isidentifier() and not keyword.iskeyword(text) else "Item"


def _dict(message: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{_quoted(name)}: {_quoted(value)}" for name, value in message.items()) + "}"


def _quoted(text: str) -> str:
    """Return a text as Python writes it, in double quotes, and in ASCII where a character could be misread."""
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text.replace("\\", "\\\\")
    )
    return '"' + shown.replace('"', '\\"') + '"'
