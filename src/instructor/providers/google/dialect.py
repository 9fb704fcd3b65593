"""The Gemini wire: `POST /models/<model>:generateContent`, of the Gemini API and of Vertex AI.

A request here holds what the SDK's method takes: `model`, `contents` (the wire's JSON) and `config`, under whose names
the SDK keeps everything else. A reply's text and function calls are parts of `candidates[0].content`; a streamed reply
is a sequence of such replies.
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from instructor.core.types import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, Tool, ToolCall
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.providers.blocks import BlockDialect
from instructor.providers.content import data_of, file_of, parts_of, refused
from instructor.providers.dialect import Counts, lacking, untaken
from instructor.providers.errors import words_of
from instructor.providers.messages import as_object, as_text
from instructor.providers.pieces import mapping, objects, piece_of, word
from instructor.schema.subsets import GEMINI

_BESIDE = ("model", "stream")
_NAMES = {
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "n": "candidate_count",
    "stop": "stop_sequences",
}
_NUMBER = "#"
"""Before the number of a call in its id; no signature has it."""
_UNDERSCORE = re.compile("_([a-z])")
_CAPITAL = re.compile(r"(?<=[a-z0-9])[A-Z]")
_FILTERED: dict[str, Finish] = dict.fromkeys(
    (
        "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR", "ESCALATION",
        "PUP_LIMITED_DISABLED", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
    ),
    "filter",
)  # fmt: skip


class Google(BlockDialect):
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = GEMINI
    prompted = (Mode.MD_JSON,)
    turns_key, blocks_key = "contents", "parts"
    roles: ClassVar[Mapping[str, str]] = {**BlockDialect.roles, "assistant": "model", "model": "model"}
    says_stream = False
    finishes: Mapping[str, Finish] = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length", **_FILTERED}
    counts = Counts(
        ("promptTokenCount", "toolUsePromptTokenCount"),
        ("candidatesTokenCount", "thoughtsTokenCount"),
        "cachedContentTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
    )

    def as_messages(self, messages: Any) -> Any:
        """Return the SDK's own forms of messages as dicts: a text, a list of texts, `Content`, `Part` and `File`.

        Parts that follow each other, and the texts beside them, are one turn.
        """
        several = [messages] if isinstance(messages, str) or not isinstance(messages, Sequence) else messages
        turns: list[Any] = []
        parts: list[Any] = []  # those of the last turn, if it is made of loose ones
        for given in several:
            is_sdks = hasattr(given, "model_dump") and not hasattr(given, "to_part")
            message = parts_of(given)[0] if is_sdks else given
            if isinstance(given, str) or hasattr(given, "to_part") or (is_sdks and "parts" not in message):
                if not parts or not any(hasattr(part, "to_part") for part in (given, *parts)):
                    parts = []  # without a value of ours, each is a turn of its own
                    turns.append({"role": "user", "content": parts})
                parts.append(message)
                continue
            parts = []
            turns.append(_turn(message))
        return turns

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape: all options, and the system's text, are folded into one config."""
        config = _config(options)
        given = (_flat(config.pop("system_instruction", None)), _flat(options.get("system")))
        system = self.system(messages, [part for parts in given for part in parts])
        if system:
            plain = all(part.keys() == {"text"} for part in system)
            config["system_instruction"] = "\n\n".join(part["text"] for part in system) if plain else {"parts": system}
        contents = self.encode_messages(messages)
        if not contents:
            raise ConfigurationError(f"{self.provider} needs a user's message: messages= has only the system's.")
        return {**{key: options[key] for key in _BESIDE if key in options}, "contents": contents, "config": config}

    own_parts = frozenset(
        {
            "text",
            "thought",
            "thoughtSignature",
            "inlineData",
            "fileData",
            "videoMetadata",
            "mediaResolution",
            "functionCall",
            "functionResponse",
            "executableCode",
            "codeExecutionResult",
            "toolCall",
            "toolResponse",
            "partMetadata",
        }
    )
    translated_parts = ("text", "image_url", "input_audio", "file", "uri")
    by_address = frozenset(("image_url", "file"))

    def translate_part(self, part: Json) -> Json | None:
        """Return a part, or an uploaded file of the SDK's, in this wire's form."""
        match part:
            case {"type": "text", "text": text}:
                return {"text": text}
            case {"type": "image_url", "image_url": {"url": url}}:
                if data := data_of(url):
                    return {"inlineData": {"mimeType": data[0], "data": data[1]}}
                return {"fileData": {"fileUri": url, "mimeType": _type_at(url) or "image/jpeg"}}
            case {"type": "input_audio", "input_audio": {"format": form, "data": sound}}:
                return {"inlineData": {"mimeType": f"audio/{form}", "data": sound}}
            case {"type": "file"}:
                file = file_of(part, by_address=True)
                if file.url and not file.data:
                    return {"fileData": {"fileUri": file.url, "mimeType": file.media_type}}
                if file.id:
                    raise refused(part, self.provider, self.translated_parts, "A file_id is another provider's.")
                return {"inlineData": {"mimeType": file.media_type, "data": file.data}}
            case {"uri": uri}:
                return {"fileData": {"fileUri": uri, "mimeType": part.get("mimeType")}}
        return None

    def takes_address(self, kind: str, url: str) -> bool:
        """Return whether a part may have this address: it is sent with its media type, which the address must tell."""
        return super().takes_address(kind, url) and _type_at(url) is not None

    def is_own_part(self, part: Json) -> bool:
        """Return whether a part has keys of this wire only."""
        return bool(part) and "type" not in part and self.own_parts.issuperset(map(_in_camel_case, part))

    def use(self, call: ToolCall) -> Json:
        part: Json = {"functionCall": {"name": call.name, "args": as_object(call.arguments)}}
        signature = call.id.removeprefix(SIGNED).partition(_NUMBER)[0] if call.id.startswith(SIGNED) else call.id
        return part if signature == call.id else {**part, "thoughtSignature": signature}

    def result(self, call: ToolCall, content: Any, is_error: bool) -> Json:
        return {"functionResponse": {"name": call.name, "response": {"error" if is_error else "result": content}}}

    def tool(self, tool: Tool, strict: bool) -> Json:
        del strict
        declaration = {"name": tool.name, "description": tool.description}
        return {**declaration, "parameters_json_schema": self.fitted(tool.schema)}

    def choice(self, body: Json, call: Call) -> Json:
        """Allow no other functions."""
        del body
        return {"mode": "ANY", "allowed_function_names": [tool.name for tool in call.output.tools]}

    def user_tool_names(self, options: Mapping[str, Any]) -> frozenset[str]:
        config = options.get("config")
        tools = config.get("tools") if isinstance(config, Mapping) else getattr(config, "tools", None)
        return super().user_tool_names({"tools": [options.get("tools"), tools]})

    def ask_by_tool(self, body: Json, call: Call, tools: Sequence[Json]) -> None:
        """Declare the functions beside the user's own."""
        config, forced = body["config"], self.choice(body, call)
        given: Any = config.get("tool_config") or {}
        given = given.model_dump(exclude_none=True) if hasattr(given, "model_dump") else given
        calling = given.get("function_calling_config") or {}
        config["tool_config"] = {**given, "function_calling_config": calling if "mode" in calling else forced | calling}
        config["tools"] = [*(config.get("tools") or ()), {"function_declarations": list(tools)}]

    def ask_for_json(self, body: Json, call: Call) -> None:
        """Constrain the text."""
        for name in ("response_mime_type", "response_schema", "response_json_schema"):
            untaken(body["config"], name, call.mode)
        schema = self.strict(call.output, call.mode)
        body["config"] |= {"response_mime_type": "application/json", "response_json_schema": schema}

    def encode(self, call: Call) -> Request:
        """Write the request of a call: the SDK calls no functions, and what a cache holds is not said again."""
        request = super().encode(call)
        config = request.body["config"]
        config.setdefault("automatic_function_calling", {"disable": True})
        taken = [name for name in ("system_instruction", "tools", "tool_config") if name in config]
        if config.get("cached_content") and taken:
            raise ConfigurationError(
                f"cached_content={config['cached_content']!r} holds the system's text and the tools, so "
                f"{', '.join(taken)} cannot be sent beside it. Leave the system's text out, and use Mode.JSON."
            )
        return request

    def answerable(self, request: Request, reply: Reply) -> bool:
        """A call that the model never made cannot be shown as one: nobody has its signature."""
        del request
        return all(map(_is_made, reply.calls))

    def decode_response(self, wire: Json) -> Sequence[Delta]:
        deltas = self._read(wire, Calls())
        blocked = any(delta.refusal is not None for delta in deltas)
        if not objects(wire.get("candidates")) and not blocked:
            raise lacking("candidates", wire)
        return deltas

    def delta(self, event: Json) -> Sequence[Delta]:
        return self._read(event, Calls())

    def reader(self) -> Callable[[Json], Sequence[Delta]]:
        """Return what reads one stream, and knows the calls that came before."""
        calls = Calls()
        return lambda event: self._read(event, calls)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        wire: Json = {name: head[name] for name in ("responseId", "modelVersion", "promptFeedback") if name in head}
        if "promptFeedback" not in wire:
            made = [self.use(call) if _is_made(call) else {"text": call.arguments} for call in reply.calls]
            candidate: Json = {"content": {"role": "model", "parts": [*self.blocks(reply.text), *made]}}
            reason = "STOP" if reply.finish == "tool" else self.reason(reply.finish)
            wire["candidates"] = [{**candidate, "finishReason": reason} if reason else candidate]
        usage = self.counts.write(reply.usage)
        return {**wire, "usageMetadata": usage} if usage else wire

    def _read(self, event: Json, calls: Calls) -> list[Delta]:
        """Read a reply or a piece of one."""
        if error := event.get("error"):
            raise ProviderError(self.provider, words_of(error), error)
        deltas: list[Delta] = []
        candidate = next(filter(_is_first, objects(event.get("candidates"))), {})
        for part in objects(mapping(candidate.get("content")).get("parts")):
            if isinstance(part.get("functionCall"), dict):
                deltas += [*calls.broken_by(part), _numbered(calls.read(part))]
            elif part.get("text") and not part.get("thought"):
                deltas.append(Delta(TEXT, piece_of(part["text"])))
        reason = candidate.get("finishReason")
        refusal = _blocked(mapping(event.get("promptFeedback")))
        usage = self.counts.read(event.get("usageMetadata"))
        ending = self.ending(reason, usage, refusal, word(candidate.get("finishMessage")))
        return deltas if ending == Delta() else [*deltas, ending]

    def finish(self, reason: Any) -> Finish | None:
        return None if reason == "FINISH_REASON_UNSPECIFIED" else super().finish(reason)


