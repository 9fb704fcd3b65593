"""`instructor files`, `jobs` and `batch`: processes against a server with OpenAI's endpoints."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from shell import Shell

from batch_server import Provider

Json = dict[str, Any]


class Account:
    """OpenAI's files and fine-tuning jobs."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.states = ["uploaded", "processed"]
        self.came = threading.Semaphore(0)
        account = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer("GET", None)

            def do_DELETE(self) -> None:
                self.answer("DELETE", None)

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or 0))
                is_json = "json" in (self.headers.get("content-type") or "")
                self.answer("POST", json.loads(data) if is_json and data else data)

            def answer(self, method: str, body: Any) -> None:
                path = self.path.partition("?")[0].removeprefix("/v1")
                account.requests.append((method, path, body))
                account.came.release()
                status, found = account.reply(method, path)
                content = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None: ...  # noqa: A002

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, method: str, path: str) -> tuple[int, Json | bytes]:
        job: Json = {
            "id": "ftjob-1", "object": "fine_tuning.job", "created_at": 1, "model": "m", "status": "queued",
            "fine_tuned_model": None, "hyperparameters": {}, "organization_id": "o", "result_files": [], "seed": 1,
            "training_file": "file-1",
        }  # fmt: skip
        file = {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "people.jsonl",
                "purpose": "fine-tune", "status": "processed"}  # fmt: skip
        if "missing" in path:
            return 404, {"error": {"message": "No such file", "type": "invalid_request_error"}}
        if path.endswith("/content"):
            return 200, b"abc"
        if path == "/fine_tuning/jobs" and method == "GET":
            return 200, {"object": "list", "data": [job], "has_more": False}
        if path.startswith("/fine_tuning"):
            return 200, {**job, "status": "cancelled" if path.endswith("/cancel") else "queued"}
        if method == "DELETE":
            return 200, {"id": "file-1", "object": "file", "deleted": True}
        if path == "/files" and method == "GET":
            return 200, {"object": "list", "data": [file], "has_more": False}
        if method == "GET":
            return 200, {**file, "status": self.states.pop(0) if self.states else "processed"}
        return 200, {**file, "status": "uploaded"}


@pytest.fixture
def account(tmp_path: Path) -> Iterator[tuple[Account, Shell]]:
    made = Account()
    shell = Shell(None, tmp_path)
    shell.environment |= {"OPENAI_BASE_URL": made.url, "OPENAI_API_KEY": "sk-test-0123456789abcdef"}
    yield made, shell
    shell.close()
    made.close()


@pytest.fixture
def batches(tmp_path: Path) -> Iterator[tuple[Provider, Shell]]:
    made = Provider()
    shell = Shell(None, tmp_path)
    shell.environment |= {
        "OPENAI_BASE_URL": f"{made.root}/v1", "OPENAI_API_KEY": "sk-test-0123456789abcdef",
        "ANTHROPIC_BASE_URL": made.root, "ANTHROPIC_API_KEY": "sk-test-0123456789abcdef",
    }  # fmt: skip
    yield made, shell
    shell.close()
    made.close()


def test_a_file_is_uploaded_and_waited_for(account: tuple[Account, Shell]) -> None:
    server, shell = account
    (shell.folder / "people.jsonl").write_text("{}\n")
    done = shell.run("files", "upload", "people.jsonl", "--poll", "0")
    assert (done.returncode, done.stdout) == (0, "file-1\n")
    assert [path for _, path, _ in server.requests] == ["/files", "/files/file-1", "/files/file-1"]
    assert b"people.jsonl" in server.requests[0][2]
    assert b"fine-tune" in server.requests[0][2]


def test_files_are_listed_downloaded_and_deleted(account: tuple[Account, Shell]) -> None:
    server, shell = account
    listed = shell.run("files", "list")
    assert listed.stdout.split("\t")[:4] == ["file-1", "people.jsonl", "fine-tune", "3"]
    assert shell.run("files", "download", "file-1", "out.jsonl").returncode == 0
    assert (shell.folder / "out.jsonl").read_text() == "abc"
    assert "file-1 is deleted" in shell.run("files", "delete", "file-1").stderr
    assert server.requests[-1][:2] == ("DELETE", "/files/file-1")
    server.states = ["error"]
    assert shell.run("files", "status", "file-1").stdout == "error\n"


