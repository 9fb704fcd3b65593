"""Pictures, sounds and papers: what they are made of, what each wire gets of them, and what is fetched."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import struct
import threading
import wave
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import instructor
from harness import Harness
from instructor import PDF, Audio, ConfigurationError, Image, Mode, RemoteFetchError, fetching
from instructor.cache import AutoCache
from instructor.exceptions import MultimodalError
from instructor.media import ImageWithCacheControl, Media, PDFWithCacheControl, PDFWithGenaiFile
from instructor.testing import Asked, answer
from stage import CASES, Stage, stage

__all__ = ["stage"]


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    )


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 80)
    return file.getvalue()


PNG, WAV = png(), wav()
PAPER = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
FILES = {"secret-name.png": PNG, "secret-name.wav": WAV, "secret-name.pdf": PAPER}
KINDS: dict[str, type[Media]] = {"secret-name.png": Image, "secret-name.wav": Audio, "secret-name.pdf": PDF}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


class Web:
    """A web server on this machine."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        web = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.pages[self.path.partition("?")[0]](self)

            def log_message(self, format: str, *arguments: Any) -> None: ...  # noqa: A002

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def serve(self, path: str, data: bytes, kind: str = "application/octet-stream") -> str:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", kind)
            handler.end_headers()
            handler.wfile.write(data)

        self.pages[path] = page
        return self.root + path

    def redirect(self, path: str, location: str) -> str:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", location)
            handler.end_headers()

        self.pages[path] = page
        return self.root + path

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Return a server on this machine, from which may be fetched."""
    monkeypatch.setattr(fetching, "_allows_loopback", True)
    made = Web()
    yield made
    made.close()


# What they are made of


@pytest.mark.parametrize("name", FILES)
def test_all_constructors_give_the_same_bytes(files: Path, name: str) -> None:
    kind, data = KINDS[name], FILES[name]
    media_type = {"png": "image/png", "wav": "audio/wav", "pdf": "application/pdf"}[name[-3:]]
    uri = f"data:{media_type};base64,{b64(data)}"
    for made in (
        kind.from_path(files / name), kind.from_path(str(files / name)), kind.from_base64(uri),
        kind.from_raw_base64(b64(data)), kind.from_bytes(data), kind.autodetect(files / name),
        kind.autodetect(str(files / name)), kind.autodetect(uri), kind.autodetect(b64(data)), kind.autodetect(data),
        kind.from_url(uri) if kind is not Audio else kind.from_base64(uri),
    ):  # fmt: skip
        assert made.data == b64(data)
        assert made.media_type == media_type
        assert b64(data)[:20] not in repr(made)


def test_bytes_tell_the_type_and_not_the_name(files: Path) -> None:
    (files / "photo.jpg").write_bytes(PNG)
    assert Image.from_path(files / "photo.jpg").media_type == "image/png"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: Image.from_path(folder / "empty.png"), "is empty"),
        (lambda folder: Image.from_path(folder / "secret-name.pdf"), "Image must be one of image/jpeg"),
        (lambda folder: Image.from_base64("data:text/plain;base64,aGFsbG8="), "the data URI is text/plain"),
        (lambda folder: Image.from_base64("hello"), "A data URI must be"),
        (lambda folder: Image.from_raw_base64("hello, world"), "The data must be base64"),
        (lambda folder: PDF.from_bytes(PNG), "PDF must be one of application/pdf"),
        (lambda folder: Image.from_url("ftp://example.com/a.png"), "must begin with http"),
        (lambda folder: Image.autodetect("just a text"), "must be base64"),
    ],
)
def test_what_is_none_is_an_error(files: Path, make: Callable[[Path], Any], says: str) -> None:
    (files / "empty.png").write_bytes(b"")
    with pytest.raises(MultimodalError, match=says):
        make(files)
    assert issubclass(MultimodalError, ValueError)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Image.from_path(tmp_path / "nothing.png")
    assert Image.autodetect_safely("just a text") == "just a text"


# What the wires get

REFUSED = {("anthropic", Audio), ("cohere", Audio), ("cohere", PDF), ("xai", Audio), ("xai", PDF)}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("provider", list(CASES))
def test_each_wire_gets_the_bytes_or_refuses(
    stage: Stage, files: Path, provider: str, is_async: bool, name: str
) -> None:
    asked: list[Asked] = []

    def reply(request: Asked) -> Any:
        asked.append(request)
        return answer(1)

    stage.reply = reply
    client = stage.client(CASES[provider], CASES[provider].row.modes[0], is_async)
    media = KINDS[name].from_path(files / name)
    messages = [{"role": "user", "content": ["What is it?", media]}]

    def call() -> Any:
        result = client.create(int, messages, max_retries=0)
        return stage.loop.run_until_complete(result) if is_async else result

    if (provider, type(media)) in REFUSED:
        with pytest.raises(ConfigurationError, match=f"{provider} does not take a content part of type"):
            call()
        assert asked == []
        return
    assert call() == 1
    text = json.dumps(asked[0].body)
    assert b64(FILES[name])[:200] in text.replace("-", "+").replace("_", "/")  # some write base64 so
    assert "What is it?" in text
    assert "secret-name" not in text
    assert str(files) not in text


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.RESPONSES_TOOLS])
async def test_an_address_is_passed_on_where_it_is_taken(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    server = scripted_server([answer(1)])
    picture = Image.from_url("https://example.com/a.png?size=1")
    await harness.create(harness.client(server, mode), int, messages=[{"role": "user", "content": picture}])
    assert "https://example.com/a.png?size=1" in json.dumps(server.requests[0].body)


async def test_a_paper_by_its_address(harness: Harness, scripted_server: Any, web: Web) -> None:
    url = web.serve("/a.pdf", PAPER)
    server = scripted_server([answer(1), answer([1, 2]), answer(3), answer(4)])
    messages = [{"role": "user", "content": ["Read.", PDF.from_url(url)]}]
    client = harness.client(server)
    assert await harness.create(client, int, messages=messages) == 1
    stream = await harness.result(client.create_iterable(messages, int, model="m"))
    assert await harness.items(stream) == [1, 2]
    for request in server.requests:  # this interface takes bytes only
        assert f"data:application/pdf;base64,{b64(PAPER)}" in json.dumps(request.body)
    assert web.asked == ["/a.pdf", "/a.pdf"]
    responses = harness.client(server, Mode.RESPONSES_TOOLS)  # this one takes the address
    assert await harness.create(responses, int, messages=messages) == 3
    assert url in json.dumps(server.requests[2].body)
    assert len(web.asked) == 2
    fetched = [{"role": "user", "content": PDF.from_url(url).fetched()}]
    assert await harness.create(client, int, messages=fetched) == 4


async def test_an_address_that_fails_is_no_request(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([])
    messages = [{"role": "user", "content": PDF.from_url("http://127.0.0.1:9/a.pdf")}]
    with pytest.raises(RemoteFetchError, match="not a public address"):
        await harness.create(harness.client(server), int, messages=messages)
    assert server.requests == []


async def test_two_addresses_are_two_entries_of_a_cache(harness: Harness, scripted_server: Any, web: Web) -> None:
    one, two = web.serve("/1.pdf", PAPER), web.serve("/2.pdf", PAPER + b"%")
    client = harness.client(scripted_server([answer(1), answer(2)]))
    cache = AutoCache()
    for url, expected in ((one, 1), (two, 2), (one, 1)):
        messages = [{"role": "user", "content": PDF.from_url(url)}]
        assert await harness.create(client, int, messages=messages, cache=cache) == expected


def test_fetching_does_not_hold_up_the_loop(scripted_server: Any, web: Web) -> None:
    came, free = threading.Event(), threading.Event()

    def page(handler: BaseHTTPRequestHandler) -> None:
        came.set()
        assert free.wait(30)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(PAPER)

    web.pages["/slow.pdf"] = page
    server = scripted_server([answer(1)])

    async def main() -> None:
        client = instructor.from_provider("openai/m", async_client=True, base_url=server.base_url, api_key="test")
        messages = [{"role": "user", "content": PDF.from_url(web.root + "/slow.pdf")}]
        call = asyncio.ensure_future(client.create(int, messages))
        await asyncio.to_thread(came.wait, 30)
        free.set()  # only a loop that runs comes here
        assert await call == 1
        await client.client.close()

    asyncio.run(main())


def test_marks_of_a_cache_of_prompts(files: Path) -> None:
    image = ImageWithCacheControl.from_image_params(
        {"source": str(files / "secret-name.png"), "cache_control": {"type": "ephemeral"}}
    )
    assert image.to_anthropic()["cache_control"] == {"type": "ephemeral"}
    assert PDFWithCacheControl.from_bytes(PAPER).to_anthropic()["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in PDF.from_bytes(PAPER).to_anthropic()


def test_the_forms_of_the_wires(web: Web) -> None:
    url, uri = web.serve("/a.pdf", PAPER), f"data:application/pdf;base64,{b64(PAPER)}"
    paper, picture = PDF.from_url(url), Image.from_bytes(PNG)
    assert paper.to_anthropic() == {"type": "document", "source": {"type": "url", "url": url}}
    assert paper.to_mistral() == {"type": "document_url", "document_url": url}
    assert paper.to_genai() == {"fileData": {"fileUri": url, "mimeType": "application/pdf"}}
    assert paper.to_openai()["file"]["file_data"] == uri
    assert paper.to_openai(Mode.RESPONSES_TOOLS) == {"type": "input_file", "file_url": url}
    assert paper.to_bedrock("My (paper).pdf!")["document"] == {
        "format": "pdf", "name": "My (paper) pdf", "source": {"bytes": PAPER},
    }  # fmt: skip
    assert picture.to_openai() == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}}
    assert picture.to_anthropic()["source"] == {"type": "base64", "media_type": "image/png", "data": b64(PNG)}
    assert picture.to_genai() == {"inlineData": {"mimeType": "image/png", "data": b64(PNG)}}
    assert Audio.from_bytes(WAV).to_openai()["input_audio"] == {"data": b64(WAV), "format": "wav"}
    assert Image.url_to_base64(web.serve("/a.png", PNG)) == b64(PNG)


async def test_texts_that_are_pictures(harness: Harness, scripted_server: Any, files: Path) -> None:
    server = scripted_server([answer(1)] * 3)
    client = harness.client(server)
    path, uri = str(files / "secret-name.png"), f"data:image/png;base64,{b64(PNG)}"
    content = ["Compare these.", path, uri, "https://example.com/b.jpg", {"type": "image", "source": path}]
    messages = [{"role": "user", "content": content}]
    await harness.create(client, int, messages=messages, autodetect_images=True)
    found = server.requests[0].body["messages"][-1]["content"]
    assert [part["type"] for part in found] == ["text"] + ["image_url"] * 4
    assert [part["image_url"]["url"] for part in found[1:]] == [uri, uri, "https://example.com/b.jpg", uri]
    await harness.create(client, int, messages=[{"role": "user", "content": content[:4]}])
    assert [part["type"] for part in server.requests[1].body["messages"][-1]["content"]] == ["text"] * 4
    await harness.create(client, int, messages=[{"role": "user", "content": "No picture."}], autodetect_images=True)
    assert server.requests[2].body["messages"][-1]["content"] == "No picture."


def test_papers_that_are_with_google() -> None:
    states = ["PROCESSING", "ACTIVE", "FAILED"]

    def file(*, file: str = "", name: str = "") -> SimpleNamespace:
        state = SimpleNamespace(name=states.pop(0))
        return SimpleNamespace(name=name or file, state=state, uri="https://files/1", mime_type="application/pdf")

    client = SimpleNamespace(files=SimpleNamespace(upload=file, get=file))
    made = PDFWithGenaiFile.from_new_genai_file("a.pdf", retry_delay=0, client=client)
    assert made.to_genai() == {"fileData": {"fileUri": "https://files/1", "mimeType": "application/pdf"}}
    with pytest.raises(MultimodalError, match="not ready: its state is FAILED"):
        PDFWithGenaiFile.from_existing_genai_file("files/1", client=client)


# What is fetched


def test_redirects_and_bounds(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    data = web.serve("/a.png", PNG)
    assert Image.from_url(web.redirect("/1.png", "/a.png")).fetched().data == b64(PNG)
    assert Image.from_url(web.redirect("/2.png", data)).fetched().media_type == "image/png"
    with pytest.raises(RemoteFetchError, match="redirects more than 5 times"):
        Image.from_url(web.redirect("/3.png", "/3.png")).fetched()
    with pytest.raises(RemoteFetchError, match="without a user"):
        Image.from_url(web.redirect("/4.png", "file:///etc/passwd")).fetched()
    monkeypatch.setattr(Image, "most", 10)
    with pytest.raises(RemoteFetchError, match="more than 10 bytes"):
        Image.from_url(data).fetched()
    with pytest.raises(MultimodalError, match="Audio must be one of"):
        Audio.from_url(web.serve("/x.wav", PAPER, "application/pdf"))
    web.pages["/no.png"] = lambda handler: handler.send_error(404)
    with pytest.raises(RemoteFetchError, match="status 404"):
        Image.from_url(web.root + "/no.png?key=secret").fetched()


def test_a_server_that_says_nothing(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.2)
    free = threading.Event()

    def silent(_: BaseHTTPRequestHandler) -> None:
        free.wait(30)

    web.pages["/a.png"] = silent
    with pytest.raises(RemoteFetchError, match="cannot be fetched"):
        Image.from_url(web.root + "/a.png").fetched()
    free.set()


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "[::1]"),
        *("[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "2130706433", "0x7f000001", "224.0.0.1", "100.64.0.1"),
    ],
)
def test_addresses_of_this_machine_and_its_network(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(RemoteFetchError, match="not a public address"):
        Image.from_url(f"http://{host}/a.png").fetched()


@pytest.mark.parametrize("url", ["http://user:secret@example.com/a.png", "https://user@example.com/a.png"])
def test_users_in_addresses(url: str) -> None:
    with pytest.raises(RemoteFetchError, match="without a user"):
        Image.from_url(url).fetched()


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, connected = ["93.184.216.34", "127.0.0.1"], list[Any]()

    def resolve(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    def connect(address: Any, **_: Any) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(RemoteFetchError, match="cannot be fetched"):
        Image.from_url("http://rebinding.example/a.png").fetched()
    assert connected == [("93.184.216.34", 80)]
    assert answers == ["127.0.0.1"]
