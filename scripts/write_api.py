"""Write the public API as text: `python scripts/write_api.py`. `make check` compares it with `tests/api.txt`.

Every public name stands there with its signature, read off the source by griffe: a change of the API shows in the diff.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parent.parent
STORED = ROOT / "tests" / "api.txt"
WHOLE = (
    "instructor.exceptions",
    "instructor.hooks",
    "instructor.observe",
    "instructor.providers",
    "instructor.testing",
)
"""Modules all of whose public names count, beside the names of `instructor` itself."""


def written() -> str:
    """Return the API, a line for each name and each overload."""
    package: Any = griffe.load("instructor", search_paths=[ROOT / "src"], resolve_aliases=True)
    tree = ast.parse((ROOT / "src" / "instructor" / "__init__.py").read_text("utf-8"))
    table = next(node.value for node in tree.body if isinstance(node, ast.Assign) and "_NAMES" in ast.unparse(node))
    lines = [f"# Written by scripts/{Path(__file__).name}: every public name, its signature and its defaults."]
    for name, module in ast.literal_eval(table).items():
        lines += described(f"instructor.{name}", package[module.removeprefix("instructor.")][name])
    for module in WHOLE:
        members = package[module.removeprefix("instructor.")].members
        for name, member in sorted(members.items()):
            if not name.startswith("_") and (not member.is_alias or module == "instructor.testing"):
                lines += described(f"{module}.{name}", member)
    return "\n".join(lines) + "\n"


def described(path: str, thing: Any) -> Iterator[str]:
    """Yield the lines of a function, of a class with its public members (inherited ones too), or of an attribute."""
    thing = thing.final_target if thing.is_alias else thing
    if thing.is_function:
        for each in (*(thing.overloads or ()), thing):
            yield f"{path}{signature(each)}"
    elif thing.is_class:
        yield f"class {path}({', '.join(str(base) for base in thing.bases)})"
        for name, member in sorted(thing.all_members.items()):
            if not name.startswith("_") or name == "__init__":
                yield from described(f"{path}.{name}", member)
    elif thing.is_attribute:
        yield f"{path}: {thing.annotation or thing.value}"


def signature(function: Any) -> str:
    """Return parameters with annotations and defaults, and what is returned."""
    parts, keyword_only = [], False
    for each in function.parameters:
        kind = each.kind.name if each.kind is not None else ""
        stars = {"var_positional": "*", "var_keyword": "**"}.get(kind, "")
        if kind == "keyword_only" and not keyword_only:
            parts.append("*")
        keyword_only = keyword_only or kind in ("keyword_only", "var_positional")
        annotation = f": {each.annotation}" if each.annotation is not None else ""
        default = f" = {each.default}" if each.default is not None and not stars else ""
        parts.append(f"{stars}{each.name}{annotation}{default}")
    return f"({', '.join(parts)}) -> {function.returns}"


if __name__ == "__main__":
    if "--check" in sys.argv:
        if STORED.read_text("utf-8") != written():
            sys.exit("The public API has changed: run `python scripts/write_api.py`, and look at the diff.")
    else:
        STORED.write_text(written(), "utf-8")
