"""`bellbuoy tasks` against admin ports that answer, lie, or are not there."""

import http.server
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
import pytest

from bellbuoy.cli import tasks
from bellbuoy.cli.__main__ import main
from bellbuoy.taskview import TaskView, WorkerView

VIEW = TaskView({}, [], [WorkerView(3, 77, "ready", 0.1, 0.0, 5)])
GOOD = (200, msgspec.json.encode(VIEW))


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Answer every request like this; yield the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/tasks" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def nobody() -> Iterator[str]:
    """Where nobody listens: bound, so that nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_it_prints_once_and_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe without colours, and not folded to a terminal's width."""
    with answering(*GOOD) as url:
        assert main(["tasks", "--url", url]) == 0
    out = capsys.readouterr().out
    assert "worker 3 (pid 77) ready" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("form", ["{}/", "{}/tasks", "{.host}"])
def test_an_address_may_be_written_as_it_is_at_hand(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a slash, with the path, without http."""
    with answering(*GOOD) as url:
        given = url.removeprefix("http://") if form == "{.host}" else form.format(url)
        assert main(["tasks", "--url", given]) == 0
    assert "worker 3" in capsys.readouterr().out


def test_where_nobody_answers_it_says_so(nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the address, and exit status 1."""
    assert main(["tasks", "--url", nobody]) == 1
    assert f"{nobody}: no answer: [Errno 111] Connection refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    "status,body,problem",
    [
        (404, b"", "answers 404 Not Found"),
        (200, b"<html>", "answers, but is no admin port of ours"),
        (200, b'{"tasks": 7}', "answers, but is no admin port of ours"),
    ],
)
def test_what_is_no_admin_port_is_told(
    status: int, body: bytes, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else listens there."""
    with answering(status, body) as url:
        assert main(["tasks", "--url", url]) == 1
    assert problem in capsys.readouterr().err


@contextmanager
def saying(*pieces: bytes, again: bytes = b"") -> Iterator[str]:
    """Say this to whoever comes, and ``again`` every hundredth of a second; yield the URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            with suppress(OSError):
                self.request.sendall(b"".join(pieces))
                while again and not over.wait(0.01):
                    self.request.sendall(again)

    over = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "said, problem",
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "answers, but not as HTTP has it: SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "answers, but not as HTTP has it"),
        (b"", "no answer: Remote end closed connection without response"),
        (b"HTTP/1.1 301 Moved\r\n\r\n", "answers 301 Moved"),
    ],
    ids=["ssh", "half", "nothing", "a redirection"],
)
def test_what_speaks_no_http_is_told_in_a_line(said: bytes, problem: str) -> None:
    """A wrong port is an everyday mistake, and no reason for a traceback."""
    with saying(said) as url:
        reading = tasks.read(url)
    assert reading.view is None
    assert reading.problem.startswith(problem)
    assert "\n" not in reading.problem


@pytest.mark.parametrize(
    "begin, drop",
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    ],
    ids=["its head", "its body"],
)
def test_an_answer_that_comes_in_drops_is_not_waited_for(
    begin: bytes, drop: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one deadline for all of it, and not one for each drop."""
    monkeypatch.setattr(tasks, "TIMEOUT", 0.3)
    with saying(begin, again=drop) as url:
        began = time.monotonic()
        reading = tasks.read(url)
        assert time.monotonic() - began < 20
    assert reading.problem == "no answer: none within 0.3 s"


def test_no_proxy_is_asked(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: the answer would be somebody else's."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nobody)
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(*GOOD) as url:
        assert tasks.read(url).view == VIEW


def test_a_name_that_cannot_be_one_is_no_traceback() -> None:
    """Not even an encoding of it."""
    assert tasks.read(f"http://{'x' * 64}.test").problem.startswith("no answer: ")


def test_of_two_services_one_may_be_away(nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The other is shown; who asked for both learns it from the status."""
    with answering(*GOOD) as url:
        assert main(["tasks", "--url", url, "--url", nobody]) == 1
    out = capsys.readouterr().out
    assert "worker 3" in out
    assert f"{nobody}: no answer" in out


def test_unless_told_otherwise_it_asks_the_services_of_this_machine(
    nobody: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever of them runs."""
    assert tasks.LOCAL == ("http://127.0.0.1:9888", "http://127.0.0.1:9080")
    with answering(*GOOD) as url:
        monkeypatch.setattr(tasks, "LOCAL", (nobody, url))
        assert main(["tasks"]) == 0
    assert nobody not in capsys.readouterr().out


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://", "ftp://x", "http://x:99999", "http://x:y"]
)
def test_only_http_is_asked(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the command line, told as one."""
    assert main(["tasks", "--url", url]) == 78
    assert "an address such as" in capsys.readouterr().err


@pytest.mark.parametrize("interval", ["0", "nan", "x", "1e9"])
def test_an_interval_is_a_sensible_time(interval: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It asks the admin port no more than ten times a second."""
    with pytest.raises(SystemExit):
        main(["tasks", "--interval", interval])
    assert "--interval" in capsys.readouterr().err


def test_without_rich_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert main(["tasks"]) == 1
    assert "pip install 'bellbuoy[cli]'" in capsys.readouterr().err
