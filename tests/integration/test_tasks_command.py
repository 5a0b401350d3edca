"""`bellbuoy tasks --watch` in a real terminal, beside a real service."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from tests.clients import connected
from tests.program import ROOT, Program, running
from tests.tools.terminal import terminal
from tests.waiting import eventually

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "bellbuoy.cli", "tasks"]


def environ(**more: str) -> dict[str, str]:
    """Return the environment of a person at a terminal."""
    return {**os.environ, "PYTHONPATH": "services", "TERM": "xterm", **more}


def wait(program: Program, seconds: float) -> None:
    """Ask for an answer that takes so long; it may be cut off."""
    connection = http.client.HTTPConnection(*program.address, timeout=30)
    try:
        connection.request("GET", f"/wait?seconds={seconds}")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def test_it_follows_a_service_until_ctrl_c() -> None:
    """Names, workers, the oldest running work; then that the service is gone."""
    with running("web", {"BUOY_WORKERS": "1"}) as program:
        (worker,) = program.await_workers(1)
        url = "http://{}:{}".format(*program.admin_address)
        waiting = threading.Thread(target=wait, args=(program, 10))
        waiting.start()
        eventually(lambda: "web.wait" in program.get("/tasks").body)
        watch = [*COMMAND, "--watch", "--interval", "0.2", "--url", url]
        with terminal(watch, ROOT, environ(COLUMNS="150", LINES="40")) as screen:
            screen.read_until(f"(pid {worker})".encode())
            screen.read_until(b"web.wait")
            screen.read_until(b"oldest running")
            program.send(signal.SIGTERM)
            screen.read_until(b"no answer")
            screen.type(b"\x03")
            screen.read_until(b"\x1b[?1049l")  # what was there before is back
            assert screen.wait() == 0
        waiting.join()


def test_of_several_workers_each_is_shown_in_80_columns() -> None:
    """From their admin port; together they run what is held."""
    with running("echo", {"BUOY_WORKERS": "2"}) as program:
        program.await_workers(2)
        with connected(program.address, 20):
            eventually(lambda: '"running":20' in program.get("/tasks").body)
            done = subprocess.run(
                [*COMMAND, "--url", "http://{}:{}".format(*program.admin_address)],
                cwd=ROOT,
                env=environ(COLUMNS="80"),
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
    table = done.stdout.partition("by worker")[2]
    rows = re.findall(r"^ (?:echo[.]\w+)? +([0-9]) +- +([0-9]+) ", table, re.MULTILINE)
    assert {worker for worker, _ in rows} == {"1", "2"}
    assert sum(int(running) for _, running in rows) == 20 + 2  # and what ends those that are old


def test_in_a_pipe_it_prints_once_in_plain_text() -> None:
    """As `bellbuoy tasks | grep` needs it."""
    with running("web") as program:
        program.await_workers(1)
        url = "http://{}:{}".format(*program.admin_address)
        done = subprocess.run(
            [*COMMAND, "--url", url],
            cwd=ROOT,
            env=environ(),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert url in done.stdout
    assert "\x1b" not in done.stdout
