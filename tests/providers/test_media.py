"""Images, audio and PDFs: what they are made of, and what each wire gets of them."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from google import genai

import instructor
from harness import Harness
from instructor import PDF, Audio, ConfigurationError, Image, Mode, RemoteFetchError
from instructor.cache import AutoCache
from instructor.exceptions import MultimodalError
from instructor.media import ImageWithCacheControl, PDFWithCacheControl, PDFWithGenaiFile, autodetect_media
from instructor.testing import Asked, answer
from media_files import FILES, KINDS, PAPER, PNG, WAV, Web, b64, files, web
from stage import CASES, Stage, stage

__all__ = ["files", "stage", "web"]


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
        (lambda folder: Image.from_url("ftp://example.com/a.png"), "An address must be https"),
        (lambda folder: Image.from_url("https://example.com is good"), "An address must be https"),
        (lambda folder: Image.from_path(folder / "lies.png"), "lies.png is application/pdf"),
        (lambda folder: Image.from_base64(f"data:image/png;base64,{b64(PAPER)}"), "is application/pdf"),
        (lambda folder: Image.from_gs_url("https://example.com/a.png"), "must begin with gs://"),
        (lambda folder: Image.autodetect("just a text"), "must be base64"),
    ],
)
def test_what_is_none_is_an_error(files: Path, make: Callable[[Path], Any], says: str) -> None:
    (files / "empty.png").write_bytes(b"")
    (files / "lies.png").write_bytes(PAPER)
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


def test_pdfs_that_are_with_google(web: Web, files: Path, scripted_server: Any) -> None:
    states = ["PROCESSING", "ACTIVE", "ACTIVE", "FAILED"]
    sent: list[bytes] = []

    def reply(handler: BaseHTTPRequestHandler, body: dict[str, Any], **headers: str) -> None:
        sent.append(f"{handler.path} {handler.headers}".encode())
        sent.append(handler.rfile.read(int(handler.headers.get("Content-Length", 0))))
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(json.dumps(body).encode())

    def file() -> dict[str, Any]:
        uri = "https://generativelanguage.googleapis.com/v1beta/files/1"
        return {"name": "files/1", "uri": uri, "mimeType": "application/pdf", "state": states.pop(0)}

    web.pages["/upload/v1beta/files"] = lambda handler: reply(handler, {}, X_Goog_Upload_URL=web.root + "/put")
    web.pages["/put"] = lambda handler: reply(handler, {"file": file()}, X_Goog_Upload_Status="final")
    web.pages["/v1beta/files/1"] = lambda handler: reply(handler, file())
    client = genai.Client(api_key="test", http_options={"base_url": web.root, "api_version": "v1beta"})
    made = PDFWithGenaiFile.from_new_genai_file(files / "secret-name.pdf", retry_delay=0, client=client)
    assert PAPER in sent
    assert not any(b"secret-name" in each for each in sent)
    assert made.to_genai() == {"fileData": {"fileUri": made.source, "mimeType": "application/pdf"}}
    assert PDFWithGenaiFile.from_existing_genai_file("files/1", client=client) == made
    with pytest.raises(MultimodalError, match="not ready: its state is FAILED"):
        PDFWithGenaiFile.from_existing_genai_file("files/1", client=client)
    server = scripted_server([])
    other = instructor.from_provider("openai/m", base_url=server.base_url, api_key="test")
    with pytest.raises(ConfigurationError, match="openai does not take a content part of type 'fileData'"):
        other.create(int, [{"role": "user", "content": made}])
    assert server.requests == []


def test_a_value_that_is_no_file_is_not_made(files: Path) -> None:
    """A path would go to the provider instead of what is there."""
    for source in (files / "secret-name.png", str(files / "secret-name.png"), "file:///etc/passwd", b""):
        with pytest.raises(ValueError, match=r"Image must have data, .* Image.from_path\(...\) reads a file"):
            Image(source=source, media_type="image/png")


def test_values_are_plain(files: Path) -> None:
    image = Image.from_path(files / "secret-name.png")
    assert Image.model_validate_json(image.model_dump_json()).data == image.data
    assert hash(image) == hash(Image.from_path(files / "secret-name.png"))
    assert image == Image.from_path(files / "secret-name.png")
    with pytest.raises(ValueError, match="frozen"):
        image.data = ""  # type: ignore[misc]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("provider", list(CASES))
def test_marks_do_not_harm_where_they_mean_nothing(stage: Stage, files: Path, provider: str, is_async: bool) -> None:
    asked: list[Asked] = []

    def reply(request: Asked) -> Any:
        asked.append(request)
        return answer(1)

    stage.reply = reply
    client = stage.client(CASES[provider], CASES[provider].row.modes[0], is_async)
    image = ImageWithCacheControl.from_image_params(
        {"source": files / "secret-name.png", "cache_control": {"type": "ephemeral"}}
    )
    result = client.create(int, [{"role": "user", "content": ["What is it?", image]}], max_retries=0)
    assert (stage.loop.run_until_complete(result) if is_async else result) == 1
    if provider in ("openai", "azure_openai", "google", "bedrock"):
        assert "ephemeral" not in json.dumps(asked[0].body)
    if provider == "anthropic":
        assert '"cache_control": {"type": "ephemeral"}' in json.dumps(asked[0].body)


async def test_openai_takes_audio_in_two_formats(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([])
    flac = [{"role": "user", "content": Audio.from_bytes(b"fLaC" + b"\0" * 9)}]
    with pytest.raises(MultimodalError, match="openai takes audio as wav or mp3, got 'flac'"):
        await harness.create(harness.client(server), int, messages=flac)
    assert server.requests == []


async def test_the_response_as_it_is(harness: Harness, scripted_server: Any, web: Web) -> None:
    url = web.serve("/a.pdf", PAPER)
    server = scripted_server([answer(1)])
    messages = [{"role": "user", "content": ["Read {{ what }}.", PDF.from_url(url)]}]
    client = harness.client(server)
    raw = await harness.result(client.create(None, messages, model="m", context={"what": "it"}))
    assert type(raw).__name__ == "ChatCompletion"
    text, paper = server.requests[0].body["messages"][0]["content"]
    assert text["text"] == "Read it."
    assert paper["file"]["file_data"] == f"data:application/pdf;base64,{b64(PAPER)}"


async def test_an_address_that_comes_twice_is_fetched_once(harness: Harness, scripted_server: Any, web: Web) -> None:
    urls = [web.serve(f"/{number}.pdf", PAPER + b"%%%d" % number) for number in range(3)]
    server = scripted_server([answer(1)])
    content = ["Compare.", *map(PDF.from_url, urls), PDF.from_url(urls[0])]
    await harness.create(harness.client(server), int, messages=[{"role": "user", "content": content}])
    assert sorted(web.asked) == ["/0.pdf", "/1.pdf", "/2.pdf"]
    files = [part["file"]["file_data"] for part in server.requests[0].body["messages"][0]["content"][1:]]
    expected = [f"data:application/pdf;base64,{b64(PAPER + b'%%%d' % number)}" for number in (0, 1, 2, 0)]
    assert files == expected


def test_a_call_that_is_cancelled_does_not_wait_for_a_file(scripted_server: Any, web: Web) -> None:
    came, free = threading.Event(), threading.Event()

    def page(_: BaseHTTPRequestHandler) -> None:
        came.set()
        free.wait(30)

    web.pages["/slow.pdf"] = page
    server = scripted_server([])

    async def main() -> None:
        client = instructor.from_provider("openai/m", async_client=True, base_url=server.base_url, api_key="test")
        call = asyncio.ensure_future(
            client.create(int, [{"role": "user", "content": PDF.from_url(web.root + "/slow.pdf")}])
        )
        await asyncio.to_thread(came.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not free.is_set()  # the server has not answered yet
        free.set()
        await client.client.close()

    asyncio.run(main())
    assert server.requests == []


def test_files_in_amazons_storage() -> None:
    image, paper = Image.from_url("s3://bucket/a.png"), PDF.from_url("s3://bucket/a.pdf")
    assert image.to_bedrock() == {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}}
    assert paper.to_bedrock("A")["document"] == {
        "format": "pdf", "name": "A", "source": {"s3Location": {"uri": "s3://bucket/a.pdf"}},
    }  # fmt: skip
    with pytest.raises(RemoteFetchError, match="must be http"):
        paper.to_openai()


def test_documents_of_a_request_have_different_names(stage: Stage) -> None:
    asked: list[Asked] = []

    def reply(request: Asked) -> Any:
        asked.append(request)
        return answer("none") if len(asked) == 1 else answer(1)

    stage.reply = reply
    case = CASES["bedrock"]
    client = stage.client(case, case.row.modes[0], False)
    own = {"document": {"format": "pdf", "name": "Document", "source": {"bytes": PAPER}}}
    content = ["Read.", PDF.from_bytes(PAPER), PDF.from_bytes(PAPER + b"%"), own]
    assert client.create(int, [{"role": "user", "content": content}], max_retries=1) == 1
    for request in asked:  # the re-ask, too
        names = [part["document"]["name"] for part in request.body["messages"][0]["content"][1:]]
        assert names == ["document", "document 2", "Document 3"]
    assert own["document"]["name"] == "Document"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_contents_of_google(stage: Stage, is_async: bool) -> None:
    asked: list[Asked] = []

    def reply(request: Asked) -> Any:
        asked.append(request)
        return answer(1)

    stage.reply = reply
    client = stage.client(CASES["google"], CASES["google"].row.modes[0], is_async)
    result = client.create(int, ["What is it?", Image.from_bytes(PNG)])
    assert (stage.loop.run_until_complete(result) if is_async else result) == 1
    text, image = asked[0].body["contents"][0]["parts"]
    assert text == {"text": "What is it?"}
    assert base64.urlsafe_b64decode(image["inlineData"]["data"]) == PNG


def test_google_gets_an_address_with_its_type_or_the_bytes(web: Web) -> None:
    url = "https://example.com/a.png?size=1"
    assert Image.from_url(url).to_genai() == {"fileData": {"fileUri": url, "mimeType": "image/png"}}
    unnamed = Image.from_url(web.serve("/photo", PNG))
    assert unnamed.to_genai() == {"inlineData": {"mimeType": "image/png", "data": b64(PNG)}}


# Texts that stand for them


async def test_a_detected_address_is_fetched_by_the_call(harness: Harness, scripted_server: Any, web: Web) -> None:
    url = web.serve("/a.wav?x=1", WAV)
    web.serve("/a.wav", WAV)
    server = scripted_server([answer(1)])
    messages = [{"role": "user", "content": ["Write it down.", url]}]
    await harness.create(harness.client(server), int, messages=messages, autodetect_images=True)
    assert web.asked == ["/a.wav?x=1"]
    assert server.requests[0].body["messages"][0]["content"][1]["input_audio"] == {"data": b64(WAV), "format": "wav"}


@pytest.mark.parametrize(
    "text",
    [
        "A picture.",
        "photo.png",
        "https://example.com/an/article/that/is/so/long/that/it/could/be/base64",
        "https://example.com is good, see b.png",
        "data:text/plain;base64,aGVsbG8=",
        "a" * 100,
        "",
        {"type": "text", "text": "https://example.com/a.png"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ],
)
def test_texts_that_stay_texts(text: Any) -> None:
    assert autodetect_media(text) is text


def test_texts_that_do_not(files: Path) -> None:
    found = {
        str(files / "secret-name.png"): Image, str(files / "secret-name.wav"): Audio, b64(PNG): Image,
        b64(PAPER): PDF, "https://example.com/A.PDF?x=1": PDF, "gs://bucket/a.png": Image,
        "https://example.com/a.mp3#t=1": Audio, f"data:audio/wav;base64,{b64(WAV)}": Audio,
    }  # fmt: skip
    assert {text: type(autodetect_media(text)) for text in found} == found
    assert isinstance(autodetect_media(files / "secret-name.pdf"), PDF)
    assert autodetect_media("gs://bucket/a.png").source == "https://storage.googleapis.com/bucket/a.png"
    (files / "empty.png").write_bytes(b"")
    with pytest.raises(MultimodalError, match="is empty"):  # its path is not sent instead
        autodetect_media(str(files / "empty.png"))
