"""From a row to its request: the messages, the key of the row, and the identity of the request."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from instructor.bulk.inputs import Source, Unreadable
from instructor.bulk.journal import Identity
from instructor.cache.keys import about_answers, canonical, client_cache_identity, validators_of
from instructor.exceptions import ConfigurationError
from instructor.media import Media, as_parts
from instructor.templating import render

_MOST_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_BRACES = ("{{", "{%")


def content_of(row: Any) -> bytes:
    """Return a row as JSON. Raise a TypeError if it has no such form."""
    try:
        return to_json(row)
    except PydanticSerializationError as error:
        raise TypeError(
            f"A row must be text, a dict or another value that JSON can hold, got {type(row).__name__}: {error}"
        ) from error


def shown(row: Any) -> str | None:
    """Return a row as it is kept in a store: what JSON cannot hold as its text, and a file without its bytes."""
    if isinstance(row, Media):
        row = row.model_dump(exclude={"data"})
    elif isinstance(row, Mapping):
        row = {
            name: value.model_dump(exclude={"data"}) if isinstance(value, Media) else value
            for name, value in row.items()
        }
    return to_json(row, fallback=str, bytes_mode="base64", inf_nan_mode="strings").decode()


def fields_of(row: Any) -> dict[str, Any]:
    """Return the fields of a row by name; none if it is one value."""
    if isinstance(row, Mapping):
        return {str(name): value for name, value in row.items()}
    if isinstance(row, BaseModel) or hasattr(type(row), "__dataclass_fields__"):
        return {name: getattr(row, name) for name in (getattr(type(row), "model_fields", None) or vars(row))}
    if isinstance(row, tuple):
        return {name: getattr(row, name) for name in getattr(row, "_fields", ())}
    return {}


def files_of(row: Any) -> list[Media]:
    """Return the images, audio and PDFs of a row: those of its fields, or itself."""
    return [each for each in ((row,) if isinstance(row, Media) else fields_of(row).values()) if isinstance(each, Media)]


class Rendered(NamedTuple):
    """The messages of a row, as they are passed to the call, and the context by which their templates are rendered."""

    messages: list[dict[str, Any]]
    context: Mapping[str, Any] | None

    def final(self) -> Sequence[Mapping[str, Any]]:
        """Return the messages with rendered templates."""
        return render(self.messages, self.context)


class Prompt:
    """Makes the messages of each row."""

    def __init__(self, messages: Any, text_field: str | None, context: Mapping[str, Any] | None) -> None:
        self._function: Callable[[Any], Any] | None = messages if callable(messages) else None
        self._text_field, self._context = text_field, context
        self._template: list[dict[str, Any]] | None = None
        self._without_text: list[dict[str, Any]] | None = None
        """The template of rows that are images alone."""
        if messages is not None and self._function is None:
            self._template = _template(messages)
            self._without_text = _as_messages(messages)

    def of(self, row: Any) -> Rendered:
        """Return the messages of a row."""
        if isinstance(row, Unreadable):
            raise row.error
        if self._function is not None:
            return Rendered(_as_messages(self._function(row)), self._context)
        if files := files_of(row):
            return self._with_files(row, files)
        text, fields = self._text(row), fields_of(row)
        if self._template is not None:
            return Rendered(self._template, {"text": text, **fields, "row": row, **(self._context or {})})
        if self._context:  # without a place for it, a context would make a template of the row's text
            return Rendered([{"role": "user", "content": "{{ row_text }}"}], {"row_text": text, **self._context})
        return Rendered([{"role": "user", "content": text}], None)

    def _with_files(self, row: Any, files: Sequence[Media]) -> Rendered:
        """Return the messages of a row that has images, audio or PDFs. These end the last turn of the user."""
        fields = {} if isinstance(row, Media) else fields_of(row)
        texts = [value for name, value in fields.items() if isinstance(value, str) and self._text_field in (None, name)]
        text = texts[0] if len(texts) == 1 else ""
        if self._template is None:
            own = ["{{ row_text }}" if self._context else text] if text else []
            return Rendered(
                [{"role": "user", "content": [*own, *files]}],
                {"row_text": text, **self._context} if self._context else None,
            )
        messages = list(self._template if text else self._without_text or ())
        last = max((at for at, each in enumerate(messages) if each.get("role") == "user"), default=None)
        if last is None:
            messages.append({"role": "user", "content": list(files)})
        else:
            content = messages[last].get("content") or []
            parts = content if isinstance(content, (list, tuple)) else [content]
            messages[last] = {**messages[last], "content": [*parts, *files]}
        return Rendered(messages, {"text": text, **fields, "row": row, **(self._context or {})})

    def check(self, row: Any) -> None:
        """Raise a ConfigurationError if a template uses no field of the first row."""
        if self._template is None or files_of(row):
            return
        rendered = self.of(row)
        if all(x == y for x, y in zip(rendered.messages, rendered.final(), strict=True)):
            names = ", ".join(repr(name) for name in rendered.context or ())
            raise ConfigurationError(f"The template of messages uses no field of the row. The row has {names}.")

    def describe(self) -> str:
        """Return what the prompt is, for the description of a run: another text is another prompt."""
        if self._function is not None:
            name = getattr(self._function, "__qualname__", type(self._function).__name__)
            return f"{name} {hashlib.sha256(validators_text(self._function).encode()).hexdigest()[:16]}"
        return canonical(self._template) if self._template is not None else f"the row's {self._text_field or 'text'}"

    def _text(self, row: Any) -> str:
        if isinstance(row, str):
            return row
        fields = fields_of(row)
        if self._text_field is not None and isinstance(fields.get(self._text_field), str):
            return str(fields[self._text_field])
        texts = [value for value in fields.values() if isinstance(value, str)]
        if len(texts) == 1:
            return texts[0]
        return json.dumps(to_jsonable_python(row, fallback=str), ensure_ascii=False)


def validators_text(function: Any) -> str:
    """Return a text that changes when the code of a function does, or what it remembers."""
    from typing import Annotated

    return validators_of(Annotated[str, _Marked(function)])


class _Marked:
    """A function in a place where `validators_of` looks for code."""

    def __init__(self, function: Any) -> None:
        self.func = function

    def __hash__(self) -> int:
        return id(self.func)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Marked) and other.func is self.func


def _template(messages: Any) -> list[dict[str, Any]]:
    if isinstance(messages, str):
        has_place = any(brace in messages for brace in _BRACES)
        return [{"role": "user", "content": messages if has_place else messages + "\n\n{{ text }}"}]
    return _as_messages(messages)


def _as_messages(messages: Any) -> list[dict[str, Any]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if not isinstance(messages, Sequence) or not all(isinstance(each, Mapping) for each in messages):
        raise ConfigurationError(
            "messages must be a template, a list of messages, or a function of the row that returns one of them, "
            f"got {str(messages)[:80]!r}."
        )
    return [dict(each) for each in messages]


class Keys:
    """Names the rows, and finds keys that come twice. What it has seen is in a temporary file, not in memory."""

    def __init__(self, key: str | Callable[[Any], object] | None, key_field: str | None) -> None:
        self._key = key if key is not None else key_field
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID")
        self._seen.execute("BEGIN")

    @property
    def is_explicit(self) -> bool:
        """Whether the keys are the user's, and must differ."""
        return self._key is not None

    def of(self, row: Any) -> str:
        """Return the key of the next row.

        Raises:
            ConfigurationError: The key comes twice, or the row does not have the field.
        """
        if self._key is None:
            content = hashlib.blake2b(content_of(row), digest_size=16)
            count = self._count(content.digest())
            return content.hexdigest() if count == 1 else f"{content.hexdigest()}-{count}"
        if callable(self._key):
            value = self._key(row)
        else:
            fields = fields_of(row)
            if self._key not in fields:
                raise ConfigurationError(f"The row has no field {self._key!r} for its key. It has {list(fields)}.")
            value = fields[self._key]
        if value is None or value == "":
            raise ConfigurationError(f"The key of a row must not be empty, got {value!r} for {str(row)[:80]!r}.")
        key = str(value)
        if self._count(hashlib.blake2b(key.encode(), digest_size=16).digest()) > 1:
            raise ConfigurationError(
                f"Two rows have the key {key!r}. Keys must differ: they name the rows in the store."
            )
        return key

    def _count(self, digest: bytes) -> int:
        found = self._seen.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET count = count + 1 RETURNING count",
            (digest,),
        ).fetchone()
        return int(found[0])

    def close(self) -> None:
        self._seen.close()


