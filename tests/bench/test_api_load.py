"""What wrk saw is read right, and what failed under load stops the bench."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.api import load

needs_wrk = pytest.mark.skipif(
    "CI" not in os.environ and shutil.which("wrk") is None, reason="loads with it"
)

REPORT = """Running 3s test @ http://127.0.0.1:8080
  1 threads and 64 connections
  Latency Distribution
     99%   12.34ms
Requests/sec:  20000.00
{"requests":60000,"seconds":3.000000,"p50_us":3000,"p99_us":12340,"broken":0,"refused":0}
"""


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with 503."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Refuse."""
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def refusing() -> Iterator[int]:
    """The port of a server that refuses everything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_last_line_of_wrk_is_what_it_saw() -> None:
    """Its own report stands before it, and is for people."""
    seen = load.parse(REPORT)
    assert (seen.requests, seen.per_second, seen.p99_us) == (60000, 20000.0, 12340)


@pytest.mark.slow
@needs_wrk
def test_a_refused_request_stops_the_bench(refusing: int) -> None:
    """A server that is quick to say no is not fast."""
    with pytest.raises(AssertionError, match="refused"):
        load.generate(refusing, ("get", "/"), 1, 1, {})


@pytest.mark.slow
@needs_wrk
def test_a_server_that_is_gone_stops_the_bench() -> None:
    """No answer at all is no figure either."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(subprocess.CalledProcessError):
        load.generate(port, ("get", "/"), 1, 1, {})
