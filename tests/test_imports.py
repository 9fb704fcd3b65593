"""`import instructor` costs nothing, every public name is there, and so is every old path."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import instructor
from instructor import providers
from instructor._compat import ALIASES

HEAVY = {"docstring_parser", "jinja2", "jiter", "pydantic", "tenacity"}  # what every user has
HEAVY |= {"anthropic", "httpx", "httpx2", "openai", "rich", "starlette", "typer", "xllamacpp"}  # what some have


def run(code: str) -> str:
    """Run code in a Python that has imported nothing yet."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_importing_loads_no_other_library() -> None:
    loaded = run("import sys, instructor; print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert "instructor" in loaded
    assert sorted(HEAVY & set(loaded)) == []


AN_OPENAI_CLIENT = """
import sys
import openai
sdk = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9", max_retries=0)
before = set(sys.modules)
import instructor
client = instructor.from_openai(sdk, model="none")
"""
A_CALL = """
from pydantic import BaseModel
class User(BaseModel):
    name: str
try:
    client.create(User, [{"role": "user", "content": "x"}], max_retries=0)
except openai.APIConnectionError:
    pass
"""
OF_OTHERS = {"anyio", "asyncio", "docstring_parser", "jinja2", "rich", "tenacity", "trio", "typer"}
OF_OTHERS |= {"concurrent", "difflib", "email", "http", "importlib.metadata"}
OF_CALLS = {"call", "cli", "dsl", "function_calls", "local", "outputs", "results", "templating", "testing"}
OF_CALLS |= {"core.drivers", "core.runner", "core.watchdog", "parsing.items", "parsing.scanner", "schema.types"}


def loaded_by(code: str) -> set[str]:
    """Return the modules that code loads beyond those that the SDK and its client have loaded."""
    return set(run(f"{AN_OPENAI_CLIENT}{code}\nprint(*(set(sys.modules) - before))").split())


def within(modules: set[str], packages: set[str]) -> list[str]:
    """List the modules that are one of the packages, or a part of one."""
    return sorted(name for name in modules if any(f"{name}.".startswith(f"{package}.") for package in packages))


def test_a_client_is_made_without_what_its_calls_need() -> None:
    loaded = loaded_by("")
    assert "instructor.factories" in loaded
    assert within(loaded, OF_OTHERS) == []
    assert within(loaded, {f"instructor.{name}" for name in OF_CALLS}) == []
    assert sorted(name for name in loaded if name.startswith("instructor.providers.") and "responses" in name) == []
    assert len(loaded) <= 37, sorted(loaded)


def test_a_call_loads_what_it_uses() -> None:
    loaded = loaded_by(A_CALL)
    assert "instructor.call" in loaded
    assert within(loaded, {"docstring_parser", "jinja2", "instructor.templating", "instructor.local"}) == []
    assert "jinja2" in loaded_by(A_CALL.replace("max_retries", "context={'a': 1}, max_retries"))


@pytest.mark.parametrize("name", instructor.__all__)
def test_a_public_name(name: str) -> None:
    assert getattr(instructor, name) is getattr(import_module(instructor._NAMES[name]), name)
    assert name in dir(instructor)


def test_no_public_name_is_a_module_too() -> None:
    """Importing `instructor.x` sets the attribute `x` of the package: it would hide a function called `x`."""
    modules = {path.stem for path in Path(instructor.__path__[0]).iterdir()} | {a.split(".")[1] for a in ALIASES}
    assert modules.isdisjoint({*instructor.__all__} - {"patch", "prompts"})
    run("import instructor.patch, instructor.prompts; assert instructor.patch(create=len); instructor.prompts.names()")
    run("from instructor.patch import apatch; from instructor import patch; assert patch(create=len)")


def test_editors_are_told_the_same_names() -> None:
    tree = ast.parse(Path(instructor.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "instructor"
        for alias in node.names
        if alias.asname
    }
    assert told == instructor._NAMES
    named = {node.target.id for node in block.body if isinstance(node, ast.AnnAssign)}  # type: ignore[union-attr]
    assert named | {"from_openai"} == {f"from_{name}" for name in (*providers.names(), "genai")}


def test_star_import() -> None:
    given: dict[str, object] = {}
    exec("from instructor import *", given)
    assert set(instructor.__all__) <= set(given)


@pytest.mark.parametrize("alias", ALIASES)
def test_an_old_path(alias: str) -> None:
    module = import_module(alias)
    for home in map(import_module, ALIASES[alias]):
        own = [
            name
            for name, value in vars(home).items()
            if getattr(value, "__module__", "") == home.__name__
            and not name.startswith("_")
            and name not in ("T", "WholeT")
        ]
        assert own
        assert [name for name in own if getattr(module, name) is not getattr(home, name)] == []


@pytest.mark.parametrize(
    "code",
    [
        "instructor.function_calls.Mode.JSON",
        "instructor.exceptions.InstructorError",
        "instructor.core.exceptions.InstructorRetryException",
        "instructor.hooks.HookName",
        "instructor.dsl.partial.Partial",
        "instructor.client.Instructor",
    ],
)
def test_a_module_is_an_attribute_without_an_import_of_its_own(code: str) -> None:
    run(f"import instructor; assert {code} is not None")


@pytest.mark.parametrize(
    "code",
    [
        "from instructor.function_calls import Mode; import instructor; assert Mode is instructor.Mode",
        "import instructor.core.exceptions as a, instructor.exceptions as b; assert a.ModeError is b.ModeError",
        "import instructor.core.client; assert instructor.core.client.Instructor is instructor.Instructor",
        "from instructor.core import Hooks, exceptions; import instructor; assert Hooks is instructor.Hooks",
        "import instructor.core.patch; from instructor.core import patch; assert patch.__name__ == 'patch'",
        "from instructor.dsl import Partial, IterableModel; import instructor; assert Partial is instructor.Partial",
    ],
)
def test_an_old_import_in_a_fresh_process(code: str) -> None:
    run(code)


@pytest.mark.parametrize("name", ["nothing", "from_nothing", "_private", "__wrapped__"])
def test_a_name_that_is_not_there(name: str) -> None:
    with pytest.raises(AttributeError, match=f"'instructor' has no attribute '{name}'"):
        getattr(instructor, name)


def test_a_name_that_is_not_at_an_old_path() -> None:
    with pytest.raises(ImportError, match="nothing"):
        exec("from instructor.core import nothing", {})
    with pytest.raises(ModuleNotFoundError):
        import_module("instructor.core.nothing")


def test_a_module_that_fails_says_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lame.py").write_text("import something_that_is_not_installed")
    package: Any = instructor
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_installed"):
        _ = package.lame


def test_the_package_can_be_sent_to_another_process() -> None:
    for module in (instructor, import_module("instructor.dsl"), import_module("instructor.core")):
        assert pickle.loads(pickle.dumps(module)) is module
