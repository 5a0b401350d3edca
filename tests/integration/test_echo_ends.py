"""How echo connections end without a drain: at their age, by silence, by a reset."""

import resource
import socket
import statistics
import time
from pathlib import Path

import pytest

from tests.clients import (
    Address,
    connect,
    connected,
    is_echoed,
    is_served,
    pattern,
    reset,
    room,
    usual_wait,
)
from tests.integration.test_limits import busy_share
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
    """At their age, and not long after, they get what they sent, then FIN; nobody is reset."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_MAX_AGE_SECONDS": "4"}
    with running("echo", environ) as program:
        program.await_workers(1)
        began = time.monotonic()
        with connected(program.address, 20) as clients:
            assert all(is_echoed(client) for client in clients)
            for client in clients:
                assert client.recv(1) == b""
                assert 3.6 <= time.monotonic() - began < 8  # a tenth is jitter
                client.sendall(b"too late, and no reset")
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
        eventually(lambda: program.metrics().value(CLOSED, reason="max_age") == 20)
        assert program.stop() == 0


def test_thousands_of_silent_connections_are_closed(loop: str) -> None:
    """At the idle timeout and not before; until then they cost nothing, and nobody his time."""
    count = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000)
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_IDLE_TIMEOUT_SECONDS": "15",
        "BUOY_MAX_CONNECTIONS": str(count + 100),
        **UNMEASURED,
    }
    with room(count + 1000), running("echo", environ) as program:
        (worker,) = program.await_workers(1)
        began = time.monotonic()
        with connected(program.address, count) as silent:
            came = time.monotonic()
            with connect(program.address) as other:
                assert usual_wait(other) < 0.02
            assert usual_arrival(program.address) < 0.05
            assert busy_share(worker) < 0.2
            for client in silent:
                assert client.recv(1) == b""
                assert time.monotonic() - began >= 15
            assert time.monotonic() - came < 30
        eventually(lambda: program.metrics().value(CLOSED, reason="idle_timeout") == count)
        assert program.stop() == 0


def usual_arrival(address: Address) -> float:
    """Return the median of the seconds until somebody new is served."""
    waits = []
    for _ in range(100):
        began = time.monotonic()
        with connect(address) as client:
            assert is_echoed(client)
        waits.append(time.monotonic() - began)
    return statistics.median(waits)


def test_an_idle_connection_is_closed(loop: str) -> None:
    """With FIN, at the idle timeout; one that talks now and then is kept."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_IDLE_TIMEOUT_SECONDS": "4"}
    with running("echo", environ) as program:
        program.await_workers(1)
        came = time.monotonic()
        with connected(program.address, 2) as (idle, busy):
            idle.settimeout(0.1)
            assert eventually(lambda: is_echoed(busy) and _ended(idle)) == "FIN"
            assert 4 <= time.monotonic() - came < 8
            assert is_echoed(busy)
        eventually(lambda: program.metrics().value(CLOSED, reason="client") == 1)
        metrics = program.metrics()
        assert metrics.value(CLOSED, reason="idle_timeout") == 1
        lasted = "echo_connection_duration_seconds"
        assert metrics.value(f"{lasted}_bucket", le="1.0") == 0
        assert 8 <= metrics.value(f"{lasted}_sum") < 60
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
