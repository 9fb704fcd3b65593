"""Images, audio and PDFs in messages: `Image`, `Audio` and `PDF` as plain values.

    client.create(Receipt, [{"role": "user", "content": ["What does it say?", Image.from_path("receipt.jpg")]}])

A value has bytes (as base64) or an address. Each provider gets it in its own form: `to_part` gives that of
`ContentPart`, which all dialects translate, or refuse before any request. Bytes that a provider must have are fetched
from the address when the call begins, in async clients without holding up the event loop. The path of a file is never
sent.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import NotRequired, Self, TypedDict

from instructor.core.types import Json
from instructor.exceptions import MultimodalError
from instructor.fetching import SECONDS, fetch
from instructor.mode import Mode

_MEBI = 2**20
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=-]+)*;base64,(.*)", re.DOTALL)
_ADDRESS = re.compile(r"(?:https?|s3)://\S+", re.IGNORECASE)
_STORAGE = "https://storage.googleapis.com/"
_GOOGLE = "gs://"
_THREADS = 8
"""How many addresses of one call are fetched at once."""
_LEAST_BASE64 = 64
"""How long a text is at least that may be base64 by itself; shorter ones are words."""

_SIGNATURES = (
    (b"\xff\xd8\xff", 0, "image/jpeg"), (b"\x89PNG\r\n\x1a\n", 0, "image/png"), (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"), (b"WAVE", 8, "audio/wav"), (b"ID3", 0, "audio/mp3"), (b"fLaC", 0, "audio/flac"),
    (b"OggS", 0, "audio/opus"), (b"ftypM4A", 4, "audio/m4a"), (b"ftypmp4", 4, "audio/mp4"),
    (b"ftypisom", 4, "audio/mp4"), (b"\x1aE\xdf\xa3", 0, "audio/webm"),
)  # fmt: skip
"""How bytes begin, from an offset, by media type."""
_FRAMES = {b"\xff\xfb": "audio/mp3", b"\xff\xf3": "audio/mp3", b"\xff\xf2": "audio/mp3", b"\xff\xf1": "audio/aac",
           b"\xff\xf9": "audio/aac"}  # fmt: skip
"""How frames of audio without a header begin. Two bytes prove little: they count where nothing else tells the type."""
_PDF_WITHIN = 1024
"""A PDF may have other bytes before its signature, up to here."""
_SAME = {"audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav",
         "audio/x-aac": "audio/aac", "audio/x-m4a": "audio/m4a", "audio/mp4a-latm": "audio/m4a",
         "audio/x-flac": "audio/flac", "image/jpg": "image/jpeg"}  # fmt: skip
"""Other names of media types."""

_IMAGES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp"}
_AUDIO = {
    ".wav": "audio/wav", ".mp3": "audio/mp3", ".aac": "audio/aac", ".flac": "audio/flac", ".m4a": "audio/m4a",
    ".mpga": "audio/mpga", ".mpeg": "audio/mpeg", ".mp4": "audio/mp4", ".opus": "audio/opus",
    ".pcm": "audio/pcm", ".webm": "audio/webm",
}  # fmt: skip
_PDFS = {".pdf": "application/pdf"}

VALID_MIME_TYPES = list(dict.fromkeys(_IMAGES.values()))
VALID_AUDIO_MIME_TYPES = list(_AUDIO.values())
VALID_PDF_MIME_TYPES = list(_PDFS.values())


class Media(BaseModel):
    """What images, audio and PDFs have in common."""

    model_config = ConfigDict(frozen=True)

    source: str | Path | bytes
    """Where it is from: an address, a path, or what it was made of."""
    media_type: str
    data: str | None = Field(default=None, repr=False)
    """The bytes as base64; None if only the address is known."""

    kinds: ClassVar[Mapping[str, str]] = {}
    """The media types, by the ends of files' names."""
    most: ClassVar[int] = 20 * _MEBI
    """The most bytes that are fetched."""
    part_kind: ClassVar[str] = ""
    """The type of `ContentPart` that it is."""

    @model_validator(mode="after")
    def _has_bytes_or_address(self) -> Self:
        if self.data is None and not (isinstance(self.source, str) and _ADDRESS.fullmatch(self.source)):
            raise MultimodalError(
                f"{type(self).__name__} must have data, or a source that is an address, got {str(self.source)[:80]!r}. "
                f"{type(self).__name__}.from_path(...) reads a file."
            )
        return self

    @classmethod
    def from_path(cls, path: str | Path) -> Self:
        """Return it from a file, which is read now.

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
        kind = cls._kind_of(data, cls.kinds.get(path.suffix.lower(), ""))
        return cls(source=path, media_type=cls._checked(kind, path.name), data=_text(data))

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return it by its address. It is fetched when a call needs its bytes, or by `fetched()`.

        A `data:` URI, the `gs://` address of a public object, and `s3://` (for Bedrock) are taken, too.

        Raises:
            MultimodalError: It is no address.
        """
        return cls._at(url)

    @classmethod
    def _at(cls, url: str) -> Self:
        if url.startswith("data:"):
            return cls.from_base64(url)
        if url.startswith(_GOOGLE):
            url = _STORAGE + url.removeprefix(_GOOGLE)
        if not _ADDRESS.fullmatch(url):
            raise MultimodalError(f"An address must be https://host/..., http://, s3:// or gs://, got {url[:80]!r}.")
        return cls(source=url, media_type=cls.kinds.get(_suffix(url)) or next(iter(cls.kinds.values())))

    @classmethod
    def from_base64(cls, data_uri: str) -> Self:
        """Return it from a data URI: `data:image/png;base64,...`.

        Raises:
            MultimodalError: It is no data URI, or one of another kind.
        """
        match = _DATA_URI.fullmatch(data_uri)
        if match is None:
            raise MultimodalError(f"A data URI must be data:TYPE;base64,..., got {data_uri[:40]!r}.")
        kind, data = cls._checked(match[1].lower(), "the data URI"), _bytes(match[2])
        kind = cls._checked(cls._kind_of(data, kind), "what is in the data URI")
        return cls(source=f"data:{kind}", media_type=kind, data=_text(data))

    @classmethod
    def from_raw_base64(cls, data: str) -> Self:
        """Return it from base64 alone; the bytes tell the type.

        Raises:
            MultimodalError: It is not base64, or of another kind.
        """
        found = _bytes(data)
        return cls(source="base64", media_type=cls._checked(cls._kind_of(found), "the data"), data=_text(found))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return it from bytes, which tell the type.

        Raises:
            MultimodalError: They are of another kind.
        """
        return cls(source="bytes", media_type=cls._checked(cls._kind_of(data), "the data"), data=_text(data))

    @classmethod
    def from_gs_url(cls, uri: str, timeout: float = SECONDS) -> Self:
        """Fetch a public object of Google's storage: `gs://bucket/name`.

        Raises:
            RemoteFetchError: It is not public, or does not come in `timeout` seconds.
        """
        if not uri.startswith(_GOOGLE):
            raise MultimodalError(f"An address of Google's storage must begin with gs://, got {uri[:80]!r}.")
        return cls._at(uri).fetched(timeout)

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
        if source.startswith(_GOOGLE):
            return cls.from_gs_url(source)
        if source.startswith("data:") or _ADDRESS.match(source):
            return cls.from_url(source)
        return cls.from_path(source) if _is_file(source) else cls.from_raw_base64(source)

    @classmethod
    def autodetect_safely(cls, source: str | Path) -> Self | str | Path:
        """Return it, or the source itself if it is a plain text."""
        try:
            return cls.autodetect(source)
        except (ValueError, OSError):
            return source

    def fetched(self, timeout: float = SECONDS) -> Self:
        """Return it with its bytes: from its address, unless they are there.

        Raises:
            RemoteFetchError: The address is not public, or does not answer as it should.
            MultimodalError: What is there is something else.

        Example:
            >>> PDF.from_url("https://example.com/report.pdf").fetched()
        """
        if self.data is not None:
            return self
        found = fetch(str(self.source), self.most, timeout)
        said = found.media_type if self.part_kind == Audio.part_kind else ""  # of the others the bytes tell it, always
        kind = self._checked(self._kind_of(found.data, said), f"what is at {_suffixless(str(self.source))!r}")
        return self.model_copy(update={"media_type": kind, "data": _text(found.data)})

    @property
    def address(self) -> str:
        """The data URI, or the address of what has no bytes here."""
        return str(self.source) if self.data is None else f"data:{self.media_type};base64,{self.data}"

    def to_part(self) -> Json:
        """Return it as a part of a message, in the form that all providers' dialects translate."""
        raise NotImplementedError

    def is_missing(self, takes_address: Callable[[str, str], bool]) -> bool:
        """Return whether its bytes must be fetched for a dialect, by the dialect's `takes_address`."""
        return self.data is None and not takes_address(self.part_kind, str(self.source))

    @classmethod
    def _kind_of(cls, data: bytes, otherwise: str = "") -> str:
        """Return the media type that bytes have; if they do not tell, the one that their name or sender says."""
        for start, offset, kind in _SIGNATURES:
            if data[offset:].startswith(start):
                same_container = kind in ("audio/mp4", "audio/m4a") and otherwise in ("audio/mp4", "audio/m4a")
                return otherwise if same_container else kind
        if b"%PDF-" in data[:_PDF_WITHIN]:
            return _PDFS[".pdf"]
        return otherwise or _FRAMES.get(data[:2], "")

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
        from instructor import providers
        from instructor.providers.dialect import BaseDialect

        row = providers.load(provider)
        dialect = row.wire_for(row.mode_for(mode)).dialect
        assert isinstance(dialect, BaseDialect)  # as all of this library's
        whole = self.fetched() if self.is_missing(dialect.takes_address) else self
        return dialect.encode_part(whole.to_part())

    def to_openai(self, mode: Mode | None = None) -> Json:
        """Return it as OpenAI has it; as its other interface has it in `Mode.RESPONSES_TOOLS`."""
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
    """An image: JPEG, PNG, GIF or WebP.

    Example:
        >>> Image.from_path("receipt.jpg")
        Image(source=PosixPath('receipt.jpg'), media_type='image/jpeg')
    """

    kinds = _IMAGES
    part_kind = "image_url"

    def to_part(self) -> Json:
        return {"type": "image_url", "image_url": {"url": self.address}}

    @classmethod
    def url_to_base64(cls, url: str) -> str:
        """Return the image at an address as base64."""
        return cls.from_url(url).fetched().data or ""


