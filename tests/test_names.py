"""Every name that programs written for older versions import: it works, or an ImportError says what to use."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import openai
import pytest

import instructor
from harness import Harness
from instructor import _compat
from instructor.exceptions import ConfigurationError
from instructor.testing import answer

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

VALIDATORS = "llm_validator openai_moderation Validator"
ASYNC_VALIDATORS = (
    "AsyncValidationContext AsyncValidationError async_field_validator async_model_validator ASYNC_VALIDATOR_KEY "
    "ASYNC_MODEL_VALIDATOR_KEY run_async_validators"
)
HOOK_TYPES = (
    "HookNameType HandlerType CompletionKwargsHandler CompletionResponseHandler CompletionErrorHandler "
    "CompletionUsageHandler ParseErrorHandler"
)
UTILS = (
    "extract_json_from_codeblock extract_json_from_stream extract_messages dump_message is_async "
    "merge_consecutive_messages classproperty get_message_content disable_pydantic_error_url is_typed_dict "
    "is_simple_type prepare_response_model Provider get_provider handle_response_model process_response"
)
RESPONSES = "handle_response_model process_response prepare_response_model is_typed_dict"

_OLD_CLIENTS = "anthropic bedrock cerebras cohere fireworks genai groq mistral perplexity vertexai writer xai"

HERE = {
    "instructor": f"Instructor AsyncInstructor {OF_PROVIDERS} from_provider Provider {CLASSES} CitationMixin "
    f"IterableModel Maybe Partial {SCHEMAS} Mode patch apatch hooks v2 __version__ core dsl exceptions mode providers "
    "llm_validator openai_moderation cache validation utils client Image Audio "
    "FinetuneFormat Instructions distil BatchProcessor BatchRequest BatchJob batch",
    "instructor.distil": "Instructions FinetuneFormat",
    "instructor.batch": "BatchProcessor BatchRequest BatchJob extract_results filter_successful filter_errors "
    "get_results_by_custom_id BatchSuccess BatchError BatchStatus BatchJobInfo",
    "instructor.batch.processor": "BatchProcessor",
    "instructor.multimodal": "Image Audio PDF",
    "instructor.processing.multimodal": "Image Audio PDF ImageWithCacheControl PDFWithCacheControl PDFWithGenaiFile "
    "ImageParams autodetect_media VALID_MIME_TYPES VALID_AUDIO_MIME_TYPES VALID_PDF_MIME_TYPES RemoteFetchError "
    "MultimodalError",
    "instructor.auto_client": "from_provider supported_providers",
    "instructor.cache": "BaseCache AutoCache DiskCache RedisCache make_cache_key make_request_cache_key "
    "client_cache_identity load_cached_response store_cached_response",
    "instructor.cli.cli": "app",
    "instructor.client": "Instructor AsyncInstructor Response AsyncResponse from_openai from_litellm patch apatch Mode",
    **{f"instructor.client_{name}": f"from_{name}" for name in _OLD_CLIENTS.split()},
    "instructor.core": f"Instructor AsyncInstructor Response from_openai from_litellm Hooks HookName patch apatch "
    f"{EXCEPTIONS}",
    "instructor.core.client": "Instructor AsyncInstructor Response AsyncResponse from_openai from_litellm",
    "instructor.core.exceptions": EXCEPTIONS,
    "instructor.core.hooks": f"Hooks HookName {HOOK_TYPES}",
    "instructor.core.patch": "patch apatch",
    "instructor.core.retry": "InstructorRetryException",
    "instructor.dsl": "CitationMixin IterableModel ListResponse Maybe Partial ResponseList is_simple_type",
    "instructor.dsl.citation": "CitationMixin",
    "instructor.dsl.iterable": "IterableBase IterableModel",
    "instructor.dsl.maybe": "Maybe MaybeBase",
    "instructor.dsl.partial": "Partial PartialLiteralMixin",
    "instructor.dsl.response_list": "ListResponse ResponseList",
    "instructor.dsl.simple_type": "is_simple_type",
    "instructor.dsl.validators": VALIDATORS,
    "instructor.exceptions": EXCEPTIONS,
    "instructor.function_calls": f"{CLASSES} Mode",
    "instructor.hooks": f"Hooks HookName {HOOK_TYPES}",
    "instructor.mode": "Mode DEPRECATED_TO_CORE reset_deprecated_mode_warnings",
    "instructor.models": "KnownModelName",
    "instructor.patch": "patch apatch",
    "instructor.process_response": RESPONSES,
    "instructor.processing": f"{CLASSES} {SCHEMAS} Validator handle_response_model process_response",
    "instructor.processing.function_calls": CLASSES,
    "instructor.processing.response": RESPONSES,
    "instructor.processing.schema": SCHEMAS,
    "instructor.processing.validators": VALIDATORS,
    "instructor.prompts": "replace names CODE_BLOCK",
    "instructor.retry": "InstructorRetryException",
    "instructor.schema_utils": SCHEMAS,
    "instructor.utils": UTILS,
    "instructor.utils.core": UTILS,
    "instructor.utils.providers": "Provider get_provider",
    "instructor.v2": f"Mode Provider {OF_PROVIDERS}",
    "instructor.v2.core": EXCEPTIONS,
    "instructor.v2.core.exceptions": EXCEPTIONS,
    "instructor.v2.core.patch": "_create_async_wrapper _create_sync_wrapper",
    "instructor.validation": f"{VALIDATORS} {ASYNC_VALIDATORS}",
    "instructor.validation.async_validators": ASYNC_VALIDATORS,
    "instructor.validation.llm_validators": VALIDATORS,
    "instructor.validators": VALIDATORS,
}

FLOW = "convert_messages process_response_async handle_reask_kwargs"

ELSEWHERE = {
    "instructor.core": "retry_sync retry_async",
    "instructor.core.patch": "patch_v2",
    "instructor.core.retry": "retry_sync retry_async",
    "instructor.dsl": "ModelAdapter",
    "instructor.dsl.json_tracker": "JsonCompleteness is_json_complete",
    "instructor.dsl.parallel": "ParallelBase ParallelModel get_types_array handle_parallel_model is_union_type "
    "handle_anthropic_parallel_model AnthropicParallelModel VertexAIParallelModel",
    "instructor.dsl.partial": "PartialBase MakeFieldsOptional",
    "instructor.dsl.simple_type": "AdapterBase ModelAdapter",
    "instructor.processing": FLOW,
    "instructor.processing.multimodal": "convert_contents convert_messages extract_genai_multimodal_content",
    "instructor.processing.response": FLOW,
    "instructor.templating": "handle_templating apply_template process_message",
    "instructor.utils": "update_total_usage extract_json_from_stream_async transform_to_gemini_prompt verify_no_unions "
    "map_to_gemini_function_schema update_genai_kwargs update_gemini_kwargs extract_genai_system_message "
    "convert_to_genai_messages SystemMessage combine_system_messages extract_system_messages",
    "instructor.v2": "ModeHandler ModeHandlers ModeRegistry mode_registry normalize_mode patch_v2 "
    "register_mode_handler ReaskHandler RequestHandler ResponseParser",
}

NOT_YET: dict[str, str] = {}


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


def test_all_exceptions_are_in_both_places() -> None:
    errors = [name for name in instructor.__all__ if name.endswith(("Error", "Exception", "Exceeded"))]
    assert len(errors) > 20
    for name in errors:
        kind = getattr(instructor, name)
        assert getattr(instructor.exceptions, name) is kind
        assert issubclass(kind, instructor.InstructorError)
    ours = {kind.__name__ for kind in _below(instructor.InstructorError) if kind.__module__.startswith("instructor.")}
    assert ours <= {*errors, "BadRequest"}


def _below(kind: type) -> set[type]:
    subs: list[type] = kind.__subclasses__()
    return {each for sub in subs for each in (sub, *_below(sub)) if not sub.__name__.startswith("_")}


async def test_calls_are_the_same_once_the_path_of_tracers_is_imported(harness: Harness, scripted_server: Any) -> None:
    import_module("instructor.v2.core.patch")
    client = harness.client(scripted_server([answer([1, 2]), answer([1]), answer(3), answer(4), answer(5)]))
    assert type(client._caller).__name__ == "TracedCallBuilder"
    told = {"messages": [{"role": "user", "content": "Extract."}], "model": "m"}
    assert await harness.items(client.create_iterable(response_model=list[int], **told)) == [1, 2]
    assert await harness.items(client.create_iterable(response_model=int, **told)) == [1]
    assert await harness.result(client.create(int, **told)) == 3
    assert (await harness.items(client.create_partial(int, **told)))[-1] == 4
    value, _ = await harness.result(client.create_with_completion(response_model=int, **told))
    assert value == 5
