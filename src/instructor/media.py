"""Pictures, sounds and papers in messages: `Image`, `Audio` and `PDF` as plain values.

    client.create(Receipt, [{"role": "user", "content": ["What does it say?", Image.from_path("receipt.jpg")]}])

A value has bytes (as base64) or an address. Each provider gets it in its own form (`to_part` gives everybody's form); a
provider that cannot take it refuses before any request. What must have bytes and has an address is fetched, in async
clients without holding up the event loop. The path of a file is never sent.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import mimetypes
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from typing_extensions import Self

from instructor.core.types import Json
from instructor.exceptions import MultimodalError
from instructor.fetching import fetch
from instructor.mode import Mode

_MEBI = 2**20
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=-]+)*;base64,(.*)", re.DOTALL)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_STORAGE = "https://storage.googleapis.com/"


class Media(BaseModel):
    """What pictures, sounds and papers have in common."""

    source: str | Path | bytes
    """Where it is from: an address, a path, or what it was made of."""
    media_type: str
    data: str | None = Field(default=None, repr=False)
    """The bytes as base64; None if only the address is known."""

    kinds: ClassVar[Mapping[str, str]] = {}
    """The media types, by the ends of files' names."""
    signatures: ClassVar[Sequence[tuple[bytes, int, str]]] = ()
    """How bytes begin, from an offset, by media type."""
    most: ClassVar[int] = 20 * _MEBI
    """The most bytes that are fetched."""
    part_kind: ClassVar[str] = ""
    """The type of `ContentPart` that it is."""

    @classmethod
    def from_path(cls, path: str | Path) -> Self:
        """Read a file.

        Raises:
            FileNotFoundError: There is no file.
            MultimodalError: The file is empty, or of another kind.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {str(path)!r}.")
        data = path.read_bytes()
        if not data:
            raise MultimodalError(f"The file {str(path)!r} is empty.", file_path=str(path))
        return cls(source=path, media_type=cls._checked(cls._kind_of(data, path.suffix), path.name), data=_text(data))

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return it by its address. It is fetched only for a provider that must have bytes.

        A `data:` URI and a `gs://` address are taken, too.
        """
        if url.startswith("data:"):
            return cls.from_base64(url)
        if url.startswith("gs://"):
            return cls.from_gs_url(url)
        if not _ADDRESS.match(url):
            raise MultimodalError(f"An address must begin with http:// or https://, got {url[:80]!r}.")
        guessed = cls.kinds.get(Path(url.partition("?")[0]).suffix.lower())
        return cls(source=url, media_type=guessed or next(iter(cls.kinds.values())))

    @classmethod
    def from_base64(cls, data_uri: str) -> Self:
        """Return it from a data URI: `data:image/png;base64,...`."""
        match = _DATA_URI.fullmatch(data_uri)
        if match is None:
            raise MultimodalError(f"A data URI must be data:TYPE;base64,..., got {data_uri[:40]!r}.")
        kind, data = match.groups()
        return cls(source=f"data:{kind}", media_type=cls._checked(kind, "the data URI"), data=_text(_bytes(data)))

    @classmethod
    def from_raw_base64(cls, data: str) -> Self:
        """Return it from base64 without a type, which its bytes tell."""
        found = _bytes(data)
        return cls(source="base64", media_type=cls._checked(cls._kind_of(found), "the bytes"), data=_text(found))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return it from bytes, which tell the type."""
        return cls(source=b"", media_type=cls._checked(cls._kind_of(data), "the bytes"), data=_text(data))

    @classmethod
    def from_gs_url(cls, uri: str, timeout: int = 30) -> Self:
        """Fetch a public object of Google's storage: `gs://bucket/name`."""
        del timeout  # that of all fetching is kept
        if not uri.startswith("gs://"):
            raise MultimodalError(f"An address of Google's storage must begin with gs://, got {uri[:80]!r}.")
        return cls.from_url(_STORAGE + uri.removeprefix("gs://")).fetched()

    @classmethod
    def autodetect(cls, source: str | Path | bytes) -> Self:
        """Return it from whatever this is: bytes, a data URI, an address, the path of a file, or base64.

        Raises:
            MultimodalError: It is none of these.
        """
        if isinstance(source, bytes):
            return cls.from_bytes(source)
        if isinstance(source, Path):
            return cls.from_path(source)
        if source.startswith(("data:", "gs://")) or _ADDRESS.match(source):
            return cls.from_url(source)
        if len(source) < 4096 and _is_file(source):
            return cls.from_path(source)
        return cls.from_raw_base64(source)

    @classmethod
    def autodetect_safely(cls, source: str | Path) -> Self | str | Path:
        """Return it, or the source itself if it is a plain text."""
        try:
            return cls.autodetect(source)
        except (ValueError, OSError):
            return source

    def fetched(self) -> Self:
        """Return it with its bytes: from its address, unless they are there.

        Raises:
            RemoteFetchError: The address is not public, or does not answer as it should.
            MultimodalError: What is there is something else.
        """
        if self.data is not None:
            return self
        found = fetch(str(self.source), self.most)
        kind = self._kind_of(found.data) or found.media_type
        return self.model_copy(update={"media_type": self._checked(kind, str(self.source)), "data": _text(found.data)})

    @property
    def address(self) -> str:
        """The data URI, or the address of what has no bytes here."""
        return str(self.source) if self.data is None else f"data:{self.media_type};base64,{self.data}"

    def to_part(self) -> Json:
        """Return it as a part of a message, in the form that all providers' dialects translate."""
        raise NotImplementedError

    @classmethod
    def _kind_of(cls, data: bytes, suffix: str = "") -> str:
        """Return the media type that bytes have; if they do not tell, that of a file's name."""
        for start, offset, kind in cls.signatures:
            if data[offset:].startswith(start):
                return kind
        return cls.kinds.get(suffix.lower()) or mimetypes.guess_type(f"x{suffix}")[0] or ""

    @classmethod
    def _checked(cls, kind: str, of_what: str) -> str:
        kind = _SAME.get(kind, kind)
        if kind not in cls.kinds.values():
            known = ", ".join(dict.fromkeys(cls.kinds.values()))
            raise MultimodalError(
                f"{cls.__name__} must be one of {known}; {of_what} is {kind or 'none of these'}.", content_type=kind
            )
        return kind

    def _for(self, provider: str, mode: Mode | None = None) -> Json:
        providers = importlib.import_module("instructor.providers")
        row = providers.load(provider)
        dialect = row.wire_for(row.mode_for(mode)).dialect
        needs = self.data is None and self.part_kind not in dialect.by_address
        part: Json = dialect.encode_part((self.fetched() if needs else self).to_part())
        return part

    def to_openai(self, mode: Mode | None = None) -> Json:
        """Return it as OpenAI has it; its other interface in `Mode.RESPONSES_TOOLS`."""
        return self._for("openai", mode)

    def to_anthropic(self) -> Json:
        """Return it as Anthropic has it."""
        return self._for("anthropic")

    def to_genai(self) -> Json:
        """Return it as Google has it."""
        return self._for("google")

    def to_mistral(self) -> Json:
        """Return it as Mistral has it."""
        return self._for("mistral")

    def to_bedrock(self, name: str | None = None) -> Json:
        """Return it as Bedrock has it; `name` is that of a document."""
        part = self._for("bedrock")
        if name is not None and "document" in part:
            part["document"]["name"] = re.sub(r"[^\w\s()\[\]-]+", " ", name).strip() or "document"
        return part


