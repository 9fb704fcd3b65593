"""Every name that programs written for older versions import: it works, or an ImportError says what to use."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import openai
import pytest

import instructor
from instructor import _compat
from instructor.exceptions import ConfigurationError

CHANGELOG = (Path(__file__).parent.parent / "CHANGELOG.md").read_text("utf-8")

EXCEPTIONS = (
    "InstructorError InstructorRetryException FailedAttempt IncompleteOutputException ConfigurationError ModeError "
    "ClientError ProviderError ResponseParsingError ValidationError RegistryError MultimodalError AsyncValidationError "
    "ValidationContextError TokenBudgetError TokenBudgetExceeded TokenUsageUnavailableError"
)
SCHEMAS = "generate_openai_schema generate_anthropic_schema generate_gemini_schema"
CLASSES = "ResponseSchema OpenAISchema response_schema openai_schema"
OF_PROVIDERS = (
    "from_openai from_anyscale from_together from_databricks from_deepseek from_openrouter from_litellm from_vertexai "
    "from_anthropic from_gemini from_fireworks from_cerebras from_groq from_mistral from_cohere from_bedrock "
    "from_writer from_xai from_perplexity from_genai"
)

HERE = {
    "instructor": f"Instructor AsyncInstructor {OF_PROVIDERS} from_provider Provider {CLASSES} CitationMixin "
    f"IterableModel Maybe Partial {SCHEMAS} Mode patch apatch hooks v2 __version__ core dsl exceptions mode providers",
    "instructor.auto_client": "from_provider",
    "instructor.cli.cli": "app",
    "instructor.core": f"Instructor AsyncInstructor Response from_openai from_litellm Hooks HookName patch apatch "
    f"{EXCEPTIONS}",
    "instructor.core.client": "Instructor AsyncInstructor Response AsyncResponse from_openai from_litellm",
    "instructor.core.exceptions": EXCEPTIONS,
    "instructor.core.hooks": "Hooks HookName",
    "instructor.core.patch": "patch apatch",
    "instructor.dsl": "CitationMixin IterableModel ListResponse Maybe Partial ResponseList",
    "instructor.dsl.citation": "CitationMixin",
    "instructor.dsl.iterable": "IterableBase IterableModel",
    "instructor.dsl.maybe": "Maybe MaybeBase",
    "instructor.dsl.partial": "Partial PartialLiteralMixin",
    "instructor.dsl.response_list": "ListResponse ResponseList",
    "instructor.exceptions": EXCEPTIONS,
    "instructor.function_calls": f"{CLASSES} Mode",
    "instructor.hooks": "Hooks HookName",
    "instructor.mode": "Mode",
    "instructor.processing": f"{CLASSES} {SCHEMAS}",
    "instructor.processing.function_calls": CLASSES,
    "instructor.processing.schema": SCHEMAS,
    "instructor.v2": f"Mode Provider {OF_PROVIDERS}",
}

HOOK_TYPES = (
    "HookNameType HandlerType CompletionKwargsHandler CompletionResponseHandler CompletionErrorHandler "
    "CompletionUsageHandler ParseErrorHandler"
)
FLOW = "convert_messages handle_response_model process_response process_response_async handle_reask_kwargs"

ELSEWHERE = {
    "instructor.auto_client": "supported_providers",
    "instructor.core": "retry_sync retry_async",
    "instructor.core.hooks": HOOK_TYPES,
    "instructor.core.patch": "patch_v2",
    "instructor.core.retry": "retry_sync retry_async",
    "instructor.dsl": "is_simple_type ModelAdapter",
    "instructor.dsl.json_tracker": "JsonCompleteness is_json_complete",
    "instructor.dsl.parallel": "ParallelBase ParallelModel get_types_array handle_parallel_model is_union_type "
    "handle_anthropic_parallel_model AnthropicParallelModel VertexAIParallelModel",
    "instructor.dsl.partial": "PartialBase MakeFieldsOptional",
    "instructor.dsl.simple_type": "AdapterBase ModelAdapter is_simple_type",
    "instructor.hooks": HOOK_TYPES,
    "instructor.mode": "DEPRECATED_TO_CORE reset_deprecated_mode_warnings",
    "instructor.models": "KnownModelName",
    "instructor.processing": FLOW,
    "instructor.processing.response": FLOW,
    "instructor.templating": "handle_templating apply_template process_message",
    "instructor.utils": "extract_json_from_codeblock disable_pydantic_error_url get_provider is_async",
    "instructor.utils.core": "extract_json_from_stream update_total_usage",
    "instructor.utils.providers": "get_provider",
    "instructor.v2": "ModeHandler ModeHandlers ModeRegistry mode_registry normalize_mode patch_v2 "
    "register_mode_handler ReaskHandler RequestHandler ResponseParser",
}

NOT_YET = {
    "instructor": "Image Audio FinetuneFormat Instructions BatchProcessor BatchRequest BatchJob llm_validator "
    "openai_moderation batch cache distil validation",
    "instructor.batch": "BatchProcessor BatchRequest BatchJob extract_results",
    "instructor.batch.processor": "BatchProcessor",
    "instructor.cache": "BaseCache AutoCache DiskCache make_cache_key",
    "instructor.distil": "Instructions FinetuneFormat",
    "instructor.processing": "Validator",
    "instructor.processing.multimodal": "Image Audio PDF PDFWithCacheControl PDFWithGenaiFile",
    "instructor.processing.validators": "Validator",
    "instructor.validation": "Validator llm_validator async_field_validator",
}


def each(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(module, name) for module, listed in names.items() for name in listed.split()]


def imported(module: str, name: str) -> Any:
    given: dict[str, Any] = {}
    exec(f"from {module} import {name}", given)
    return given[name]


def refused(module: str, name: str) -> str:
    """Give what an import's error says beside the names that it was asked for."""
    with pytest.raises(ImportError) as failed:
        imported(module, name)
    said = str(failed.value)
    assert not said.startswith(("cannot import name", "No module named"))
    return said.partition(": ")[2]