def test_a_job_from_a_file(account: tuple[Account, Shell]) -> None:
    server, shell = account
    for name in ("people.jsonl", "test.jsonl"):
        (shell.folder / name).write_text("{}\n")
    done = shell.run(
        "jobs", "create-from-file", "people.jsonl", "--model", "gpt-x", "--n-epochs", "3", "--poll", "0",
        "--validation-file", "test.jsonl", "--model-suffix", "people",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ftjob-1\n")
    method, path, body = server.requests[-1]
    assert (method, path) == ("POST", "/fine_tuning/jobs")
    assert (body["training_file"], body["validation_file"], body["model"]) == ("file-1", "file-1", "gpt-x")
    assert body["suffix"] == "people"
    assert body["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}


def test_jobs_are_made_listed_and_cancelled(account: tuple[Account, Shell]) -> None:
    server, shell = account
    assert shell.run("jobs", "create-from-id", "file-9").stdout == "ftjob-1\n"
    assert server.requests[-1][2]["training_file"] == "file-9"
    assert "method" not in server.requests[-1][2]
    assert shell.run("jobs", "list").stdout.split("\t")[:3] == ["ftjob-1", "m", "queued"]
    assert "ftjob-1 is cancelled" in shell.run("jobs", "cancel", "ftjob-1").stderr


def test_a_batch_from_messages_to_values(batches: tuple[Provider, Shell]) -> None:
    server, shell = batches
    lines = [
        {"custom_id": text[:3], "messages": [{"role": "user", "content": text}]} for text in ("Ann is 1", "Bob is x")
    ]
    (shell.folder / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    fields = ["-m", "openai/m", "-s", "name, age int"]
    created = shell.run("batch", "create", "--messages-file", "texts.jsonl", "-o", "in.jsonl", *fields)
    assert "2 requests in 'in.jsonl'" in created.stderr
    assert "hint: instructor batch submit -m openai/m -f in.jsonl" in created.stderr
    submitted = shell.run("batch", "submit", "-m", "openai/m", "-f", "in.jsonl", "--description", "people")
    assert (submitted.returncode, submitted.stdout) == (0, "batch_1\n")
    assert server.asked[-1][1]["metadata"] == {"description": "people"}
    assert shell.run("batch", "status", "--batch-id", "batch_1").stdout == "completed\n"
    assert shell.run("batch", "list").stdout.split("\t")[:3] == ["batch_1", "completed", "2"]
    results = shell.run("batch", "results", "--batch-id", "batch_1", *fields)
    values = {line["custom_id"]: line for line in map(json.loads, results.stdout.splitlines())}
    assert values["Ann"]["value"] == {"name": "Ann", "age": 1}
    assert "age" in values["Bob"]["message"]
    assert results.returncode == 3
    assert "requests without a value" in results.stderr
    shell.run("batch", "download-file", "--batch-id", "batch_1", "--download-file-path", "out.jsonl")
    assert len((shell.folder / "out.jsonl").read_text().splitlines()) == 3
    assert "is cancelled" in shell.run("batch", "cancel", "--batch-id", "batch_1").stderr


def test_a_batch_of_another_provider_is_deleted(batches: tuple[Provider, Shell]) -> None:
    server, shell = batches
    done = shell.run("batch", "delete", "--batch-id", "msgbatch_1", "--provider", "anthropic")
    assert "msgbatch_1 is deleted" in done.stderr
    assert server.deleted == 1
    kept = shell.run("batch", "delete", "--batch-id", "batch_1")
    assert "can be cancelled, but not deleted" in kept.stderr
    assert kept.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["files", "status", "missing"], 3, "NotFoundError"),
        (["files", "upload", "nowhere.jsonl"], 2, "There is no file 'nowhere.jsonl'"),
        (["jobs", "create-from-file", "nowhere.jsonl"], 2, "There is no file 'nowhere.jsonl'"),
        (["batch", "submit", "-m", "openai/m", "-f", "nowhere.jsonl"], 2, "instructor batch create writes one"),
        (["batch", "list", "--provider", "groq"], 2, "must be one of openai, anthropic, mistral, google, got 'groq'"),
        (
            ["batch", "create", "--messages-file", "wrong.jsonl", "-m", "openai/m", "-s", "name"],
            2,
            "Line 2 of 'wrong.jsonl'",
        ),
    ],
)
def test_mistakes(account: tuple[Account, Shell], arguments: list[str], status: int, says: str) -> None:
    _, shell = account
    (shell.folder / "wrong.jsonl").write_text('[{"role": "user", "content": "a"}]\n{"messages": 3}\n')
    done = shell.run(*arguments)
    assert says in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == status


@pytest.mark.parametrize("command", [["files", "list"], ["jobs", "list"], ["batch", "list"]])
def test_without_a_key_there_is_a_message(tmp_path: Path, command: list[str]) -> None:
    shell = Shell(None, tmp_path)
    assert shell.run(*command, "--help").returncode == 0
    done = shell.run(*command)
    assert "OPENAI_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


def test_a_list_is_drawn_again_until_it_is_left(account: tuple[Account, Shell]) -> None:
    server, shell = account
    terminal = shell.terminal("jobs", "list", "--live", "--poll", "0.1", columns=100)
    terminal.wait_for("ftjob-1")
    for _ in range(3):
        assert server.came.acquire(timeout=60)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 0