class Audio(Media):
    """Audio: WAV, MP3, AAC, FLAC, MP4, Opus, PCM or WebM.

    Example:
        >>> Audio.from_path("call.wav")
        Audio(source=PosixPath('call.wav'), media_type='audio/wav')
    """

    kinds = _AUDIO
    most = 25 * _MEBI
    part_kind = "input_audio"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Fetch it from its address now, for no provider takes addresses of audio.

        Raises:
            RemoteFetchError: The address is not public, or does not answer as it should.
        """
        return cls._at(url).fetched()

    def to_part(self) -> Json:
        form = {"audio/mpeg": "mp3", "audio/mpga": "mp3"}.get(self.media_type, self.media_type.removeprefix("audio/"))
        return {"type": "input_audio", "input_audio": {"data": self.data, "format": form}}


class PDF(Media):
    """A PDF document.

    Example:
        >>> PDF.from_path("report.pdf")
        PDF(source=PosixPath('report.pdf'), media_type='application/pdf')
    """

    kinds = _PDFS
    most = 50 * _MEBI
    part_kind = "file"
    media_type: str = _PDFS[".pdf"]

    def to_part(self) -> Json:
        if self.data is None:
            return {"type": "file", "file": {"file_url": str(self.source)}}
        return {"type": "file", "file": {"filename": "document.pdf", "file_data": self.address}}


class ImageParams(TypedDict):
    """An image as a dict, with its mark for Anthropic's cache of prompts."""

    type: NotRequired[str]
    source: str | Path | bytes
    cache_control: NotRequired[Mapping[str, str] | None]