@pytest.mark.parametrize(("module", "name"), each(HERE))
def test_it_works(module: str, name: str) -> None:
    assert imported(module, name) is getattr(import_module(module), name)


@pytest.mark.parametrize(("module", "name"), each(ELSEWHERE))
def test_it_is_said_what_to_use(module: str, name: str) -> None:
    said = refused(module, name)
    assert said
    assert "not there yet" not in said


@pytest.mark.parametrize(("module", "name"), each(NOT_YET))
def test_what_is_to_come_is_in_the_changelog(module: str, name: str) -> None:
    told = re.match(r"(.*?) (is|are) not there yet", refused(module, name))
    assert told
    listed = CHANGELOG.partition("### Not there yet")[2].partition("\n## ")[0]
    assert told[1] in " ".join(listed.lower().split())


def test_the_tables_hold_what_is_asked_for_only() -> None:
    asked = {name for names in (HERE, ELSEWHERE, NOT_YET) for _, name in each(names)}
    assert {*_compat.GONE, *_compat.RENAMED} <= asked
    assert {*_compat.GONE_PATHS, *_compat.ALIASES} <= {*HERE, *ELSEWHERE, *NOT_YET}


def test_what_is_renamed_is_what_is_meant() -> None:
    assert imported("instructor.exceptions", "RegistryError") is ConfigurationError
    assert issubclass(instructor.IterableModel(int), imported("instructor.dsl.iterable", "IterableBase"))
    assert issubclass(instructor.Maybe(int), imported("instructor.dsl.maybe", "MaybeBase"))


def test_providers_are_strings() -> None:
    assert instructor.Provider.OPENAI == "openai"
    assert instructor.Provider.GENAI is instructor.Provider.GOOGLE
    with openai.OpenAI(api_key="none") as sdk:
        assert instructor.from_openai(sdk).provider == instructor.Provider.OPENAI
        assert instructor.patch(sdk, provider=instructor.Provider.DEEPSEEK) is sdk
