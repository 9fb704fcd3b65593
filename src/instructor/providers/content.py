"""Parts of a message's content: texts, images, sounds, files.

Everybody's form is that of the chat wire (`ContentPart`). A dialect translates each kind into its own wire's form, or
refuses it by name before any request (`BaseDialect.encode_part`). Parts in a wire's own form go through unchanged.
"""

from __future__ import annotations

import base64
import dataclasses
import mimetypes
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from typing_extensions import NotRequired, TypedDict

from instructor.core.types import Json
from instructor.exceptions import ConfigurationError

_SHOWN = 80


class TextPart(TypedDict):
    type: Literal["text"]
    text: str


class ImageURL(TypedDict):
    url: str
    """An address, or a data URI: data:image/png;base64,..."""
    detail: NotRequired[str]


class ImagePart(TypedDict):
    type: Literal["image_url"]
    image_url: ImageURL


class Sound(TypedDict):
    data: str
    """Base64."""
    format: str
    """wav, mp3 ..."""


class AudioPart(TypedDict):
    type: Literal["input_audio"]
    input_audio: Sound


class FileData(TypedDict):
    file_data: NotRequired[str]
    """A data URI: data:application/pdf;base64,..."""
    filename: NotRequired[str]
    file_id: NotRequired[str]
    """Of a file that was uploaded to the provider before."""
    file_url: NotRequired[str]
    """An address, for wires that take files by it."""


class FilePart(TypedDict):
    type: Literal["file"]
    file: FileData


ContentPart = TextPart | ImagePart | AudioPart | FilePart
KINDS = ("text", "image_url", "input_audio", "file")
"""The kinds of `ContentPart`."""


class File(NamedTuple):
    """A file part, read: its media type and base64, or the id of an uploaded one, or its address."""

    media_type: str
    data: str
    name: str
    id: str
    url: str


def file_of(part: Json, *, by_address: bool = False) -> File:
    """Return the file of a file part. `by_address`: it may have an address alone.

    Raises:
        ConfigurationError: It has neither data as a data URI nor an id.
    """
    given = part.get("file")
    given = given if isinstance(given, Mapping) else {}
    name = str(given.get("filename") or "")
    file_id = str(given.get("file_id") or "")
    url = str(given.get("file_data") or "")
    found = data_of(url)
    address = str(given.get("file_url") or "")
    if found is None and not file_id and not (by_address and address):
        raise ConfigurationError(
            "A part of type 'file' must have file_data as a data URI (data:application/pdf;base64,...) or a file_id, "
            f"got {_shown(given)}."
        )
    media_type, data = found or ("", "")
    guessed = mimetypes.guess_type(name or address.partition("?")[0])[0]
    default = "application/pdf" if address else "application/octet-stream"
    return File(media_type or guessed or default, data, name, file_id, address)


def data_of(url: str) -> tuple[str, str] | None:
    """Split a data URI into its media type and its base64; return None for any other address."""
    kind, found, data = url.removeprefix("data:").partition(";base64,")
    return (kind, data) if found and url.startswith("data:") else None


def bytes_of(data: str) -> bytes:
    """Decode base64.

    Raises:
        ConfigurationError: It is not base64.
    """
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise ConfigurationError(f"The data of a content part must be base64, got {data[:_SHOWN]!r}.") from None


def parts_of(content: Any) -> list[Json]:
    """Return a content, which may be a text, a part or a list of parts, as parts. An SDK's objects become dicts."""
    if content is None or content == "":
        return []
    return [as_part(part) for part in (content if isinstance(content, (list, tuple)) else [content])]


def as_part(part: Any) -> Json:
    """Return one part as a dict: a text, a mapping, or an SDK's object.

    Raises:
        ConfigurationError: It is something else.
    """
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, type):
        pass
    elif hasattr(part, "model_dump"):
        part = part.model_dump(mode="json", by_alias=True, exclude_none=True)
    elif hasattr(part, "DESCRIPTOR"):  # protobuf's; a message of its making is at hand
        from google.protobuf.json_format import MessageToDict

        part = MessageToDict(part, preserving_proto_field_name=True)
    elif hasattr(part, "to_dict"):
        part = part.to_dict()
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        part = {name: value for name, value in dataclasses.asdict(part).items() if value is not None}
    if not isinstance(part, Mapping):
        raise ConfigurationError(
            f"A part of a message must be a text, a dict or an object of the provider's SDK, got {_shown(part)}."
        )
    if part.get("type") == "image_url" and isinstance(part.get("image_url"), str):
        return {**part, "image_url": {"url": part["image_url"]}}
    return dict(part)


def kind_of(part: Mapping[str, Any]) -> str:
    """Return what a part is: its `type`, or, on wires without one, its key."""
    kind = part.get("type")
    return kind if isinstance(kind, str) else next(iter(part), "")


def refused(part: Mapping[str, Any], provider: str, takes: Iterable[str], why: str = "") -> ConfigurationError:
    """Return the error for a part that a wire does not take."""
    taken = ", ".join(dict.fromkeys(takes))
    because = f" {why}" if why else ""
    return ConfigurationError(
        f"{provider} does not take a content part of type {kind_of(part)!r}.{because} It takes {taken}."
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