class ImageWithCacheControl(Image):
    """An image that Anthropic keeps in its cache of prompts."""

    cache_control: dict[str, str] = Field(default_factory=lambda: {"type": "ephemeral"})

    @classmethod
    def from_image_params(cls, params: ImageParams | Mapping[str, Any]) -> Image:
        """Return the image of `{"source": ..., "cache_control": ...}`; a plain `Image` without a mark."""
        source, control = params["source"], params.get("cache_control")
        is_distant = isinstance(source, str) and (source.startswith(_GOOGLE) or _ADDRESS.match(source))
        image = Image.from_url(str(source)) if is_distant else Image.autodetect(source)
        return image if control is None else cls(**image.model_dump(), cache_control=dict(control))

    def to_part(self) -> Json:
        return {**super().to_part(), "cache_control": self.cache_control}


class PDFWithCacheControl(PDF):
    """A PDF that Anthropic keeps in its cache of prompts."""

    def to_part(self) -> Json:
        return {**super().to_part(), "cache_control": {"type": "ephemeral"}}


class PDFWithGenaiFile(PDF):
    """A PDF that was uploaded to Google, and that no other provider takes. `source` is its address there."""

    @classmethod
    def from_new_genai_file(
        cls, file_path: str | Path, retry_delay: float = 10, max_retries: int = 20, client: Any = None
    ) -> Self:
        """Upload a PDF, and wait until Google has read it.

        Args:
            file_path: The path of the file. Google gets its bytes, not its name.
            retry_delay: How many seconds to wait before asking again.
            max_retries: How often to ask again.
            client: A client of google-genai. A new one is made if there is none.

        Raises:
            MultimodalError: The file is not read after so long, or Google cannot read it.
        """
        files = _files(client)
        with Path(file_path).open("rb") as stream:
            file = files.upload(file=stream, config={"mime_type": _PDFS[".pdf"]})
        for _ in range(max_retries):
            if _state(file) != "PROCESSING":
                break
            sleep(retry_delay)
            file = files.get(name=file.name)
        return cls._of(file)

    @classmethod
    def from_existing_genai_file(cls, file_name: str, client: Any = None) -> Self:
        """Return a PDF that was uploaded before, by its name there: `files/...`.

        Raises:
            MultimodalError: Google has not read it, or cannot.
        """
        return cls._of(_files(client).get(name=file_name))

    @classmethod
    def _of(cls, file: Any) -> Self:
        if _state(file) != "ACTIVE":
            raise MultimodalError(f"The file {file.name!r} is not ready: its state is {_state(file)}.")
        return cls(source=str(file.uri), media_type=str(file.mime_type or _PDFS[".pdf"]))

    def to_part(self) -> Json:
        return {"fileData": {"fileUri": str(self.source), "mimeType": self.media_type}}

    def is_missing(self, takes_address: Callable[[str, str], bool]) -> bool:
        """Return False: its bytes are where they are needed, and can be fetched from there by nobody."""
        del takes_address
        return False


