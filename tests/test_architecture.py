"""The rules of the house, read off the source: who may wait, who may import whom, how long, how named.

Each rule is a function that lists what breaks it; the tests apply it to the source and to a line that it must catch.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "instructor"

ROOMS = {
    "cli": {"__main__"},
    "values": {
        "_compat",
        "_install",
        "_version",
        "display",
        "exceptions",
        "hooks",
        "mode",
        "notebook",
        "redaction",
        "report",
        "usage",
    },
    "features": {"batch_services", "fetching", "media", "templating", "validators"},
    "client": {
        *("arguments", "binding", "call", "client", "client_base", "sync_client", "factories", "function_calls"),
        *("batch", "distil", "results", "tracing"),
    },
    "older": {"older"},
    "door": {"__init__"},
}
"""The rooms that modules at the top belong to. A folder is a room of its own."""

ARROWS = {
    "values": set[str](),
    "parsing": {"values"},
    "core": {"values"},
    "schema": {"values", "core"},
    "features": {"values", "core", "providers"},
    "cache": {"values", "core"},
    "grounding": {"values", "core"},
    "dsl": {"values", "core", "parsing", "schema"},
    "outputs": {"values", "core", "dsl", "parsing", "schema"},
    "providers": {"values", "core", "parsing", "schema"},
    "local": {"values", "core", "parsing", "providers", "schema"},
    "observe": {"values", "core"},
    "bulk": {"values", "cache", "core", "features", "outputs", "providers"},
    "client": {"values", "bulk", "cache", "core", "dsl", "features", "grounding", "outputs", "providers", "schema"},
    "testing": {"values", "parsing"},
    "web": {"values", "bulk", "client", "core", "grounding", "local", "parsing", "providers", "schema", "testing"},
    "cli": {"values", "bulk", "client", "local", "outputs", "providers", "schema", "web"},
    "older": {"values", "core", "client", "outputs", "parsing", "providers"},
    "door": {"values", "bulk", "core", "dsl", "client", "features", "grounding", "observe", "providers"},
}
"""Which other rooms a room may import. What only a type checker imports counts too: knowledge has a direction."""

MAY_WAIT = (
    "core/drivers.py",
    "call.py",
    "client.py",
    "factories.py",
    "batch.py",
    "batch_services.py",
    "distil.py",
    "results.py",
    "tracing.py",
    "validators.py",
    "bulk/",
    "cli/extract.py",
    "local/",
    "testing/",
    "providers/",
    "web/",
)
MAY_NAME_A_PROVIDER = (
    "__init__.py",
    "_compat.py",
    "batch.py",
    "batch_services.py",
    "distil.py",
    "factories.py",
    "mode.py",
    "function_calls.py",
    "older.py",
    "validators.py",
    "bulk/",
    "cache/keys.py",
    "cli/",
    "local/",
    "media.py",
    "observe/",
    "providers/",
    "schema/subsets.py",
    "testing/",
    "web/recordings.py",
)

PROVIDER = re.compile(
    r"(openai|azure|anthropic|claude|google|gemini|genai|vertex|mistral|cohere(?!n)|bedrock|boto3|xai|grok|groq|ollama"
    r"|deepseek|fireworks|cerebras|writerai|perplexity|openrouter|litellm|databricks|anyscale)(?!/)",
    re.IGNORECASE,
)
"""A provider's name; followed by a slash it is an example of what a user writes."""

EMPTY_WORDS = {"manager", "handler", "helper", "helpers", "util", "utils", "common", "misc", "v2"}


PRIVATE_WORDS = re.compile(
    r"\b(colours?|Face|Good|Bad|Caller|Extraction|Ledger|Bystanders?|Seam|lacks|WayOut|way_out|let_go|farewell|Assembly|_?[Ll]one|Shapes"
    r"|Growing|Sink|ManySink|OneSink|judged|Forms|_?Doors|riders?|LastList|aside|_?alike|Remark|Quoted|Patient|Choosy"
    r"|OwnMessages|Renaming|Counting|Interruptible|fitting|told|taught|awaiting|blocking)\b"
)
"""Words of our own that stood for the field's: sync, async, request, response, parser, validate ..."""


@dataclass(frozen=True)
class Source:
    """One file: its path from the package (or the repository, outside of it), its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        return cls(path, text, ast.parse(text))

    @property
    def room(self) -> str:
        folder, _, rest = self.path.partition("/")
        if rest:
            return folder
        return next((room for room, modules in ROOMS.items() if self.path.removesuffix(".py") in modules), "")


def read(folder: Path, root: Path) -> list[Source]:
    paths = [path.relative_to(root) for path in sorted(folder.rglob("*.py"))]
    ours = [path for path in paths if not any(part.startswith(".") for part in path.parts)]  # environments are not
    return [Source.of(path.as_posix(), (root / path).read_text("utf-8")) for path in ours]


LIBRARY = read(PACKAGE, PACKAGE)
ALL = LIBRARY + [source for name in ("tests", "examples", "bench") for source in read(ROOT / name, ROOT)]
MODULES = {("instructor/" + s.path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): s for s in LIBRARY}

Found = Iterator[tuple[int, str]]
"""The line and what is wrong there."""


def waiting(source: Source) -> Found:
    """`await` and its kin, but for a protocol's declarations, which wait for nothing."""
    for node in ast.walk(source.tree):
        match node:
            case ast.AsyncFunctionDef(body=[*_, ast.Expr(ast.Constant(value=v))]) if v is Ellipsis:
                continue
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.AsyncFunctionDef():
                yield node.lineno, type(node).__name__
            case ast.comprehension(is_async=1, iter=expression):
                yield expression.lineno, "async comprehension"


