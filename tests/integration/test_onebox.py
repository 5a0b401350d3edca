"""`make run` as a whole: real services on real PostgreSQL, used, killed and started again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from onebox import roles
from tests.onebox.running import Onebox, copy, eventually, onebox, prepared

pytestmark = [pytest.mark.slow]

ECHO = r"echo +127.0.0.1:(\d+)"
API = r"api +(http://127.0.0.1:\d+)"
ADMINS = (r"(http://127.0.0.1:\d+) \(echo\)", r"(http://127.0.0.1:\d+) \(api\)")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory of which the database is made."""
    return prepared(tmp_path_factory.mktemp("made"))


@pytest.fixture
def running(tmp_path: Path, made: Path) -> Iterator[Onebox]:
    """The stack, ready."""
    with onebox(copy(made, tmp_path / "a path" / "data"), tmp_path / "first") as box:
        yield box.await_ready()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_every_printed_line_works_and_ctrl_c_ends_it(tmp_path: Path, loop: str) -> None:
    """On both event loops; the runtime directory goes too."""
    environ = {"BUOY_LOOP": loop, "HOME": "/proc"}
    with onebox(tmp_path / "a path" / "data", tmp_path / "out", environ=environ) as box:
        box.await_ready()
        _assert_serves(box)
        assert _status(box.printed(API) + "/users/1") == 401
        token = box.data / "dev.token"
        assert token.stat().st_mode & 0o777 == 0o600
        assert box.sql("SELECT count(*) FROM users") == 1000
        assert box.end() == 0
        assert box.processes() == []
        assert box.output.count("Bellbuoy is ready") == 1


@pytest.mark.skipif(
    "CI" not in os.environ and not (shutil.which("curl") and shutil.which("nc")),
    reason="pastes into them",
)
def test_the_lines_to_try_can_be_pasted_into_a_shell(running: Onebox) -> None:
    """As they stand."""
    lines = [line.strip() for line in running.output.partition("Try it:")[2].splitlines()]
    printed = [_paste(line) for line in lines if line]
    assert printed[:3] == ["hello\n", "Hello, World!", "Hello, Ada!"]
    assert json.loads(printed[3]) == {"status": "healthy"}
    assert json.loads(printed[4])["id"] == 1
    assert "# TYPE http_requests_total counter" in printed[5]


def test_whatever_is_killed_comes_back(running: Onebox) -> None:
    """Each process of it in turn: supervisors, workers, admin processes, PostgreSQL."""
    for victim in _victims(running):
        psutil.Process(victim).kill()
        eventually(lambda pid=victim: _serves_without(running, pid), f"life after {victim}")  # type: ignore[misc]
    assert running.process.poll() is None
    assert running.end() == 0
    assert running.processes() == []


@pytest.mark.parametrize("everything", ["onebox alone", "everything"])
def test_after_a_kill_the_next_start_goes_on_with_the_rows(
    running: Onebox, tmp_path: Path, everything: str
) -> None:
    """On the same ports, which nobody holds on to."""
    running.sql("INSERT INTO users (name, email) VALUES ('Kept', 'kept@example.com')")
    names = ("BUOY_ECHO_PORT", "BUOY_ECHO_ADMIN_PORT", "BUOY_API_PORT", "BUOY_API_ADMIN_PORT")
    environ = running.child("api").environ()
    if everything == "everything":
        running.kill_everything()
    else:
        running.process.kill()
        running.process.wait()
    ports = {name: environ[name] for name in names}
    with onebox(running.data, tmp_path / "second", environ=ports) as box:
        box.await_ready()
        assert box.sql("SELECT count(*) FROM users") == 1001
        _assert_serves(box)
        assert box.end() == 0
        box.assert_nothing_left()


def test_what_it_acknowledges_is_on_the_disk(running: Onebox) -> None:
    """PostgreSQL does for the api what it does against a loss of power."""
    settings = ("fsync", "synchronous_commit", "full_page_writes")
    assert [running.sql(f"SHOW {name}", roles.APP) for name in settings] == ["on"] * 3


def test_a_busy_client_does_not_keep_it_from_ending(running: Onebox) -> None:
    """An echo connection gets its bytes back and then the end of the stream, no reset."""
    with socket.create_connection(("127.0.0.1", int(running.printed(ECHO))), timeout=30) as client:
        client.sendall(b"before")
        assert client.recv(100) == b"before"
        running.process.send_signal(signal.SIGINT)
        assert client.recv(100) == b""
    assert running.status() == 0
    assert running.processes() == []


def _assert_serves(box: Onebox) -> None:
    with socket.create_connection(("127.0.0.1", int(box.printed(ECHO))), timeout=10) as client:
        client.sendall("hällo\n".encode())
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            assert answer.read() == "hällo\n".encode()
    api = box.printed(API)
    assert [_status(f"{api}{path}") for path in ("/", "/Ada", "/health")] == [200] * 3
    assert _status(f"{api}/users/1", (box.data / "dev.token").read_text().strip()) == 200
    probes = [_status(f"{box.printed(admin)}{path}") for admin in ADMINS for path in _PROBES]
    assert probes == [200] * len(probes)


_PROBES = ("/livez", "/readyz", "/metrics", "/tasks")


def _serves_without(box: Onebox, victim: int) -> bool:
    """Return whether all of it serves, and not because the victim still does."""
    try:
        _assert_serves(box)
    except (AssertionError, OSError):
        return False
    return victim not in {process.pid for process in box.processes()}


def _victims(box: Onebox) -> list[int]:
    """Return every process but onebox; a supervisor after its children."""
    services = [box.child("-m", "echo"), box.child("-m", "api")]
    children = [child.pid for service in services for child in service.children()]
    assert len(children) == 4, "a worker and an admin process each"
    pidfile = box.data / "postgres" / "postmaster.pid"
    return [*children, *(process.pid for process in services), int(pidfile.read_text().split()[0])]


def _status(url: str, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # ours
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # ours
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _paste(line: str) -> str:
    shell = subprocess.run(
        ["/bin/sh", "-c", line],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return shell.stdout