def _files(client: Any) -> Any:
    return (client or importlib.import_module("google.genai").Client()).files


def _state(file: Any) -> str:
    return str(getattr(file.state, "name", file.state))


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
    except (OSError, ValueError):  # too long for a path, or with a null character
        return False


def _suffixless(url: str) -> str:
    """Return an address without its query, which may hold a key."""
    return re.split(r"[?#]", url, maxsplit=1)[0]


def _suffix(url: str) -> str:
    """Return how the name of the file at an address, or at a path, ends."""
    return Path(_suffixless(url)[-12:]).suffix.lower()


def autodetect_media(source: Any) -> Any:
    """Return the image, audio or PDF that this stands for; anything else, such as a plain text, as it is.

    Args:
        source: A data URI, base64, or an address or a path that ends as such files do (".png"). Nothing is fetched.

    Raises:
        MultimodalError: A file of that name is something else.
    """
    if isinstance(source, Mapping) and source.get("type") == "image" and isinstance(source.get("source"), (str, bytes)):
        return ImageWithCacheControl.from_image_params(source)
    if isinstance(source, Path):
        source = str(source)
    if not isinstance(source, str):
        return source
    if match := _DATA_URI.fullmatch(source):
        kind = next((kind for kind in (Image, Audio, PDF) if match[1].lower() in kind.kinds.values()), None)
        return source if kind is None else kind.from_base64(source)
    kind = next((kind for kind in (Image, Audio, PDF) if _suffix(source) in kind.kinds), None)
    if source.startswith(_GOOGLE) or _ADDRESS.match(source):
        is_address = not re.search(r"\s", source)
        return kind._at(source) if kind is not None and is_address else source
    if kind is not None and _is_file(source):
        return kind.from_path(source)
    if len(source) < _LEAST_BASE64 or " " in source:
        return source
    image = Image.autodetect_safely(source)
    return image if isinstance(image, Image) else PDF.autodetect_safely(source)


