"""The command line, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import openai
import pytest

START = [sys.executable, "-c", "from instructor.cli import main; main()"]
BARE = {key: value for key, value in os.environ.items() if not key.startswith("OPENAI_")}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*START, *arguments],
        env=BARE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Keep the processes that a test starts; what is left of them is ended."""
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start(arguments: Sequence[str], kept: list[subprocess.Popen[str]], code: str = START[-1]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*START[:-1], code, *arguments],
        env=BARE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    kept.append(process)
    return process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_help_needs_no_key_and_loads_no_sdk() -> None:
    code = (
        "import sys\nfrom instructor.cli import main\nsys.argv = ['instructor', '--help']\n"
        "try:\n    main()\nfinally:\n"
        "    print('loaded', [m for m in ('openai', 'xllamacpp', 'starlette', 'uvicorn') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=BARE, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0
    assert "local" in done.stdout
    assert done.stdout.endswith("loaded []\n")


def test_without_typer_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from instructor.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    install = 'pip install "json-schema-to-pydantic>=0.5" "rich>=14" "typer>=0.20"'
    assert done.stderr == f"The command needs the module 'typer'.\nhint: {install}\n"


def test_a_script_that_is_not_there() -> None:
    done = command("local", "run", "no-such-script.py")
    assert done.returncode == 2
    assert "'no-such-script.py'" in done.stderr


def test_an_unknown_model_is_told_in_a_line(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.touch()
    for arguments in (("run", "--model", "nobody", str(script)), ("serve", "--model", "nobody")):
        done = command("local", *arguments)
        assert done.returncode == 1
        assert "'nobody'" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.model
def test_a_script_has_the_server_its_arguments_and_the_last_word(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text(
        "import openai, sys\n"
        "print(openai.OpenAI().models.list().data[0].id, sys.argv[1:], openai.OpenAI().base_url)\n"
        "sys.exit(3)\n"
    )
    done = command("local", "run", str(script), "--port", "5", "x")
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("smollm2-135m ['--port', '5', 'x'] http://127.0.0.1:")
    assert done.stderr == ""
    client = openai.OpenAI(base_url=done.stdout.split()[-1], api_key="x", max_retries=0)
    with client, pytest.raises(openai.APIConnectionError):
        client.models.list()


WAITS = "import os, signal\nprint(os.getpid(), flush=True)\nwhile True:\n    signal.pause()\n"
DEAF = """
import os, signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""
TIDY = """
import os, signal, sys
def end(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(7)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, end)
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.model
@pytest.mark.parametrize("to_all", [False, True])
@pytest.mark.parametrize("number", SIGNALS)
def test_signals_leave_nothing_running(
    tmp_path: Path, number: signal.Signals, to_all: bool, started: list[subprocess.Popen[str]]
) -> None:
    script = tmp_path / "s.py"
    script.write_text(WAITS)
    process = start(["local", "run", str(script)], started)
    child = int(line(process))
    if to_all:  # as a terminal does
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert gone(child)


@pytest.mark.model
@pytest.mark.parametrize("number", SIGNALS)
def test_a_script_that_ignores_signals_is_killed(
    tmp_path: Path, number: signal.Signals, started: list[subprocess.Popen[str]]
) -> None:
    script = tmp_path / "s.py"
    script.write_text(DEAF)
    process = start(["local", "run", "--grace", "0.2", str(script)], started)
    child = int(line(process))
    process.send_signal(number)
    assert process.wait(60) == 128 + signal.SIGKILL
    assert gone(child)


@pytest.mark.model
@pytest.mark.parametrize("number", SIGNALS)
def test_a_script_that_tidies_up_has_the_last_word(
    tmp_path: Path, number: signal.Signals, started: list[subprocess.Popen[str]]
) -> None:
    script = tmp_path / "s.py"
    script.write_text(TIDY)
    process = start(["local", "run", "--grace", "60", str(script)], started)
    child = int(line(process))
    process.send_signal(number)
    assert line(process) == number.name
    assert process.wait(60) == 7
    assert gone(child)


@pytest.mark.model
def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    script = tmp_path / "s.py"
    script.write_text(WAITS)
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from instructor.cli import main; main()"
    process = start(["local", "run", str(script)], started, code)
    child = int(line(process))
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert gone(child)


@pytest.mark.model
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1, signal.SIGTERM])
def test_a_script_that_dies_by_itself(
    tmp_path: Path, number: signal.Signals, started: list[subprocess.Popen[str]]
) -> None:
    script = tmp_path / "s.py"
    script.write_text(f"import os\nos.kill(os.getpid(), {int(number)})\n")
    assert start(["local", "run", str(script)], started).wait(60) == 128 + number


@pytest.mark.model
def test_serve_says_where_and_ends_with_ctrl_c(started: list[subprocess.Popen[str]]) -> None:
    process = start(["local", "serve", "--port", "0"], started)
    url = line(process).removeprefix("Listening on ")
    with openai.OpenAI(base_url=url, api_key="x", max_retries=0) as client:
        assert client.models.list().data[0].id == "smollm2-135m"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
