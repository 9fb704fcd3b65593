"""Network reads as events: the bytes of an event stream, split and parsed."""

from __future__ import annotations

from typing import Any

import jiter

from instructor.engine.call import Json
from instructor.exceptions import ResponseParsingError
from instructor.text.sse import EventStream

_SHOWN = 200


class Events:
    """Turns reads into lists of events. A malformed event is told of after those before it were given."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._fault: Exception | None = None
        self.done = False

    def feed(self, data: bytes) -> list[Json]:
        """Give the events that these bytes complete."""
        events: list[Json] = []
        for payload in self._stream.feed(data):
            try:
                event: Any = jiter.from_json(payload)
            except ValueError as error:
                if payload.startswith(b"[DONE]"):
                    self.done = True
                    break
                shown = payload[:_SHOWN].decode("utf-8", "replace")
                self._fault = ResponseParsingError(
                    f"An event of the stream is not JSON ({error}): {shown!r}", text=shown
                )
                break
            if type(event) is not dict:
                self._fault = ResponseParsingError(f"An event of the stream is no JSON object: {event!r}")
                break
            events.append(event)
        if self._fault is not None and not events:
            raise self._fault
        return events

    def check(self) -> None:
        """Raise the fault that a read before this one ended with."""
        if self._fault is not None:
            raise self._fault