def in_messages(
    messages: Sequence[Mapping[str, Any]], takes_address: Callable[[str, str], bool], *, detects: bool
) -> tuple[list[Mapping[str, Any]], Callable[[], list[Mapping[str, Any]]] | None]:
    """Return messages with parts for their images, audio and PDFs, and a function that fetches what must be fetched.

    Args:
        messages: The messages.
        takes_address: Whether a kind of part may have this address instead of bytes: the dialect's.
        detects: Whether texts may stand for them (`autodetect_images`).

    Returns:
        The messages, and None if nothing must be fetched. Otherwise an address stands in the place of its bytes, and
        the function returns the messages that are to be sent.
    """
    found = [_as_values(message, detects) for message in messages]
    distant = {
        (type(part), part.source): part
        for message in found
        for part in _values_of(message)
        if part.is_missing(takes_address)
    }
    if not distant:
        return [_as_parts(message, {}) for message in found], None

    def load() -> list[Mapping[str, Any]]:
        with ThreadPoolExecutor(min(len(distant), _THREADS)) as threads:
            loaded = dict(zip(distant, threads.map(lambda part: part.fetched(), distant.values()), strict=True))
        return [_as_parts(message, loaded) for message in found]

    addresses = {
        key: part.model_copy(update={"data": _text(str(part.source).encode())}) for key, part in distant.items()
    }
    return [_as_parts(message, addresses) for message in found], load


def as_parts(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return messages with parts for their images, audio and PDFs, to tell requests apart: an address stays one."""
    return in_messages(messages, lambda *_: False, detects=False)[0]


def _as_values(message: Mapping[str, Any], detects: bool) -> Mapping[str, Any]:
    """Return a message with values for the texts that stand for them, and with a value alone as a list."""
    content = message.get("content")
    if detects and isinstance(content, str):
        content = autodetect_media(content)
    elif detects and isinstance(content, (list, tuple)):
        return {**message, "content": [autodetect_media(part) for part in content]}
    return {**message, "content": [content]} if isinstance(content, Media) else message


def _values_of(message: Mapping[str, Any]) -> list[Media]:
    content = message.get("content")
    return [part for part in content if isinstance(part, Media)] if isinstance(content, (list, tuple)) else []


def _as_parts(message: Mapping[str, Any], loaded: Mapping[Any, Media]) -> Mapping[str, Any]:
    if not _values_of(message):
        return message
    content = [
        loaded.get((type(part), part.source), part).to_part() if isinstance(part, Media) else part
        for part in message["content"]
    ]
    return {**message, "content": content}