def too_long(source: Source) -> Found:
    lines = len(source.text.splitlines())
    if lines > 700:
        yield lines, f"{lines} lines in one file"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > 60:
                yield node.lineno, f"{length} lines in {node.name}()"


def empty_names(source: Source) -> Found:
    """Files, folders and classes called by a word that says nothing."""
    named = [(1, part) for part in source.path.removesuffix(".py").split("/")]
    named += [(node.lineno, node.name) for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    for line, name in named:
        words = re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*", name)
        if EMPTY_WORDS & {word.lower() for word in words}:
            yield line, name


def private_words(source: Source) -> Found:
    """Words that only we would understand."""
    for number, line in enumerate(source.text.splitlines(), 1):
        yield from ((number, word.group()) for word in PRIVATE_WORDS.finditer(line))


def providers_named(source: Source) -> Found:
    """Providers in identifiers and strings; a docstring may give examples."""
    told = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(source.tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in told:
                texts = [text]
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
                texts = [text]
            case ast.FunctionDef(name=text) | ast.AsyncFunctionDef(name=text) | ast.ClassDef(name=text):
                texts = [text]
            case ast.alias(name=text, asname=other):
                texts = [text, other or ""]
            case ast.ImportFrom(module=str(text)) | ast.keyword(arg=str(text)):
                texts = [text]
            case _:
                continue
        yield from ((node.lineno, text) for text in texts if PROVIDER.search(text))


def swallowed(source: Source) -> Found:
    """Errors of any kind that are caught and forgotten."""
    for node in ast.walk(source.tree):
        match node:
            case ast.ExceptHandler(
                type=None | ast.Name(id="Exception" | "BaseException"),
                body=[ast.Pass() | ast.Continue() | ast.Expr(ast.Constant())],
            ):
                yield node.lineno, "except Exception: pass"
            case ast.Call(
                func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"),
                args=[*_, ast.Name(id="Exception" | "BaseException")],
            ):
                yield node.lineno, "suppress(Exception)"


def imports(source: Source) -> Iterator[tuple[int, str, bool]]:
    """Line, module, and whether only a type checker imports it. Imports inside functions count like all others."""
    typing_only = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(source.tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module or "" for name in full]
        for name in names:
            if name.partition(".")[0] == "instructor":
                yield getattr(node, "lineno", 0), name, id(node) in typing_only


def upward(source: Source) -> Found:
    for line, name, _ in imports(source):
        imported = MODULES.get(name)
        target = imported.room if imported else "nothing"
        if target != source.room and target not in ARROWS.get(source.room, ()):
            yield line, f"{source.room} imports {target}: {name}"


def relative(source: Source) -> Found:
    """Imports whose target the other rules could not read."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, "relative import"


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """List each cycle that a walk from every module meets."""
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> None:
        if module in path:
            found.append([*path[path.index(module) :], module])
        elif module not in done:
            for imported in sorted(graph.get(module, ())):
                walk(imported, [*path, module])
            done.add(module)

    for module in sorted(graph):
        walk(module, [])
    return found


RULES: dict[Callable[[Source], Found], tuple[list[Source], str]] = {
    waiting: (
        [s for s in LIBRARY if not s.path.startswith(MAY_WAIT)],
        "async def f():\n    return [x async for x in y]",
    ),
    too_long: (ALL, "def f():\n" + "    pass\n" * 60),
    empty_names: (ALL, "class HTTPUtils: ..."),
    private_words: (LIBRARY, "class Ledger: ..."),
    providers_named: (
        [s for s in LIBRARY if not s.path.startswith(MAY_NAME_A_PROVIDER)],
        "if name == 'AsyncOpenAI': ...",
    ),
    swallowed: (ALL, "try: ...\nexcept Exception:\n    pass"),
    upward: (LIBRARY, "def f():\n    from instructor.client import Instructor"),
    relative: (LIBRARY, "from . import call"),
}


def rule_name(rule: object) -> str:
    return getattr(rule, "__name__", "")


@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_the_source_keeps(rule: Callable[[Source], Found]) -> None:
    sources, _ = RULES[rule]
    found = [f"{source.path}:{line}: {what}" for source in sources for line, what in rule(source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_this_would_be_caught(rule: Callable[[Source], Found]) -> None:
    _, example = RULES[rule]
    assert list(rule(Source.of("core/runner.py", example)))


def test_every_module_has_a_room_and_every_room_its_arrows() -> None:
    assert [source.path for source in LIBRARY if source.room not in ARROWS] == []
    assert {target for targets in ARROWS.values() for target in targets} <= set(ARROWS)


def test_the_rooms_have_an_order() -> None:
    assert cycles(ARROWS) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: {to for _, to, typing in imports(source) if not typing} for name, source in MODULES.items()}
    assert cycles(graph) == []
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


def test_the_size_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    lines = sum(len(source.text.splitlines()) for source in LIBRARY)
    with capsys.disabled():
        print(f"\nThe library: {len(LIBRARY)} files, {lines} lines.")
    assert lines
