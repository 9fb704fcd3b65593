"""Names and module paths of older versions: tables of their new places, and the import hook for the old paths.

An old path is an empty module that looks each name up in its new place, so the objects are the same. A name that was
removed, or that does not exist yet, raises an ImportError that says what to use. This file contains names only. It
imports nothing of this library before a name is used.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader
else:  # that module costs more than all of `import instructor`, and the import system asks for methods only
    Loader = object

_OLD_CLIENTS = "anthropic bedrock cerebras cohere fireworks genai groq mistral perplexity vertexai writer xai"

TRACED_PATH = "instructor.v2.core.patch"
"""Where OpenInference's instrumentor wraps functions. A program that has imported it is traced."""

ALIASES: dict[str, tuple[str, ...]] = {
    "instructor.batch.processor": ("instructor.batch",),
    "instructor.multimodal": ("instructor.media", "instructor.exceptions"),
    "instructor.auto_client": ("instructor.factories",),
    "instructor.cli.cli": ("instructor.cli.app",),
    "instructor.core": (
        "instructor.sync_client",
        "instructor.client",
        "instructor.exceptions",
        "instructor.factories",
        "instructor.hooks",
    ),
    "instructor.core.client": ("instructor.sync_client", "instructor.client", "instructor.factories"),
    "instructor.core.exceptions": ("instructor.exceptions",),
    "instructor.core.hooks": ("instructor.hooks",),
    "instructor.core.patch": ("instructor.factories",),
    "instructor.core.retry": ("instructor.exceptions",),
    "instructor.dsl": ("instructor.results",),
    "instructor.dsl.citation": ("instructor.dsl",),
    "instructor.dsl.iterable": ("instructor.dsl",),
    "instructor.dsl.maybe": ("instructor.dsl",),
    "instructor.dsl.parallel": (),
    "instructor.dsl.partial": ("instructor.dsl",),
    "instructor.dsl.response_list": ("instructor.results",),
    "instructor.dsl.simple_type": (),
    "instructor.dsl.validators": ("instructor.validators",),
    "instructor.models": ("instructor.older",),
    "instructor.patch": ("instructor.factories",),
    "instructor.process_response": ("instructor.older",),
    "instructor.processing": ("instructor.function_calls", "instructor.validators"),
    "instructor.processing.function_calls": ("instructor.function_calls",),
    "instructor.processing.multimodal": ("instructor.media", "instructor.exceptions"),
    "instructor.processing.response": ("instructor.older",),
    "instructor.processing.schema": ("instructor.function_calls",),
    "instructor.processing.validators": ("instructor.validators",),
    "instructor.prompts": ("instructor.core.prompts",),
    "instructor.retry": ("instructor.exceptions",),
    "instructor.schema_utils": ("instructor.function_calls",),
    "instructor.utils": ("instructor.older",),
    "instructor.utils.core": ("instructor.older",),
    "instructor.utils.providers": ("instructor.older",),
    "instructor.v2": ("instructor.mode", "instructor.providers.provider_enum"),
    "instructor.v2.core": ("instructor.exceptions",),
    "instructor.v2.core.exceptions": ("instructor.exceptions",),
    TRACED_PATH: ("instructor.tracing",),
    "instructor.validation": ("instructor.exceptions", "instructor.validators"),
    "instructor.validation.async_validators": ("instructor.exceptions", "instructor.validators"),
    "instructor.validation.llm_validators": ("instructor.validators",),
    **{f"instructor.client_{name}": () for name in _OLD_CLIENTS.split()},
}
"""Old path: the modules that have its names now. The first one that has a name is used. All have `from_...`."""

RENAMED = {
    "IterableBase": "instructor.dsl:Segmentation",
    "MaybeBase": "instructor.dsl:Possible",
    "AsyncResponse": "instructor.client:AsyncResponses",
    "RegistryError": "instructor.exceptions:ConfigurationError",
    "Response": "instructor.sync_client:Responses",
    **{
        name: f"instructor.older:{name}"
        for name in (
            "CompletionErrorHandler",
            "CompletionKwargsHandler",
            "CompletionResponseHandler",
            "CompletionUsageHandler",
            "DEPRECATED_TO_CORE",
            "HandlerType",
            "HookNameType",
            "ParseErrorHandler",
            "handle_response_model",
            "is_simple_type",
            "is_typed_dict",
            "prepare_response_model",
            "process_response",
            "reset_deprecated_mode_warnings",
            "supported_providers",
        )
    },
    "ValidationContextError": "instructor.exceptions:ConfigurationError",
}
"""Old name: its new name."""

MORE_NAMES = {"instructor.client": ("instructor.factories",)}
"""A module of this version: where the other names of the older version's module are. All have `from_...`."""

_ROWS = (
    "a provider is one file with a row of facts, instructor/providers/<name>.py, and a dialect (docs/architecture.md)."
)
_FLOW = "a client does it. instructor.utils.handle_response_model makes a request, process_response reads a response."
_ANY_TYPE = "every type that pydantic.TypeAdapter takes is a response model as it is."
_CALLS = "ask for Iterable[A | B] in Mode.PARALLEL_TOOLS."
_GROWS = "ask for Partial[Model], or by create_partial(Model): each snapshot is a Model."
_TEMPLATES = "a call renders its messages with its `context`."
_INTERNAL = "it was an internal of older versions, and nothing needs it here."

