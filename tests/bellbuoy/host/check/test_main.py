"""The health check: a program that asks the admin port and says so by its exit status."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bellbuoy.host import check

PROGRAM = Path(check.__file__).with_name("__main__.py")
VARIABLE = "BUOY_ECHO_ADMIN_PORT"


class Admin(BaseHTTPRequestHandler):
    """Ready, but not live."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response({"/readyz": 200, "/livez": 503}[self.path])
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def admin() -> Iterator[int]:
    """Serve on a free port."""
    with HTTPServer(("127.0.0.1", 0), Admin) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def run(*arguments: str, **environ: str) -> tuple[int, str]:
    """Run the check as the image does; return its status and what it said."""
    command = [sys.executable, "-I", "-S", str(PROGRAM), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def test_it_passes_when_the_admin_port_says_so() -> None:
    """Asked for readiness, on the port that the environment names."""
    with admin() as port:
        assert run(VARIABLE, "1", "/readyz", **{VARIABLE: str(port)}) == (0, "")


def test_it_asks_for_liveness_unless_told() -> None:
    """And passes on what the admin port answers."""
    with admin() as port:
        assert run(VARIABLE, str(port)) == (1, "/livez: HTTP/1.0 503 Service Unavailable")


def test_it_fails_when_nobody_listens() -> None:
    """With the reason, which Docker keeps."""
    with admin() as port:
        pass
    code, said = run(VARIABLE, str(port))
    assert (code, "refused" in said) == (1, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1"])  # noqa: S104 - not bound
def test_it_finds_the_admin_port_whatever_it_is_bound_to(host: str) -> None:
    """Every address includes this container's own loopback."""
    with admin() as port:
        assert run(VARIABLE, str(port), "/readyz", BUOY_ADMIN_HOST=host) == (0, "")


@pytest.mark.slow
def test_it_does_not_wait_for_a_port_that_says_nothing() -> None:
    """A blocked admin process is a failure, found within the orchestrator's own limit."""
    with HTTPServer(("127.0.0.1", 0), Admin) as silent:
        assert run(VARIABLE, str(silent.server_port)) == (1, "/livez: timed out")
