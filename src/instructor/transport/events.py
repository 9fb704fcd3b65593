"""Network reads as events: the bytes of an event stream, split."""

from __future__ import annotations

from instructor.text.sse import EventStream


class Events:
    """Turns reads into lists of events, which are not parsed yet."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self.done = False
        """Whether the event came that ends a stream, whatever the connection does."""

    def feed(self, data: bytes) -> list[bytes]:
        """Give the events that these bytes complete."""
        events = self._stream.feed(data)
        if events and events[-1].startswith(b"[DONE]"):
            self.done = True
            events.pop()
        return events