class Image(Media):
    """A picture: JPEG, PNG, GIF or WebP.

    Example:
        >>> Image.from_path("receipt.jpg")
        Image(source=PosixPath('receipt.jpg'), media_type='image/jpeg')
    """

    kinds = {
        ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
    }  # fmt: skip
    signatures = (
        (b"\xff\xd8\xff", 0, "image/jpeg"), (b"\x89PNG\r\n\x1a\n", 0, "image/png"), (b"GIF8", 0, "image/gif"),
        (b"WEBP", 8, "image/webp"),
    )  # fmt: skip
    part_kind = "image_url"

    def to_part(self) -> Json:
        return {"type": "image_url", "image_url": {"url": self.address}}

    @classmethod
    def url_to_base64(cls, url: str) -> str:
        """Return the picture at an address as base64."""
        return cls.from_url(url).fetched().data or ""


class Audio(Media):
    """A sound: WAV, MP3, AAC, FLAC, MP4, Opus, PCM or WebM. From an address it is fetched at once."""

    kinds = {
        ".wav": "audio/wav", ".mp3": "audio/mp3", ".aac": "audio/aac", ".flac": "audio/flac", ".m4a": "audio/m4a",
        ".mpga": "audio/mpga", ".mpeg": "audio/mpeg", ".mp4": "audio/mp4", ".opus": "audio/opus",
        ".pcm": "audio/pcm", ".webm": "audio/webm",
    }  # fmt: skip
    signatures = ((b"WAVE", 8, "audio/wav"), (b"ID3", 0, "audio/mp3"), (b"fLaC", 0, "audio/flac"))
    most = 25 * _MEBI
    part_kind = "input_audio"

    @classmethod
    def from_url(cls, url: str) -> Self:
        return super().from_url(url).fetched()

    def to_part(self) -> Json:
        form = {"audio/mpeg": "mp3", "audio/mpga": "mp3"}.get(self.media_type, self.media_type.removeprefix("audio/"))
        return {"type": "input_audio", "input_audio": {"data": self.data, "format": form}}


class PDF(Media):
    """A paper."""

    kinds = {".pdf": "application/pdf"}
    signatures = ((b"%PDF-", 0, "application/pdf"),)
    most = 50 * _MEBI
    part_kind = "file"
    media_type: str = "application/pdf"

    def to_part(self) -> Json:
        if self.data is None:
            return {"type": "file", "file": {"file_url": str(self.source)}}
        return {"type": "file", "file": {"filename": "document.pdf", "file_data": self.address}}


