"""Fetching: public addresses only, whatever they are called and wherever they redirect; bounded in time and size."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from instructor import Audio, Image, RemoteFetchError, fetching
from instructor.exceptions import MultimodalError
from media_files import PAPER, PNG, Web, b64, web

__all__ = ["web"]


def test_redirects_and_sizes(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    data = web.serve("/a.png", PNG)
    assert Image.from_url(web.redirect("/1.png", "/a.png")).fetched().data == b64(PNG)
    assert Image.from_url(web.redirect("/2.png", data)).fetched().media_type == "image/png"
    with pytest.raises(RemoteFetchError, match="redirects more than 5 times"):
        Image.from_url(web.redirect("/3.png", "/3.png")).fetched()
    with pytest.raises(RemoteFetchError, match="without a user"):
        Image.from_url(web.redirect("/4.png", "file:///etc/passwd")).fetched()
    with pytest.raises(RemoteFetchError, match="Invalid IPv6 URL"):
        Image.from_url(web.redirect("/5.png", "http://[::1/a.png")).fetched()
    with pytest.raises(RemoteFetchError, match=r"10\.0\.0\.1, which is not a public address"):
        Image.from_url(web.redirect("/6.png", "http://10.0.0.1/a.png")).fetched()
    monkeypatch.setattr(Image, "most", len(PNG))
    assert Image.from_url(data).fetched().data == b64(PNG)
    monkeypatch.setattr(Image, "most", len(PNG) - 1)
    with pytest.raises(RemoteFetchError, match=f"more than {len(PNG) - 1} bytes"):
        Image.from_url(data).fetched()


def test_an_error_shows_no_key_and_no_password(web: Web) -> None:
    web.pages["/no.png"] = lambda handler: handler.send_error(404)
    with pytest.raises(RemoteFetchError, match="status 404") as failed:
        Image.from_url(web.root + "/no.png?key=secret").fetched()
    assert "secret" not in str(failed.value)
    for user in ("me:secret", "secret"):
        with pytest.raises(RemoteFetchError, match="without a user") as failed:
            Image.from_url(f"https://{user}@example.com/a.png").fetched()
        assert "secret" not in str(failed.value)


def test_the_bytes_tell_the_type_and_not_the_server(web: Web) -> None:
    page = b"<html>Log in first.</html>"
    with pytest.raises(MultimodalError, match=r"Image must be one of .*/a\.png' is none of these"):
        Image.from_url(web.serve("/a.png", page, "image/png") + "?key=secret").fetched()
    assert Image.from_url(web.serve("/b.jpg", PNG, "image/jpeg")).fetched().media_type == "image/png"
    with pytest.raises(MultimodalError, match="is application/pdf"):
        Audio.from_url(web.serve("/x.wav", PAPER, "audio/wav"))
    assert Audio.from_url(web.serve("/c", b"\0\0" * 9, "audio/pcm")).media_type == "audio/pcm"  # it has no signature
    assert Audio.from_url(web.serve("/d", b"\xff\xfb\x90\x44" * 9, "audio/mpeg")).to_openai()["input_audio"] == {
        "data": b64(b"\xff\xfb\x90\x44" * 9),
        "format": "mp3",
    }


def test_a_body_that_ends_too_early(web: Web) -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(PNG) + 7))
        handler.end_headers()
        handler.wfile.write(PNG)

    web.pages["/a.png"] = page
    with pytest.raises(RemoteFetchError, match="ended 7 bytes too early"):
        Image.from_url(web.root + "/a.png").fetched()


def test_letters_that_addresses_do_not_have(web: Web) -> None:
    web.serve("/caf%C3%A9%20au%20lait.png", PNG)
    assert Image.from_url(web.root + "/café%20au%20lait.png?größe=1").fetched().data == b64(PNG)
    assert web.asked == ["/caf%C3%A9%20au%20lait.png?gr%C3%B6%C3%9Fe=1"]


def silent(handler: BaseHTTPRequestHandler) -> bool:
    return False


def one_header_and_no_end(handler: BaseHTTPRequestHandler) -> bool:
    handler.wfile.write(b"X: y\r\n")
    return True


@pytest.mark.parametrize("say", [silent, one_header_and_no_end])
def test_a_server_that_does_not_come_to_an_end(web: Web, say: Callable[[BaseHTTPRequestHandler], bool]) -> None:
    over = threading.Event()

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.01):
            try:
                say(handler)
            except OSError:  # the reader is gone
                return

    web.pages["/a.png"] = page
    try:
        with pytest.raises(RemoteFetchError, match=r"cannot be fetched in 0\.2 seconds"):
            Image.from_url(web.root + "/a.png").fetched(timeout=0.2)
    finally:
        over.set()


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "[::1]"),
        *("[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "2130706433", "0x7f000001", "224.0.0.1", "100.64.0.1"),
        *("[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[2002:7f00:1::]"),
        *("[64:ff9b:1::a00:1]", "[fec0::1]", "[2001:0:a00:1::1]", "[ff02::1]", "[::]", "255.255.255.255", "240.0.0.1"),
    ],
)
def test_addresses_of_this_machine_and_its_network(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: Any) -> Any:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(RemoteFetchError, match="not a public address"):
        Image.from_url(f"http://{host}/a.png").fetched()


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[fd00::1]", "0.0.0.0"])
def test_the_hook_of_tests_allows_this_machine_alone(web: Web, host: str) -> None:
    with pytest.raises(RemoteFetchError, match="not a public address"):
        Image.from_url(f"http://{host}/a.png").fetched()


def test_public_addresses() -> None:
    for address in ("93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"):
        assert fetching._is_public(address)


def resolved(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[list[str]]:
    """Resolve any name to the next of these lists of addresses; return those that are left."""
    left = list(answers)

    def resolve(host: str, port: int, **_: Any) -> Any:
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(families[ip_address(ip).version], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return left


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    left, connected = resolved(monkeypatch, ["93.184.216.34", "2606:4700::1111"], ["127.0.0.1"]), list[Any]()

    def connect(_: Any, address: Any) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(fetching._Socket, "connect", connect)
    with pytest.raises(RemoteFetchError, match="cannot be fetched: ConnectionRefusedError"):
        Image.from_url("http://rebinding.example/a.png").fetched()
    assert connected == [("93.184.216.34", 80), ("2606:4700::1111", 80)]
    assert left == [["127.0.0.1"]]


def test_one_private_address_among_public_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved(monkeypatch, ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(RemoteFetchError, match=r"mixed\.example is at 127\.0\.0\.1"):
        Image.from_url("http://mixed.example/a.png").fetched()


def test_an_address_that_refuses_leaves_it_to_the_next(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    url = web.serve("/a.png", PNG)
    resolved(monkeypatch, ["::1", "127.0.0.1"])  # the server has only the second one
    assert Image.from_url(url.replace("127.0.0.1", "two.example")).fetched().data == b64(PNG)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return the path of a certificate for "good.example", and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "good.example")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("good.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(private + made.public_bytes(pem))
    return tmp_path / "both.pem"


def test_certificates_are_for_the_name_and_not_for_the_address(
    web: Web, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(web.serve("/a.png", PNG).split(":")[2].partition("/")[0])
    web.use_tls(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
    resolved(monkeypatch, ["127.0.0.1"], ["127.0.0.1"])
    assert Image.from_url(f"https://good.example:{port}/a.png").fetched().data == b64(PNG)
    with pytest.raises(RemoteFetchError, match="certificate verify failed"):
        Image.from_url(f"https://bad.example:{port}/a.png").fetched()
