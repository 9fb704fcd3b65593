"""Typed, validated objects from a language model's answer, while the answer is still streaming.

`import instructor` imports nothing but this file and the table of old paths. The module of a public name is imported
when the name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from instructor import _compat
from instructor._version import __version__ as __version__

_NAMES = {
    "BatchJob": "instructor.batch",
    "BatchRequest": "instructor.batch",
    "AsyncBatchProcessor": "instructor.batch",
    "BatchProcessor": "instructor.batch",
    "Answer": "instructor.core.types",
    "Instructions": "instructor.distil",
    "TrainingLines": "instructor.distil",
    "FinetuneFormat": "instructor.distil",
    "PDF": "instructor.media",
    "Audio": "instructor.media",
    "Image": "instructor.media",
    "ArgumentsError": "instructor.exceptions",
    "AsyncInstructor": "instructor.client",
    "AsyncStream": "instructor.results",
    "AsyncValidationError": "instructor.exceptions",
    "BudgetReachedError": "instructor.bulk.rows",
    "CitationMixin": "instructor.dsl",
    "ClientError": "instructor.exceptions",
    "ConfigurationError": "instructor.exceptions",
    "Evidence": "instructor.grounding.evidence",
    "EventTooLargeError": "instructor.exceptions",
    "FailedAttempt": "instructor.exceptions",
    "HookName": "instructor.hooks",
    "Hooks": "instructor.hooks",
    "IncompleteOutputException": "instructor.exceptions",
    "Instructor": "instructor.sync_client",
    "InstructorError": "instructor.exceptions",
    "InstructorRetryException": "instructor.exceptions",
    "IterableModel": "instructor.dsl",
    "JobStoppedError": "instructor.bulk.rows",
    "ListResponse": "instructor.results",
    "Maybe": "instructor.dsl",
    "Mode": "instructor.mode",
    "ModeError": "instructor.exceptions",
    "MultimodalError": "instructor.exceptions",
    "NotInText": "instructor.grounding.evidence",
    "NothingToPatchError": "instructor.factories",
    "OpenAISchema": "instructor.function_calls",
    "Partial": "instructor.dsl",
    "Provider": "instructor.providers.provider_enum",
    "ProviderError": "instructor.exceptions",
    "RefusalError": "instructor.exceptions",
    "Report": "instructor.report",
    "RemoteFetchError": "instructor.exceptions",
    "ResponseParsingError": "instructor.exceptions",
    "ResponseSchema": "instructor.function_calls",
    "RowError": "instructor.bulk.rows",
    "RunawayError": "instructor.core.watchdog",
    "StoreError": "instructor.bulk.rows",
    "Source": "instructor.grounding.evidence",
    "Span": "instructor.grounding.evidence",
    "Stream": "instructor.results",
    "TokenBudgetError": "instructor.exceptions",
    "TokenBudgetExceeded": "instructor.exceptions",
    "TokenBudgetTypeError": "instructor.exceptions",
    "TokenBudgetValueError": "instructor.exceptions",
    "TokenUsageUnavailableError": "instructor.exceptions",
    "UnknownHookError": "instructor.hooks",
    "Usage": "instructor.usage",
    "ValidationError": "instructor.exceptions",
    "Watchdog": "instructor.core.watchdog",
    "apatch": "instructor.factories",
    "evidence": "instructor.grounding.evidence",
    "from_openai": "instructor.factories",
    "from_provider": "instructor.factories",
    "generate_anthropic_schema": "instructor.function_calls",
    "generate_gemini_schema": "instructor.function_calls",
    "generate_openai_schema": "instructor.function_calls",
    "llm_validator": "instructor.validators",
    "openai_moderation": "instructor.validators",
    "openai_schema": "instructor.function_calls",
    "patch": "instructor.factories",
    "prompts": "instructor.core",
    "report_of": "instructor.results",
    "response_schema": "instructor.function_calls",
}

__all__ = list(_NAMES)  # pyright: ignore[reportUnsupportedDunderAll]  # checkers read the imports below

if TYPE_CHECKING:  # the same names again, for editors; a test compares the two
    from instructor import exceptions as exceptions
    from instructor import hooks as hooks
    from instructor import observe as observe
    from instructor.batch import AsyncBatchProcessor as AsyncBatchProcessor
    from instructor.batch import BatchJob as BatchJob
    from instructor.batch import BatchProcessor as BatchProcessor
    from instructor.batch import BatchRequest as BatchRequest
    from instructor.bulk.rows import BudgetReachedError as BudgetReachedError
    from instructor.bulk.rows import JobStoppedError as JobStoppedError
    from instructor.bulk.rows import RowError as RowError
    from instructor.bulk.rows import StoreError as StoreError
    from instructor.client import AsyncInstructor as AsyncInstructor
    from instructor.core import prompts as prompts
    from instructor.core.types import Answer as Answer
    from instructor.core.watchdog import RunawayError as RunawayError
    from instructor.core.watchdog import Watchdog as Watchdog
    from instructor.distil import FinetuneFormat as FinetuneFormat
    from instructor.distil import Instructions as Instructions
    from instructor.distil import TrainingLines as TrainingLines
    from instructor.dsl import CitationMixin as CitationMixin
    from instructor.dsl import IterableModel as IterableModel
    from instructor.dsl import Maybe as Maybe
    from instructor.dsl import Partial as Partial
    from instructor.exceptions import ArgumentsError as ArgumentsError
    from instructor.exceptions import AsyncValidationError as AsyncValidationError
    from instructor.exceptions import ClientError as ClientError
    from instructor.exceptions import ConfigurationError as ConfigurationError
    from instructor.exceptions import EventTooLargeError as EventTooLargeError
    from instructor.exceptions import FailedAttempt as FailedAttempt
    from instructor.exceptions import IncompleteOutputException as IncompleteOutputException
    from instructor.exceptions import InstructorError as InstructorError
    from instructor.exceptions import InstructorRetryException as InstructorRetryException
    from instructor.exceptions import ModeError as ModeError
    from instructor.exceptions import MultimodalError as MultimodalError
    from instructor.exceptions import ProviderError as ProviderError
    from instructor.exceptions import RefusalError as RefusalError
    from instructor.exceptions import RemoteFetchError as RemoteFetchError
    from instructor.exceptions import ResponseParsingError as ResponseParsingError
    from instructor.exceptions import TokenBudgetError as TokenBudgetError
    from instructor.exceptions import TokenBudgetExceeded as TokenBudgetExceeded
    from instructor.exceptions import TokenBudgetTypeError as TokenBudgetTypeError
    from instructor.exceptions import TokenBudgetValueError as TokenBudgetValueError
    from instructor.exceptions import TokenUsageUnavailableError as TokenUsageUnavailableError
    from instructor.exceptions import ValidationError as ValidationError
    from instructor.factories import FromClient
    from instructor.factories import NothingToPatchError as NothingToPatchError
    from instructor.factories import apatch as apatch
    from instructor.factories import from_openai as from_openai
    from instructor.factories import from_provider as from_provider
    from instructor.factories import patch as patch
    from instructor.function_calls import OpenAISchema as OpenAISchema
    from instructor.function_calls import ResponseSchema as ResponseSchema
    from instructor.function_calls import generate_anthropic_schema as generate_anthropic_schema
    from instructor.function_calls import generate_gemini_schema as generate_gemini_schema
    from instructor.function_calls import generate_openai_schema as generate_openai_schema
    from instructor.function_calls import openai_schema as openai_schema
    from instructor.function_calls import response_schema as response_schema
    from instructor.grounding.evidence import Evidence as Evidence
    from instructor.grounding.evidence import NotInText as NotInText
    from instructor.grounding.evidence import Source as Source
    from instructor.grounding.evidence import Span as Span
    from instructor.grounding.evidence import evidence as evidence
    from instructor.hooks import HookName as HookName
    from instructor.hooks import Hooks as Hooks
    from instructor.hooks import UnknownHookError as UnknownHookError
    from instructor.media import PDF as PDF
    from instructor.media import Audio as Audio
    from instructor.media import Image as Image
    from instructor.mode import Mode as Mode
    from instructor.providers.provider_enum import Provider as Provider
    from instructor.report import Report as Report
    from instructor.results import AsyncStream as AsyncStream
    from instructor.results import ListResponse as ListResponse
    from instructor.results import Stream as Stream
    from instructor.results import report_of as report_of
    from instructor.sync_client import Instructor as Instructor
    from instructor.usage import Usage as Usage
    from instructor.validators import llm_validator as llm_validator
    from instructor.validators import openai_moderation as openai_moderation

    from_anthropic: FromClient
    from_anyscale: FromClient
    from_azure_openai: FromClient
    from_bedrock: FromClient
    from_cerebras: FromClient
    from_cohere: FromClient
    from_databricks: FromClient
    from_deepseek: FromClient
    from_fireworks: FromClient
    from_genai: FromClient
    from_google: FromClient
    from_groq: FromClient
    from_litellm: FromClient
    from_local: FromClient
    from_mistral: FromClient
    from_ollama: FromClient
    from_openrouter: FromClient
    from_perplexity: FromClient
    from_together: FromClient
    from_vertexai: FromClient
    from_writer: FromClient
    from_xai: FromClient

_compat.install()


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        if name in _NAMES:
            value = getattr(import_module(_NAMES[name]), name)
        elif name.startswith("from_"):
            value = import_module("instructor.factories").from_named(name.removeprefix("from_"))
        else:
            value = _compat.submodule(__name__, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