_GONE = {
    "retry_sync retry_async": _FLOW,
    "patch_v2": "use instructor.patch.",
    "ModelAdapter AdapterBase": _ANY_TYPE,
    "PartialBase": _GROWS,
    "MakeFieldsOptional": "ask for Partial[Model]; a field that may be missing in the end has a default.",
    "ParallelBase ParallelModel get_types_array handle_parallel_model is_union_type handle_anthropic_parallel_model "
    "AnthropicParallelModel VertexAIParallelModel": _CALLS,
    "convert_messages process_response_async handle_reask_kwargs": _FLOW,
    "convert_contents extract_genai_multimodal_content": "a client does it: Image, Audio and PDF stand in a message's "
    "content, and each provider gets its own form of them.",
    "handle_templating apply_template process_message": _TEMPLATES,
    "update_total_usage extract_json_from_stream_async transform_to_gemini_prompt verify_no_unions "
    "map_to_gemini_function_schema update_genai_kwargs update_gemini_kwargs extract_genai_system_message "
    "convert_to_genai_messages SystemMessage combine_system_messages extract_system_messages": _INTERNAL,
    "ModeHandler ModeHandlers ModeRegistry mode_registry normalize_mode register_mode_handler ReaskHandler "
    "RequestHandler ResponseParser": _ROWS,
}
GONE = {name: why for names, why in _GONE.items() for name in names.split()}
"""Name of an older version, or of one to come: what to use instead."""

GONE_PATHS = {
    "instructor.dsl.json_tracker": _INTERNAL,
}
"""Path of an older version, or of one to come: what to use instead."""


def older(module: str, name: str) -> Any:
    """Return the object that an old name of a module stands for. Raise an ImportError if the name was removed."""
    if name in RENAMED:
        path, _, now = RENAMED[name].partition(":")
        return getattr(import_module(path), now)
    if name in GONE:
        raise ImportError(f"{module} has no {name}: {GONE[name]}", name=module)
    for home in map(import_module, MORE_NAMES.get(module, ())):
        if name in vars(home):
            return vars(home)[name]
    if (module in MORE_NAMES and name.startswith("from_")) or (module == "instructor.exceptions" and _is_error(name)):
        return getattr(import_module("instructor"), name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}.{_meant(module, name)}".removesuffix("."))


def _is_error(name: str) -> bool:
    """Return whether a public exception has this name: those of a room of their own are with the others, too."""
    return name.endswith("Error") and name in import_module("instructor").__all__


def _meant(module: str, name: str) -> str:
    return "" if name.startswith("_") else did_you_mean(name, dir(sys.modules[module]))


def moved(module: str, name: str) -> Any:
    """Return an object that was in an old module, from its new module."""
    if PathFinder.find_spec(f"{module}.{name}", _path_of(module)) is not None:
        return import_module(f"{module}.{name}")  # `from package import module` asks for an attribute first
    for home in map(import_module, ALIASES[module]):
        if name in vars(home):
            return vars(home)[name]
    if name.startswith("from_"):
        return getattr(import_module("instructor"), name)
    return submodule(module, name)


def did_you_mean(name: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return " Did you mean 'x'?" for the name that is most like this one, or an empty text."""
    from difflib import get_close_matches  # only for errors

    return "".join(f" Did you mean {each!r}?" for each in get_close_matches(name, known, n=1, cutoff=likeness))


def _path_of(module: str) -> list[str]:
    path: list[str] = vars(sys.modules[module]).get("__path__", []) if module in sys.modules else []
    return path


class _Package(ModuleType):
    """A package of this version. An old module does not hide a function of its name."""

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system sets each submodule here. An old one is found without that, and would hide a function of
        # its name.
        if not (isinstance(value, ModuleType) and type(value) is _OldPath and value.__name__ in ALIASES):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: cloudpickle sends a function of `__main__` with its modules, and knows plain ones alone."""
        return import_module, (self.__name__,)


class _OldPath(_Package):
    """A module of an older version. It looks each name up in the modules that have it now."""

    def __getattr__(self, name: str) -> Any:
        return moved(self.__name__, name)


def serve_older_names(package: str) -> None:
    """Add to a package the names that the package of an older version had."""
    sys.modules[package].__class__ = _OldPath


class _OldPaths(Loader):
    """The finder for old paths. It is asked after all other finders."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002 - the same
    ) -> ModuleSpec | None:
        if fullname in GONE_PATHS:
            raise ModuleNotFoundError(f"There is no {fullname}: {GONE_PATHS[fullname]}", name=fullname)
        return ModuleSpec(fullname, self, is_package=True) if fullname in ALIASES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _OldPath(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module is complete."""


def submodule(package: str, name: str) -> Any:
    """Import `package.name`, which was used as an attribute. If there is no such module, look for an older name."""
    path = f"{package}.{name}"
    try:
        if not name.startswith("_"):
            return import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path or path in GONE_PATHS:
            raise
    return older(package, name)


def install() -> None:
    """Make the old paths importable."""
    sys.modules["instructor"].__class__ = _Package
    if not any(isinstance(finder, _OldPaths) for finder in sys.meta_path):
        sys.meta_path.append(_OldPaths())


_HERE = os.path.dirname(__file__) + os.sep  # pathlib would be half of `import instructor`'s cost


def warn_of_old(message: str) -> None:
    """Issue a DeprecationWarning at the nearest line outside this library."""
    level, frame = 1, sys._getframe()
    while (outer := frame.f_back) is not None and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, outer
    warnings.warn(message, DeprecationWarning, stacklevel=level)
