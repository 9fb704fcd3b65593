"""What follows from a provider's row, and that nothing else needs to be edited for a new one."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import instructor
import matrix
from harness import Harness
from instructor import Mode, providers
from instructor._install import install_command
from instructor.exceptions import ClientError, ConfigurationError, ModeError
from instructor.providers import base
from instructor.providers.base import Provider
from instructor.providers.compatible import openai_compatible
from instructor.testing import answer

ROWS = [providers.load(name) for name in providers.names()]
PYPROJECT = (matrix.ROOT / "pyproject.toml").read_text()
IMAGINARY = openai_compatible("imaginary", key="IMAGINARY_API_KEY", base_url="https://api.imaginary.example/v1")


def extras() -> dict[str, list[Requirement]]:
    """Read the extras of pyproject.toml. (Python 3.10 has no reader of TOML.)"""
    table = PYPROJECT.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    listed = re.findall(r"^([\w-]+) = \[(.*?)\](?: *#[^\n]*)?$", table, re.MULTILINE | re.DOTALL)
    return {name: [Requirement(text) for text in re.findall(r'"([^"]+)"', body)] for name, body in listed}


EXTRAS = extras()
APART = {"litellm", "ray", "daft"}
"""What is not in `all`: it needs other versions, or half a gigabyte."""
for_rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@for_rows
def test_its_extra_installs_its_sdk(row: Provider) -> None:
    extra = row.extra or row.name
    package = canonicalize_name(matrix.tried(extra).partition(" ")[0])
    assert package in {canonicalize_name(requirement.name) for requirement in EXTRAS[extra]}


def test_all_is_all() -> None:
    (everything,) = EXTRAS["all"]
    assert everything.extras == set(EXTRAS) - {"all", *APART}


def test_the_pins_fit_the_extras() -> None:
    pins = "\n".join(
        (matrix.ROOT / "requirements" / f"{name}.txt").read_text() for name in ("run", "providers", "engines")
    )
    pinned = {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w-]+)(?:\[\w+\])?==([\w.]+)", pins, re.M)
    }
    for requirement in (each for name, each_of in EXTRAS.items() if name not in ("all", "litellm") for each in each_of):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


@for_rows
def test_a_missing_sdk_is_named_with_what_installs_it(row: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, row.sdk, None)
    with pytest.raises(ConfigurationError, match=re.escape(install_command(row.extra or row.name))):
        row.load()


@for_rows
def test_older_modes_are_taken_with_a_warning_and_foreign_ones_are_not(row: Provider) -> None:
    base._warn_of.cache_clear()
    for old, new in row.legacy.items():
        with pytest.warns(DeprecationWarning, match=f"Mode.{old.name} is now Mode.{new.name}"):
            assert row.mode_for(old) is new
        assert row.mode_for(old) is new  # and told of once
        assert new in row.modes
    assert all(row.mode_for(other) is mode for other, mode in row.same.items())
    foreign = next(mode for mode in Mode if mode not in {*row.modes, *row.same, *row.legacy})
    with pytest.raises(ModeError) as failed:
        row.mode_for(foreign)
    assert (failed.value.mode, failed.value.provider) == (foreign.name, row.name)


def test_every_older_mode_is_somebodys() -> None:
    known = {mode for row in ROWS for mode in (*row.modes, *row.same, *row.legacy)}
    gone = {Mode.GEMINI_TOOLS, Mode.GEMINI_JSON}  # of a package that is no more
    assert set(Mode) - known <= gone


@for_rows
def test_a_client_of_another_kind_is_told(row: Provider) -> None:
    if row.name == "litellm":
        return  # it takes functions, and is not installed here
    with pytest.raises(ClientError, match=row.name):
        getattr(instructor, f"from_{row.name}")(object())


@pytest.fixture
def _unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_registered", {})


@pytest.mark.usefixtures("_unregistered")
async def test_a_new_provider_is_registered(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers.register(IMAGINARY)
    providers.register(IMAGINARY)  # twice is once
    monkeypatch.setenv("IMAGINARY_API_KEY", "theirs")
    server = scripted_server([answer({"content": 5})] * 2)
    client = instructor.from_provider("imaginary/one", harness.is_async, base_url=server.base_url, temperature=0.5)
    assert str(client.client.api_key) == "theirs"
    messages = [{"role": "user", "content": "Count."}]
    assert await harness.result(client.create(int, messages)) == 5
    assert (server.requests[0].body["model"], server.requests[0].body["temperature"]) == ("one", 0.5)
    assert client.provider == "imaginary"
    package: Any = instructor
    made = package.from_imaginary(client.client, model="two")
    assert await harness.result(made.create(int, messages)) == 5
    await harness.close(client.client)
    assert "imaginary" in providers.names()


@pytest.mark.usefixtures("_unregistered")
@pytest.mark.parametrize("name", ["openai", "local", "genai", "imaginary"])
def test_a_name_that_is_taken_is_not_registered(name: str) -> None:
    providers.register(IMAGINARY)
    with pytest.raises(ConfigurationError, match=f"A provider named '{name}' exists"):
        providers.register(openai_compatible(name, key="OTHER_API_KEY", base_url="https://other.example/v1"))


@pytest.mark.parametrize("name", ["deepseek", "openrouter", "perplexity", "anyscale", "databricks"])
def test_openais_key_is_not_sent_to_others(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = providers.load(name).key
    assert key
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.delenv(key, raising=False)
    with pytest.raises(ConfigurationError, match=f"set {key} or give api_key="):
        instructor.from_provider(f"{name}/model", base_url="http://127.0.0.1:9")


@pytest.mark.parametrize("given", ["https://w.example", "https://w.example/serving-endpoints/"])
def test_the_address_of_databricks(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "theirs")
    with pytest.raises(ConfigurationError, match="DATABRICKS_HOST"):
        instructor.from_provider("databricks/model")
    monkeypatch.setenv("DATABRICKS_HOST", given)
    with instructor.from_provider("databricks/model").client as sdk:
        assert str(sdk.base_url) == "https://w.example/serving-endpoints/"


@pytest.mark.parametrize(("model", "mode"), [("qwen3:8b", Mode.TOOLS), ("llama2", Mode.JSON)])
def test_ollamas_default_mode_depends_on_the_model(model: str, mode: Mode) -> None:
    made = instructor.from_provider(f"ollama/{model}")
    asked = instructor.from_provider(f"ollama/{model}", mode=Mode.MD_JSON)
    assert (made.mode, asked.mode) == (mode, Mode.MD_JSON)
    assert instructor.from_ollama(made.client, model=model).mode is mode
    for client in (made, asked):
        client.client.close()


async def test_perplexity_takes_a_bare_schema(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": 5})])
    client = instructor.from_perplexity(harness.sdk(server), model="sonar")
    assert await harness.result(client.create(int, [{"role": "user", "content": "Count."}])) == 5
    assert set(server.requests[0].body["response_format"]["json_schema"]) == {"schema"}


async def test_together_takes_openais_clients(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": 5})])
    client = instructor.from_together(harness.sdk(server), model="m")
    assert await harness.result(client.create(int, [{"role": "user", "content": "Count."}])) == 5


def test_the_page_of_providers_is_as_the_rows_say() -> None:
    assert matrix.PAGE.read_text().endswith(matrix.page()), "run: python tests/providers/matrix.py"