def _is_first(candidate: Json) -> bool:
    """Return whether it is the one that is read, where several were asked for."""
    return str(candidate.get("index") or 0) == "0"


def _blocked(feedback: Json) -> str | None:
    """Return why a prompt was blocked, or None."""
    reason, message = feedback.get("blockReason"), word(feedback.get("blockReasonMessage"))
    if not reason or str(reason).endswith("_UNSPECIFIED"):
        return None
    return f"the prompt was blocked ({as_text(reason)}){': ' if message else ''}{message}"


def _type_at(url: str) -> str | None:
    return mimetypes.guess_type(url.partition("?")[0])[0]


def _turn(message: Any) -> Any:
    """Return a message; one of the SDK's has parts instead of content."""
    match message:
        case {"parts": parts, **rest}:
            return {"role": "user", **rest, "content": list(parts)}
    return message


def _in_camel_case(name: str) -> str:
    return _UNDERSCORE.sub(lambda found: found[1].upper(), name)


def _is_made(call: ToolCall) -> bool:
    return call.id.startswith((CALLED + _NUMBER, SIGNED))


def _numbered(call: Delta) -> Delta:
    """Make the id of a call one of its own: what it holds is the same for many."""
    return call._replace(id=f"{call.id}{_NUMBER}{call.channel}") if call.id else call


def _flat(content: Any) -> list[Json]:
    """Return the parts of a content, which may be a turn, or a list of turns."""
    return [one for part in parts_of(content) for one in (parts_of(part["parts"]) if "parts" in part else [part])]


def _config(options: Mapping[str, Any]) -> Json:
    """Join the forms that a config comes in, the later one standing before the earlier, by the SDK's names."""
    apart = ("generation_config", "config", "system", *_BESIDE)
    rest = {key: value for key, value in options.items() if key not in apart}
    config: Json = {}
    for given in (options.get("generation_config"), options.get("config"), rest):
        for name, value in dict(given or {}).items():
            named = _CAPITAL.sub(lambda found: f"_{found[0].lower()}", name)
            if value is not None:
                config[_NAMES.get(named, named)] = value
    if isinstance(config.get("stop_sequences"), str):
        config["stop_sequences"] = [config["stop_sequences"]]
    return config


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
            raise ResponseParsingError(f"A value of a call's arguments must have a jsonPath, got {value!r}.")
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
