"""What a run can be taken home as."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from served import KEY, PEOPLE, Served, served

from instructor.schema.concise import concise_model
from instructor.testing import Scripted, answer
from instructor.web.curl import curl_of
from instructor.web.tap import Sent

HOSTILE = "</script><img src=x onerror=alert(1)>\"'\\ \u2028 <!-- ]]> ${x} {{ y }}"


def export(page: Served, run: str, form: str) -> str:
    page.events(run)
    status, text, headers = page.ask("GET", f"/runs/{run}/export.{form}")
    assert status == 200
    assert "attachment" in headers["content-disposition"]
    return str(text)


def test_json_lines_and_csv() -> None:
    values = [{"name": "Ann", "tags": ["a", "b"]}, {"name": 'O"Neil, \n😀', "tags": []}]
    schema = {"kind": "fields", "text": "name, tags str[]"}
    with Scripted([answer({"tasks": values})]) as server, served(server) as page:
        run = page.start(schema=schema)
        assert json.loads(export(page, run, "json")) == values
        assert [json.loads(line) for line in export(page, run, "jsonl").splitlines()] == values
        rows = list(csv.reader(io.StringIO(export(page, run, "csv"))))
        assert rows == [["name", "tags"], ["Ann", '["a", "b"]'], ['O"Neil, \n😀', "[]"]]
        assert page.ask("GET", f"/runs/{run}/export.exe")[0] == 404


def test_items_are_exported_in_the_order_of_the_answer() -> None:
    replies = [
        answer({"tasks": [{"name": "A", "age": "x"}, {"name": "B", "age": 2}]}),
        answer({"tasks": [{"name": "A", "age": 1}]}),
    ]
    with Scripted(replies) as server, served(server) as page:
        assert [each["name"] for each in json.loads(export(page, page.start(), "json"))] == ["A", "B"]


SCHEMAS: list[tuple[str, dict[str, Any]]] = [
    ("name, age int", {"name": "Jason", "age": 10}),
    ("class?: of the ship, json int, date date?, b bool", {"class": "A", "json": 1, "date": "2026-03-03", "b": True}),
    ('kind cat|dog, note?: "one, or: two"', {"kind": "cat", "note": None}),
    ("field {a int, home {b any}}, datetime datetime",
     {"field": {"a": 1, "home": {"b": 2}}, "datetime": "2026-03-03T01:02:03"}),
    ("rows {x float, tags str[]}[], 名前", {"rows": [{"x": 1.5, "tags": ["a"]}], "名前": "あ"}),
    ("str?, int int?, item, print, list int[]", {"str": None, "int": 1, "item": "i", "print": "p", "list": [1]}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "value"), SCHEMAS)
@pytest.mark.parametrize("many", [True, False])
def test_the_program_does_the_same(fields: str, value: dict[str, Any], many: bool, tmp_path: Path) -> None:
    reply = answer({"tasks": [value]}) if many else answer(value)
    concise_model(fields).model_validate(value)
    with Scripted([reply, reply]) as server, served(server) as page:
        run = page.start(f'It\'s "so" \\ 😀\n{HOSTILE}', schema={"kind": "fields", "text": fields}, many=many)
        program = export(page, run, "py")
        assert KEY not in program
        (tmp_path / "program.py").write_text(program, encoding="utf-8")
        environment = {**os.environ, "OPENAI_API_KEY": "test", "OPENAI_BASE_URL": server.base_url, "PYTHONUTF8": "1"}
        ended = subprocess.run(
            [sys.executable, "program.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, program + ended.stderr
        first, second = server.requests
        assert first.messages == second.messages
        assert _properties(first.body) == _properties(second.body)
    assert ended.stdout.strip()


def _properties(body: dict[str, Any]) -> Any:
    """Return the tools of a request without the names that models get."""
    text = json.dumps(body["tools"])
    return re.sub(r'"(title|name|\$ref|description)": "[^"]*"|"Field2?": \{', "", text)  # a model `Field` is `Field2`


def test_the_program_of_a_json_schema_and_of_a_class(tmp_path: Path) -> None:
    from pydantic import BaseModel

    class Ship(BaseModel):
        name: str

    schema = {"kind": "json", "text": json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}})}
    replies = [answer({"tasks": [{"n": 1}]}), answer({"tasks": [{"name": "Ann"}]})]
    with Scripted(replies) as server, served(server, classes={"Ship": Ship}, files={"Ship": "fleet/ships.py"}) as page:
        program = export(page, page.start(schema=schema), "py")
        compile(program, "program.py", "exec")
        assert "create_model(json.loads(" in program
        program = export(page, page.start(schema={"kind": "class", "text": "Ship"}), "py")
        assert program.startswith("from ships import Ship\n")
        compile(program, "program.py", "exec")


def test_no_value_can_leave_its_place_in_the_file() -> None:
    value = {"name": HOSTILE, "age": 1}
    with Scripted([answer({"tasks": [value]})]) as server, served(server) as page:
        text = export(page, page.start(HOSTILE), "html")
    assert HOSTILE not in text
    assert text.count("</script>") == 2
    assert "<img" not in text
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert "<" not in data
    assert json.loads(data)["rows"][0]["value"] == value
    assert json.loads(data)["text"] == HOSTILE
    assert re.search(r'Content-Security-Policy" content="[^"]*script-src &#x27;sha256-', text)
    assert not re.search(r"<[^>]+\son\w+=", text.partition("<script")[0])
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_an_item_that_stayed_wrong_is_in_the_file() -> None:
    wrong = {"name": "John", "age": "x"}
    replies = [answer({"tasks": [PEOPLE[0], wrong]}), *[answer({"tasks": [wrong]})] * 9]
    with Scripted(replies) as server, served(server) as page:
        run = page.start()
        text = export(page, run, "html")
        assert json.loads(export(page, run, "json")) == [PEOPLE[0]]
    (data,) = re.findall(r'id="data">(.*?)</script>', text, re.DOTALL)
    rows = json.loads(data)["rows"]
    assert [row["state"] for row in rows] == ["good", "wrong"]
    assert "valid integer" in rows[1]["errors"][0]


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("Authorization: Bearer sk-secret", '"Authorization: Bearer $KEY"'),
        ("x-api-key: sk-secret", '"x-api-key: $KEY"'),
        ("x-goog-api-key: secret", '"x-goog-api-key: $KEY"'), ("cookie: secret", '"cookie: $KEY"'),
        ("OpenAI-Organization: org-secret", ""), ("x-custom: secret", ""),
        ("anthropic-version: 2023-06-01", "2023-06-01"),
    ],
)  # fmt: skip
def test_a_curl_command_holds_no_secret(header: str, shown: str) -> None:
    name, _, value = header.partition(": ")
    command = curl_of(Sent("POST", "https://user:secret@api.example.com/v1?key=secret", {name: value}, b"{}"), "KEY")
    assert "secret" not in command
    assert shown in command
    assert "https://api.example.com/v1?key=$KEY" in command


def test_a_shell_reads_a_curl_command_as_it_was_sent(tmp_path: Path) -> None:
    body = {"text": HOSTILE + "It's $HOME `id` \\ 😀", "list": [1]}
    sent = Sent(
        "POST",
        "http://127.0.0.1:1/v1/a",
        {"Authorization": "Bearer x", "content-type": "application/json"},
        json.dumps(body).encode(),
    )
    (tmp_path / "curl").write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    (tmp_path / "curl").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "KEY": "k1", "PYTHONUTF8": "1"}
    said = subprocess.run(
        ["sh", "-c", curl_of(sent, "KEY")], env=environment, capture_output=True, text=True, check=True
    )
    address, *rest = json.loads(said.stdout)
    assert address == "http://127.0.0.1:1/v1/a"
    assert rest[:4] == ["-H", "Authorization: Bearer k1", "-H", "content-type: application/json"]
    assert json.loads(rest[5]) == body
