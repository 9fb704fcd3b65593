"""A scripted provider on loopback, for tests of code that extracts: answers, faults, gates, recordings.

Nothing in the library imports it but the page of `instructor play`, which reads recordings. It imports no SDK and no
test framework. Each of the files `wires_*.py` adds its wire format to the table `WIRES`.
"""

from importlib import import_module as _import_module
from pkgutil import iter_modules as _iter_modules

from instructor.testing.faults import count_events
from instructor.testing.gates import Gate
from instructor.testing.recording import Recorder, Replay, recorded
from instructor.testing.replies import (
    Answer,
    Asked,
    Faults,
    Reply,
    ToolCall,
    answer,
    body,
    content,
    error,
    events,
    refusal,
    silence,
    tools,
)
from instructor.testing.scripted import Scripted, Served
from instructor.testing.wires import WIRES, OpenAIChat, Streamed, Wire

__all__ = [
    "WIRES",
    "Answer",
    "Asked",
    "Faults",
    "Gate",
    "OpenAIChat",
    "Recorder",
    "Replay",
    "Reply",
    "Scripted",
    "Served",
    "Streamed",
    "ToolCall",
    "Wire",
    "answer",
    "body",
    "content",
    "count_events",
    "error",
    "events",
    "recorded",
    "refusal",
    "silence",
    "tools",
]

for _module in _iter_modules(__path__):
    if _module.name.startswith("wires_"):
        _import_module(f"{__name__}.{_module.name}")
