"""Readiness: an honest question, and addresses a person can use."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from onebox import ports, readiness


@pytest.fixture
def answer() -> Iterator[tuple[int, list[int]]]:
    """An admin port and the status it answers with."""
    status = [200]

    class Probe(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == "/readyz" else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Probe) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port, status
        server.shutdown()
        thread.join()


def test_only_200_is_ready(answer: tuple[int, list[int]]) -> None:
    """503 is what a starting service answers."""
    port, status = answer
    assert readiness.is_ready("127.0.0.1", port)
    status[0] = 503
    assert not readiness.is_ready("127.0.0.1", port)


def test_a_wildcard_is_asked_on_loopback(answer: tuple[int, list[int]]) -> None:
    """Nobody can connect to all addresses."""
    assert readiness.is_ready("0.0.0.0", answer[0])  # noqa: S104  # not bound


def test_a_closed_port_is_not_ready() -> None:
    """And no error."""
    assert not readiness.is_ready("127.0.0.1", ports.free("127.0.0.1")[0])


@pytest.mark.parametrize(
    "host,expected",
    [
        ("127.0.0.1", "http://127.0.0.1:80/x"),
        ("0.0.0.0", "http://127.0.0.1:80/x"),  # noqa: S104  # not bound
        ("::", "http://[::1]:80/x"),
        ("example.test", "http://example.test:80/x"),
    ],
)
def test_urls_can_be_pasted(host: str, expected: str) -> None:
    """IPv6 in brackets, wildcards replaced."""
    assert readiness.url(host, 80, "/x") == expected