class Requests:
    """Says which requests are the same: by everything that the answer depends on, and nothing else."""

    def __init__(
        self,
        *,
        provider: str,
        client: Any,
        mode: str,
        options: Mapping[str, Any],
        context: Any,
        strict: Any,
        output: Any,
    ) -> None:
        kept = about_answers(options)
        most = [kept.pop(name) for name in _MOST_TOKENS if isinstance(kept.get(name), int)]
        self.max_tokens: int | None = most[0] if most else None
        self.options = json.loads(canonical(kept, "options"))
        base = {
            "version": 1, "provider": provider, "client": client_cache_identity(client), "mode": mode,
            "options": self.options, "context": context, "strict": strict,
        }  # fmt: skip
        self._base = _digest(canonical(base).encode())
        self.schema = schema_of(output)

    def identity(self, messages: Sequence[Mapping[str, Any]], salt: str = "") -> Identity:
        """Return the identity of a row's request; `salt` tells equal requests apart."""
        text = to_json(as_parts(messages), fallback=lambda value: canonical(value, "messages"), bytes_mode="base64")
        loose = _digest(self._base + text + salt.encode())
        return Identity(_digest(loose + repr(self.max_tokens).encode()), self.schema, loose, self.max_tokens)


def schema_of(output: Any) -> bytes:
    """Return the hash of a type of answer: its schema and its validators."""
    tools = json.dumps([tool._asdict() for tool in output.tools], default=str)
    return _digest(f"{output.many}\n{tools}\n{validators_of(output.kind)}".encode("utf-8", "surrogatepass"))


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def checked_keys(source: Source, key: Any) -> None:
    """Raise a ConfigurationError for a key that comes twice, before the first call, if the rows can be read twice."""
    if key is not None and source.can_repeat:
        keys = Keys(key, source.key_field)
        try:
            for row in source.again("key"):
                keys.of(row)
        finally:
            keys.close()
