"""How echo connections end without a drain: at their age, by silence, by a reset."""

import socket
import time
from pathlib import Path

import pytest

from tests.clients import connect, connected, is_echoed, is_served, pattern, reset
from tests.program import UNMEASURED, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

REJECTED = "bellbuoy_connections_rejected_total"
CLOSED = "echo_connections_closed_total"
ACTIVE = "bellbuoy_connections_active"


def open_sockets(pid: int) -> int:
    """Return how many sockets a process has open."""
    return len([f for f in Path(f"/proc/{pid}/fd").iterdir() if f.is_socket()])


def test_old_connections_are_finished(loop: str) -> None:
    """At their age they get what they sent, then FIN; nobody is reset."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_MAX_AGE_SECONDS": "4"}
    with running("echo", environ) as program:
        program.await_workers(1)
        began = time.monotonic()
        with connected(program.address, 20) as clients:
            assert all(is_echoed(client) for client in clients)
            for client in clients:
                assert client.recv(1) == b""
                assert time.monotonic() - began >= 3.6  # a tenth is jitter
                client.sendall(b"too late, and no reset")
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
        eventually(lambda: program.metrics().value(CLOSED, reason="max_age") == 20)
        assert program.stop() == 0


def test_thousands_of_silent_connections_are_closed(loop: str) -> None:
    """Not before the idle timeout; others are accepted and served meanwhile."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_IDLE_TIMEOUT_SECONDS": "2", **UNMEASURED}
    with running("echo", environ) as program:
        program.await_workers(1)
        began = time.monotonic()
        with connected(program.address, 2000) as silent:
            with connect(program.address) as other:
                assert is_echoed(other)
            for client in silent:
                assert client.recv(1) == b""
                assert time.monotonic() - began >= 2
        eventually(lambda: program.metrics().value(CLOSED, reason="idle_timeout") == 2000)
        assert program.stop() == 0


def test_an_idle_connection_is_closed(loop: str) -> None:
    """With FIN, at the idle timeout; one that talks now and then is kept."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_IDLE_TIMEOUT_SECONDS": "4"}
    with running("echo", environ) as program:
        program.await_workers(1)
        with connected(program.address, 2) as (idle, busy):
            idle.settimeout(0.1)
            assert eventually(lambda: is_echoed(busy) and _ended(idle)) == "FIN"
            assert is_echoed(busy)
        eventually(lambda: program.metrics().value(CLOSED, reason="client") == 1)
        assert program.metrics().value(CLOSED, reason="idle_timeout") == 1
        assert program.stop() == 0


def _ended(client: socket.socket) -> str:
    """Return FIN once the server has said so."""
    try:
        return "" if client.recv(1) else "FIN"
    except TimeoutError:
        return ""


def test_resets_are_nothing_special(loop: str) -> None:
    """20,000, with and without data on the way: no error is logged, nothing stays behind."""
    count = 20_000
    with running("echo", {"BUOY_LOOP": loop, **UNMEASURED}) as program:
        (worker,) = program.await_workers(1)
        sockets = open_sockets(worker)
        for number in range(count):
            client = connect(program.address)
            if number % 3:
                client.sendall(pattern(0, 1 + 300 * (number % 100)))
            if number % 3 == 1:
                client.recv(1)
            reset(client)

        def ended() -> float:
            metrics = program.metrics()
            return metrics.value(CLOSED) + metrics.value(REJECTED, reason="reset")

        eventually(lambda: ended() == count)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        eventually(lambda: open_sockets(worker) == sockets)
        with connect(program.address) as client:
            assert is_served(client)
        assert program.stop() == 0
