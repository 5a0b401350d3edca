"""Where a service can listen: IPv4, IPv6, both at once, and a unix socket."""

import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients import connect, is_echoed, is_served, pattern, read_exactly
from tests.program import Program, loop, running
from tests.waiting import PATIENCE, eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

with_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


@contextmanager
def local(path: Path) -> Iterator[socket.socket]:
    """Connect to a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        yield client


@with_ipv6
def test_one_listener_serves_both_families(loop: str) -> None:
    """``::`` is both; a limit for one address knows IPv4 and IPv6 clients apart."""
    environ = {"BUOY_LOOP": loop, "BUOY_HOST": "::", "BUOY_MAX_CONNECTIONS_PER_PEER": "1"}
    with running("echo", environ) as program:
        program.await_workers(1)
        host, port = program.address
        assert host == "::"
        with connect(("127.0.0.1", port)) as four, connect(("127.0.0.1", port)) as excess:
            assert is_echoed(four)
            assert not is_served(excess)
            with socket.create_connection(("::1", port), PATIENCE) as six:
                assert is_echoed(six)
        assert program.stop() == 0


@with_ipv6
def test_ipv6_alone_is_ipv6_alone(loop: str) -> None:
    """On loopback, say."""
    with running("echo", {"BUOY_LOOP": loop, "BUOY_HOST": "::1"}) as program:
        host, port = program.address
        assert host == "::1"
        with socket.create_connection(("::1", port), PATIENCE) as six:
            assert is_echoed(six)
        with socket.socket() as four:
            assert four.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
        assert program.stop() == 0


def test_a_unix_socket_keeps_every_promise(loop: str, tmp_path: Path) -> None:
    """Half-close, drain, two workers; the file goes with the supervisor, not with a worker."""
    path = tmp_path / "echo"
    environ = {"BUOY_LOOP": loop, "BUOY_HOST": f"unix:{path}", "BUOY_WORKERS": "2"}
    with running("echo", environ) as program:
        program.await_workers(2)
        assert program.event("listening")["address"] == f"unix:{path}"
        data = pattern(0, 200_000)
        with local(path) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert read_exactly(client, len(data) + 1) == data
        with local(path) as client:
            assert is_echoed(client)
            program.send(signal.SIGTERM)
            assert client.recv(1) == b""
            assert path.is_socket()
        assert program.wait() == 0
    assert not path.exists()


def test_a_unix_socket_outlives_a_worker_and_a_killed_supervisor(tmp_path: Path) -> None:
    """What a killed one leaves is replaced; a live one is a fault that says so."""
    path = tmp_path / "echo"
    environ = {"BUOY_HOST": f"unix:{path}"}
    with running("echo", environ) as first:
        first.await_workers(1)
        with running("echo", environ, complaints=["echo: cannot listen"]) as second:
            assert second.wait() == 1
        with local(path) as client:
            assert is_echoed(client)
        first.send(signal.SIGKILL)
        first.wait()
        eventually(lambda: _is_left(first))
    assert path.is_socket()
    with running("echo", environ) as third:
        third.await_workers(1)
        with local(path) as client:
            assert is_echoed(client)
        assert third.stop() == 0
    assert not path.exists()


def _is_left(program: Program) -> bool:
    return not program.alive()
