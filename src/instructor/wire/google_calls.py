"""The function calls of one Gemini stream: most come whole; some, where the user asks for it, value by value.

Such a value is told with its JSON Path (`$.tasks[0].name`), and a long text in several pieces. What they say is written
here as the JSON text that other wires stream. Vertex AI documents it as `streamFunctionCallArguments`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from instructor.engine.call import Delta, Json
from instructor.exceptions import ResponseParsingError
from instructor.wire.messages import as_text
from instructor.wire.pieces import mapping, objects, piece_of, word

SIGNED = "signature:"
"""Before the signature in the id of a call: what a thinking model wants back with the call that it made."""
CALLED = "called"
"""The id of a call without a signature. One of any other id was never made: it stands for an answer that is shown."""
_STEP = re.compile(r"""\.([^.\[]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")

_VALUES = frozenset(("stringValue", "numberValue", "boolValue", "nullValue"))

Step = str | int


class Calls:
    """Reads the calls of one reply, and numbers them, which the events do not."""

    def __init__(self) -> None:
        self._count = 0
        self._open: Arguments | None = None  # of a call that goes on in the next event
        self._begun = ("", "")  # its id and its name
        self._ids = set[str]()  # of the calls that came

    def read(self, part: Json) -> Delta:
        """Read a part that is a call, or a piece of the one before; of a call that came already nothing is left."""
        call = mapping(part.get("functionCall"))
        goes_on, pieces = bool(call.get("willContinue")), objects(call.get("partialArgs"))
        call_id = name = None
        if self._open is None:
            known, name = word(call.get("id")), word(call.get("name")) or None
            if known in self._ids:
                return Delta()
            self._begun = (known, name or "")
            self._ids.update({known} - {""})
            signature = word(part.get("thoughtSignature"))
            call_id = f"{SIGNED}{signature}" if signature else CALLED
            self._count += 1
            if not goes_on and not pieces:
                return Delta(self._count - 1, as_text(call.get("args")), call_id, name)
            self._open = Arguments()
        text = "".join(map(self._open.write, pieces))
        return Delta(self._count - 1, text if goes_on else text + self._close(), call_id, name)

    def broken_by(self, part: Json) -> list[Delta]:
        """End the call that is open, if a part that is another one's says that it does not go on."""
        call = mapping(part.get("functionCall"))
        now = (word(call.get("id")), word(call.get("name")))
        other = any(was and new and was != new for was, new in zip(self._begun, now, strict=True))
        return [Delta(self._count - 1, self._close())] if other and self._open is not None else []

    def _close(self) -> str:
        text = self._open.close() if self._open is not None else ""
        self._open = None
        return text


class Arguments:
    """Writes one object as JSON text, from its values in the order of that text."""

    def __init__(self) -> None:
        self._path: Sequence[Step] = ()  # of the value that was written last
        self._in_text = False  # its text goes on

    def write(self, value: Json) -> str:
        """Write a value, or the next piece of a text."""
        path = [_step(*found) for found in _STEP.findall(word(value.get("jsonPath")))]
        text, was_in_text = value.get("stringValue"), self._in_text
        text = None if text is None else piece_of(text)
        if not path:
            if _VALUES.isdisjoint(value):
                return ""
            raise ResponseParsingError(f"A value of a call's arguments must say its place, got {value!r}.")
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
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return json.dumps(value.get("boolValue") if number is None else number)
