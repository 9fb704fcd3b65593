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
    text = wanted.schema["text"]
    if wanted.schema["kind"] == "class":
        return [f"from {Path(class_file).stem} import {text}", "", "import instructor"], [], text
    name = wanted.kind.__name__
    if wanted.schema["kind"] == "json":
        imports = ["import json", "", "from json_schema_to_pydantic import create_model", "", "import instructor"]
        schema = json.dumps({"title": name, **json.loads(text)})
        name = name if name.isidentifier() and not keyword.iskeyword(name) else "Item"
        return imports, [f"{name} = create_model(json.loads({_quoted(schema)}))"], name
    code = _Classes()
    name = code.add(wanted.kind)
    return code.imports(), code.classes, name


_TAKEN = {
    *("BaseModel", "Field", "Any", "Literal", "list", "str", "int", "float", "bool", "date", "datetime", "None"),
    *("client", "instructor", "item", "messages", "print"),
}
"""Names that mean something else in the program."""


class _Classes:
    """The source of models that were made of fields in one line."""

    def __init__(self) -> None:
        self.classes: list[str] = []
        self._names: dict[Any, str] = {}
        self._uses: set[str] = set()

    def imports(self) -> list[str]:
        """Return the lines of imports."""
        found = []
        for module, names in (("datetime", ("date", "datetime")), ("typing", ("Any", "Literal"))):
            if used := sorted(self._uses.intersection(names)):
                found.append(f"from {module} import {', '.join(used)}")
        if found:
            found.append("")
        return [*found, f"from pydantic import BaseModel{', Field' * ('Field' in self._uses)}", "", "import instructor"]

    def add(self, model: type[BaseModel]) -> str:
        """Write a model, and those in it before; return its name."""
        if model not in self._names:
            name, count = model.__name__, 1
            while name in _TAKEN or name in self._names.values():
                count += 1
                name = f"{model.__name__}{count}"
            self._names[model] = name
            lines = [self._field(field, info) for field, info in model.model_fields.items()]
            self.classes.append("\n".join([f"class {name}(BaseModel):", *lines]))
        return self._names[model]

    def _field(self, name: str, info: Any) -> str:
        alias = info.alias
        if keyword.iskeyword(name) or name in _TAKEN or name in self._names.values():
            name, alias = f"{name}_", alias or name
        facts = [] if info.default is PydanticUndefined else [f"default={info.default!r}"]
        facts += [f"alias={_quoted(alias)}"] if alias else []
        facts += [f"description={_quoted(info.description)}"] if info.description else []
        kind = self._type(info.annotation)
        if alias or info.description:
            self._uses.add("Field")
            return f"    {name}: {kind} = Field({', '.join(facts)})"
        return f"    {name}: {kind}" if not facts else f"    {name}: {kind} = {info.default!r}"

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


def _dict(message: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{_quoted(name)}: {_quoted(value)}" for name, value in message.items()) + "}"


def _quoted(text: str) -> str:
    """Return a text as Python writes it, in double quotes, and in ASCII where a character could be misread."""
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text.replace("\\", "\\\\")
    )
    return '"' + shown.replace('"', '\\"') + '"'
