"""Nobody but this machine's own programs and the page itself is answered. Requests are written byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from served import Served, served

from instructor.testing import Scripted

BODY = '{"text": "Jason is 10", "schema": {"kind": "fields", "text": "name"}}'


@pytest.fixture(scope="module")
def provider() -> Iterator[Scripted]:
    with Scripted([]) as server:
        yield server


@pytest.fixture(scope="module")
def page(provider: Scripted) -> Iterator[Served]:
    with served(provider) as running:
        yield running


def get(page: Served, path: str = "/session", host: str | None = None, **headers: str) -> tuple[int, str]:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{page.port}'}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return page.raw("\r\n".join([*lines, "", ""]))


def post(page: Served, path: str = "/runs", body: str = BODY, **headers: str | None) -> tuple[int, str]:
    given: dict[str, str | None] = {
        "Host": f"127.0.0.1:{page.port}", "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin",
        "Origin": f"http://127.0.0.1:{page.port}", **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    return page.raw(
        "\r\n".join([f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "Connection: close", "", body])
    )


def test_the_pages_own_names_are_answered(page: Served) -> None:
    for name in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST"):
        assert get(page, host=f"{name}:{page.port}")[0] == 200, name


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1", "127.0.0.1:1",
        "localhost.:{port}", "0.0.0.0:{port}", "192.168.0.7:{port}", "127.0.0.1:{port}@evil.example", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/session", "/runs", "/static/app.js"])
def test_a_name_that_was_made_to_point_here_is_refused(page: Served, host: str, path: str) -> None:
    """DNS rebinding: a page of evil.example has its name point to 127.0.0.1, and asks with its own name as Host."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host.format(port=page.port)}", "Connection: close", "", ""]
    status, body = page.raw("\r\n".join(lines))
    assert status == 403
    assert "instructor play" not in body


def test_two_hosts_are_no_request(page: Served) -> None:
    host = f"Host: 127.0.0.1:{page.port}"
    status, _ = page.raw(f"GET /session HTTP/1.1\r\n{host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert status in (400, 403)
    status, _ = page.raw(f"GET http://evil.example/session HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n")
    assert status in (400, 403, 404)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
def test_a_foreign_origin_gets_nothing(page: Served, origin: str) -> None:
    given = origin.format(port=page.port)
    assert get(page, Origin=given)[0] == 403
    assert post(page, Origin=given)[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_asks_for_is_refused(page: Served, site: str) -> None:
    assert get(page, Sec_Fetch_Site=site)[0] == 403
    assert post(page, Sec_Fetch_Site=site, Origin=None)[0] == 403


@pytest.mark.parametrize("site", [None, "none", "same-site", "cross-site", ""])
def test_a_change_must_come_from_the_page_itself(page: Served, provider: Scripted, site: str | None) -> None:
    for path in ("/runs", "/schemas", "/runs/abc/stop", "/runs/abc/continue"):
        assert post(page, path, Sec_Fetch_Site=site)[0] == 403, path
    assert provider.requests == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None, ""])
def test_a_change_must_be_json(page: Served, provider: Scripted, kind: str | None) -> None:
    """A form of another page can send these types without asking first."""
    for path in ("/runs", "/schemas", "/runs/abc/stop"):
        assert post(page, path, Content_Type=kind)[0] == 415, path
    assert provider.requests == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"])
def test_other_methods_are_guarded_too(page: Served, method: str) -> None:
    status, _ = page.raw(f"{method} /runs HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nConnection: close\r\n\r\n")
    assert status == 403


def test_every_answer_has_the_policy_and_none_lets_another_origin_read(page: Served) -> None:
    for path in ("/", "/session", "/static/app.js", "/runs/none", "/nowhere"):
        status, _, headers = page.ask("GET", path)
        assert status in (200, 404)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["access-control-allow-origin"] is None
    assert page.ask("GET", "/session", headers={"host": "evil.example"})[2]["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"]
)
def test_only_the_pages_files_are_served(page: Served, path: str) -> None:
    assert get(page, path)[0] == 404


def test_a_body_that_is_too_large_or_wrong_is_refused(page: Served) -> None:
    assert post(page, body="[" * 100_000)[0] == 400
    assert post(page, body="{")[0] == 400
    assert post(page, body="[]")[0] == 400
    status, body, _ = page.ask("POST", "/runs", {"text": "x" * 2_000_001, "schema": {"kind": "fields", "text": "name"}})
    assert (status, body["field"]) == (413, "text")


def test_it_listens_on_one_address_only(page: Served) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", page.port), timeout=30)
