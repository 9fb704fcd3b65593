"""The function calls of one Gemini stream: most come whole; some, where the user asks for it, value by value.

Such a value is told with its JSON Path (`$.tasks[0].name`), and a long text in several pieces. What they say is written
here as the JSON text that other wires stream. Vertex AI documents it as `streamFunctionCallArguments`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from instructor.engine.call import Delta, Json
from instructor.wire.messages import as_text

SIGNED = "signature:"
"""Before the signature in the id of a call: what a thinking model wants back with the call that it made."""
CALLED = "called"
"""The id of a call without a signature. One of any other id was never made: it stands for an answer that is shown."""
_STEP = re.compile(r"""\.([^.\[]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")

Step = str | int


class Calls:
    """Reads the calls of one reply, and numbers them, which the events do not."""

    def __init__(self) -> None:
        self._count = 0
        self._open: Arguments | None = None  # of a call that goes on in the next event

    def read(self, part: Json) -> Delta:
        """Read a part that is a call, or a piece of the one before."""
        call = part["functionCall"]
        goes_on, pieces = bool(call.get("willContinue")), call.get("partialArgs") or ()
        call_id = name = None
        if self._open is None:
            signature = part.get("thoughtSignature")
            call_id, name = f"{SIGNED}{signature}" if signature else CALLED, call.get("name")
            self._count += 1
            if not goes_on and not pieces:
                return Delta(self._count - 1, as_text(call.get("args")), call_id, name)
            self._open = Arguments()
        text = "".join(map(self._open.write, pieces))
        if not goes_on:
            text += self._open.close()
            self._open = None
        return Delta(self._count - 1, text, call_id, name)


class Arguments:
    """Writes one object as JSON text, from its values in the order of that text."""

    def __init__(self) -> None:
        self._path: Sequence[Step] = ()  # of the value that was written last
        self._in_text = False  # its text goes on

    def write(self, value: Json) -> str:
        """Write a value, or the next piece of a text."""
        path = [_step(*found) for found in _STEP.findall(value.get("jsonPath") or "")]
        text, was_in_text = value.get("stringValue"), self._in_text
        self._in_text = bool(value.get("willContinue")) and text is not None
        end = "" if self._in_text else '"'
        if was_in_text and path == self._path:
            return json.dumps(text or "", ensure_ascii=False)[1:-1] + end
        written = ('"' if was_in_text else "") + self._to(path)
        return written + (json.dumps(text, ensure_ascii=False)[:-1] + end if text is not None else _plain(value))

    def close(self) -> str:
        """End all that is open."""
        if not self._path:
            return "{}"
        return ('"' if self._in_text else "") + "".join(map(_end, reversed(self._path)))

    def _to(self, path: Sequence[Step]) -> str:
        """Go from the value before to the one at `path`: end what it is not in, begin what it is in."""
        before, self._path = self._path, path
        shared = 0
        while shared < min(len(before), len(path)) - 1 and before[shared] == path[shared]:
            shared += 1
        left = "".join(map(_end, reversed(before[shared + 1 :])))
        begun = "".join(map(_begin, path[shared + 1 :]))
        first = _begin(path[shared])[1:] if before else _begin(path[shared])
        return f"{left}{', ' if before else ''}{first}{begun}"


def _step(name: str, index: str, quoted: str, double: str) -> Step:
    return int(index) if index else name or re.sub(r"\\(.)", r"\1", quoted or double)


def _begin(step: Step) -> str:
    """Begin the object or list that a value is in."""
    return f"{{{json.dumps(step, ensure_ascii=False)}: " if isinstance(step, str) else "["


def _end(step: Step) -> str:
    return "}" if isinstance(step, str) else "]"


def _plain(value: Json) -> str:
    number = value.get("numberValue")
    if number is not None:
        return json.dumps(int(number) if float(number).is_integer() else number)
    return json.dumps(value.get("boolValue"))