class ImageWithCacheControl(Image):
    """A picture that Anthropic keeps in its cache of prompts."""

    cache_control: dict[str, str] = Field(default_factory=lambda: {"type": "ephemeral"})

    @classmethod
    def from_image_params(cls, params: Mapping[str, Any]) -> Image:
        """Return the picture of `{"source": ..., "cache_control": ...}`."""
        image = Image.autodetect(params["source"])
        control = params.get("cache_control")
        return image if control is None else cls(**image.model_dump(), cache_control=control)

    def to_part(self) -> Json:
        return {**super().to_part(), "cache_control": self.cache_control}


class PDFWithCacheControl(PDF):
    """A paper that Anthropic keeps in its cache of prompts."""

    def to_part(self) -> Json:
        return {**super().to_part(), "cache_control": {"type": "ephemeral"}}


class PDFWithGenaiFile(PDF):
    """A paper that was uploaded to Google. `source` is the file's address there."""

    @classmethod
    def from_new_genai_file(
        cls, file_path: str, retry_delay: int = 10, max_retries: int = 20, client: Any = None
    ) -> Self:
        """Upload a paper, and wait until Google has read it. `client` is one of google-genai (default: a new one)."""
        files = (client or importlib.import_module("google.genai").Client()).files
        file, sleep = files.upload(file=file_path), importlib.import_module("time").sleep
        for _ in range(max_retries):
            if _state(file) != "PROCESSING":
                break
            sleep(retry_delay)
            file = files.get(name=file.name)
        return cls._of(file)

    @classmethod
    def from_existing_genai_file(cls, file_name: str, client: Any = None) -> Self:
        """Return a paper that was uploaded before."""
        files = (client or importlib.import_module("google.genai").Client()).files
        return cls._of(files.get(name=file_name))

    @classmethod
    def _of(cls, file: Any) -> Self:
        if _state(file) != "ACTIVE":
            raise MultimodalError(f"The file {file.name!r} is not ready: its state is {_state(file)}.")
        return cls(source=str(file.uri), media_type=str(file.mime_type or "application/pdf"))


def _state(file: Any) -> str:
    return str(getattr(file.state, "name", file.state))


_SAME = {"audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/x-aac": "audio/aac", "audio/x-m4a": "audio/m4a",
         "audio/mp4a-latm": "audio/m4a", "image/jpg": "image/jpeg"}  # fmt: skip
"""Other names of media types."""


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(data: str) -> bytes:
    try:
        found = base64.b64decode(re.sub(r"\s", "", data), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise MultimodalError(f"The data must be base64, got {data[:40]!r}.")
    return found


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def detected(part: Any) -> Any:
    """Return the picture, sound or paper that a text, or a part with a source, stands for; anything else as it is."""
    if isinstance(part, Mapping) and part.get("type") == "image" and isinstance(part.get("source"), (str, bytes)):
        return ImageWithCacheControl.from_image_params(part)
    if not isinstance(part, str):
        return part
    suffix = Path(part.partition("?")[0][-12:]).suffix.lower()
    for kind in (Image, Audio, PDF):
        own = f"data:{kind.kinds[next(iter(kind.kinds))].partition('/')[0]}/"
        if suffix in kind.kinds or (part.startswith("data:") and part.startswith(own)):
            return kind.autodetect_safely(part)
    if part.startswith("data:") or len(part) < 64 or " " in part:
        return part
    return Image.autodetect_safely(part)


def in_messages(
    messages: Sequence[Mapping[str, Any]], by_address: Collection[str], *, detects: bool, fetches: bool
) -> tuple[list[Mapping[str, Any]], bool]:
    """Return messages with parts for their pictures, sounds and papers, and whether one of them must be fetched.

    Args:
        messages: The messages.
        by_address: The kinds of parts that may have an address instead of bytes.
        detects: Whether texts may be addresses, paths and data URIs of them (`autodetect_images`).
        fetches: Whether they are fetched now. Otherwise what must be fetched has its address as its bytes.
    """
    is_waiting = False

    def part_of(part: Any) -> Any:
        nonlocal is_waiting
        part = detected(part) if detects else part
        if not isinstance(part, Media):
            return part
        if part.data is None and part.part_kind not in by_address:
            is_waiting = True
            part = part.fetched() if fetches else part.model_copy(update={"data": _text(str(part.source).encode())})
        return part.to_part()

    def message_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
        content = message.get("content")
        if isinstance(content, Media) or (detects and isinstance(content, str)):
            part = part_of(content)
            return message if part is content else {**message, "content": [part]}
        if isinstance(content, (list, tuple)):
            return {**message, "content": [part_of(part) for part in content]}
        return message

    return [message_of(message) for message in messages], is_waiting
