"""A server of this machine with the files and batches of four providers. It answers "Ann is 1" with Ann."""

from __future__ import annotations

import json
import threading
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import openai
from google import genai
from mistralai.client import Mistral

Json = dict[str, Any]


def person(text: str) -> Json:
    name, _, age = text.partition(" is ")
    return {"name": name, "age": int(age) if age.isdigit() else age}


class Provider:
    """The files and batches of all providers."""

    def __init__(self) -> None:
        self.files: list[list[Json]] = []
        """The lines of OpenAI's and Mistral's files, in the order of their upload."""
        self.batches: list[int] = []
        """The file of each of their batches, from 1."""
        self.submitted = threading.Semaphore(0)
        self.live: list[Json] = []
        """What was asked without a batch, of OpenAI."""
        self.left_out: set[str] = set()
        """Texts for which a batch has no reply."""
        self.status = ""
        """Of OpenAI's batches, instead of "completed"."""
        self.errors = 0
        """How many of the next questions for a batch fail."""
        self.deleted = 0
        self.asked: list[tuple[str, Any]] = []
        self.has_ended = True
        self.lines: list[Json] = []
        provider = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if provider.errors and "/batches/" in self.path:
                    provider.errors -= 1
                    self.send_error(503)
                    return
                self.answer(provider.get(self.path.partition("?")[0]))

            def do_DELETE(self) -> None:
                provider.deleted += 1
                kind = {"id": "msgbatch_1", "type": "message_batch_deleted"} if "/messages/" in self.path else {}
                self.answer(
                    kind or ({} if "/google/" in self.path else {"id": "job_1", "object": "batch", "deleted": True})
                )

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or 0))
                self.answer(provider.post(self.path, data, self.headers.get("content-type") or ""))

            def answer(self, body: bytes | Json) -> None:
                self.send_response(200)
                if "/upload/" in self.path:  # Google's: the first request is told where the bytes go
                    self.send_header("X-Goog-Upload-Status", "final" if "bytes=" in self.path else "active")
                    self.send_header("X-Goog-Upload-URL", f"{provider.root}/google/upload/files?bytes=1")
                self.send_header(
                    "Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json"
                )
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            def log_message(self, format: str, *arguments: Any) -> None: ...  # noqa: A002

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # OpenAI

    def openai_batch(self, batch: int = 1, **more: Any) -> Json:
        status = self.status or ("completed" if self.has_ended else "in_progress")
        counts = {"total": len(self.lines), "completed": len(self.lines), "failed": 0}
        files = {"input_file_id": "file_1", "output_file_id": f"file_out{batch}", "error_file_id": "file_err"}
        about = {"endpoint": "/v1/chat/completions", "completion_window": "24h", "created_at": 1}
        return {
            "id": f"batch_{batch}", "object": "batch", "status": status, "request_counts": counts, **files, **about,
            **more,
        }  # fmt: skip

    def openai_line(self, line: Json) -> Json:
        text = line["body"]["messages"][-1]["content"]
        message = {"role": "assistant", "content": json.dumps(person(text))}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m",
                "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}  # fmt: skip
        return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}

    # Anthropic

    def anthropic_batch(self) -> Json:
        counts = {"processing": 0, "succeeded": len(self.lines), "errored": 0, "canceled": 0, "expired": 0}
        times = dict.fromkeys(("created_at", "expires_at", "ended_at"), "2026-01-01T00:00:00Z")
        status = "ended" if self.has_ended else "in_progress"
        url = f"{self.root}/v1/messages/batches/msgbatch_1/results"
        about: Json = {"archived_at": None, "cancel_initiated_at": None, "results_url": url, **times}
        return {
            "id": "msgbatch_1", "type": "message_batch", "processing_status": status, "request_counts": counts, **about,
        }  # fmt: skip

    def anthropic_line(self, line: Json) -> Json:
        asked = line["params"]["messages"][-1]["content"]
        text = asked if isinstance(asked, str) else asked[-1]["text"]
        use = {"type": "tool_use", "id": "t", "name": line["params"]["tools"][0]["name"], "input": person(text)}
        message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [use],
                   "stop_reason": "tool_use", "stop_sequence": None,
                   "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
        return {"custom_id": line["custom_id"], "result": {"type": "succeeded", "message": message}}

    # Mistral: the lines of its results are those of OpenAI

    def mistral_job(self, status: str) -> Json:
        count = len(self.lines)
        counts = {"total_requests": count, "completed_requests": count, "succeeded_requests": count}
        files = {"input_files": ["file_1"], "output_file": "file_out", "error_file": "file_err"}
        return {"id": "job_1", "object": "batch", "endpoint": "/v1/chat/completions", "errors": [], "status": status,
                "created_at": 1, "failed_requests": 0, **counts, **files}  # fmt: skip

    # Google

    def google_batch(self, state: str) -> Json:
        output = {"responsesFile": "files/file_out"} if state.endswith("SUCCEEDED") else None
        return {
            "name": "batches/b1",
            "metadata": {"state": state, "createTime": "2026-01-01T00:00:00Z", "output": output},
        }

    def google_line(self, line: Json) -> Json:
        text = json.dumps(person(line["request"]["contents"][-1]["parts"][0]["text"]))
        content = {"role": "model", "parts": [{"text": text}]}
        return {"key": line["key"], "response": {"candidates": [{"content": content, "finishReason": "STOP"}]}}

    def of_google(self, path: str, data: bytes) -> bytes | Json:
        state = "BATCH_STATE_SUCCEEDED" if self.has_ended else "BATCH_STATE_RUNNING"
        if path.endswith("?bytes=1"):
            self.lines = [json.loads(line) for line in data.splitlines()]
            return {"file": {"name": "files/f1"}}
        if "/upload/" in path:
            return {}
        if ":download" in path:
            lines = [self.google_line(line) for line in self.lines[::-1]]
            lines.append({"key": "request-9", "error": {"code": 429, "status": "rate_limit", "message": "too many"}})
            return "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.asked.append((path, json.loads(data) if data else None))
        if path.endswith(":cancel"):
            self.has_ended = False
            return {}
        return {"operations": [self.google_batch(state)]} if path.endswith("batches") else self.google_batch(state)

    def is_left_out(self, line: Json) -> bool:
        return any(text in json.dumps(line) for text in self.left_out)

    def get(self, path: str) -> bytes | Json:
        if path.startswith("/google"):
            return self.of_google(path, b"")
        self.asked.append((path, None))
        if path.endswith("/content") and "/file_out" in path:
            number = path.removesuffix("/content").partition("/file_out")[2]
            lines = self.files[self.batches[int(number) - 1] - 1] if number else self.lines
            replies = [self.openai_line(line) for line in lines[::-1] if not self.is_left_out(line)]
            return "".join(json.dumps(line) + "\n" for line in replies).encode()
        if path.endswith("/file_err/content"):
            of_line = {"code": "rate_limit", "message": "too many"}
            failed = {
                "custom_id": "request-9",
                "response": {"status_code": 429, "body": {"error": of_line}},
                "error": None,
            }
            return (json.dumps(failed) + "\n").encode()
        if path.endswith("/results"):
            lines = [self.anthropic_line(line) for line in self.lines[::-1]]
            error: Json = {"type": "error", "error": {"type": "rate_limit", "message": "too many"}}
            lines.append({"custom_id": "request-9", "result": {"type": "errored", "error": error}})
            return "".join(json.dumps(line) + "\n" for line in lines).encode()
        if "/batch/jobs" in path:
            job = self.mistral_job("SUCCESS" if self.has_ended else "RUNNING")
            return {"object": "list", "data": [job], "total": 1} if path.endswith("jobs") else job
        if "/messages/" in path:
            batch = self.anthropic_batch()
        else:
            number = path.rpartition("batch_")[2]
            batch = self.openai_batch(int(number) if number.isdigit() else 1)
        return {"object": "list", "data": [batch], "has_more": False} if path.endswith("batches") else batch

    def post(self, path: str, data: bytes, kind: str) -> bytes | Json:
        if path.startswith("/google"):
            return self.of_google(path, data)
        if path.endswith("/files"):
            form: Message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + data)
            parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
            content = parts["file"].get_payload(decode=True)  # type: ignore[union-attr]
            self.lines = [json.loads(line) for line in content.splitlines()]  # type: ignore[union-attr]
            self.files.append(self.lines)
            about = {"filename": "batch.jsonl", "purpose": "batch", "status": "processed", "source": "upload"}
            return {"id": f"file_{len(self.files)}", "object": "file", "bytes": len(data), "created_at": 1,
                    "sample_type": "batch_request", **about}  # fmt: skip
        self.asked.append((path, json.loads(data) if data else None))
        if path.endswith("/chat/completions"):
            self.live.append(json.loads(data))
            line = self.openai_line({"custom_id": "", "body": {"messages": [{"content": "Bob is 40"}]}})
            reply: Json = line["response"]["body"]
            return reply
        if not path.endswith("/cancel"):
            self.submitted.release()
        if "/batch/jobs" in path:
            return self.mistral_job("CANCELLED" if path.endswith("/cancel") else "QUEUED")
        if path.endswith("/cancel"):
            return self.openai_batch(status="cancelled") if "msgbatch" not in path else self.anthropic_batch()
        if "/messages/" in path:
            self.lines = json.loads(data)["requests"]
            return self.anthropic_batch()
        self.batches.append(int(json.loads(data)["input_file_id"].removeprefix("file_")))
        return self.openai_batch(len(self.batches), status="validating")


def sdk_client(name: str, root: str, *, is_async: bool) -> Any:
    if name == "openai":
        return (openai.AsyncOpenAI if is_async else openai.OpenAI)(base_url=f"{root}/v1", api_key="test", max_retries=0)
    if name == "anthropic":
        return (anthropic.AsyncAnthropic if is_async else anthropic.Anthropic)(
            base_url=root, api_key="test", max_retries=0
        )
    if name == "mistral":
        return Mistral(api_key="test", server_url=root)
    return genai.Client(api_key="test", http_options=genai.types.HttpOptions(base_url=f"{root}/google"))
