"""Bad networks and peers that vanish: nothing is garbled, and nothing waits for ever."""

import ctypes
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients import connected, fill, is_echoed, pattern, read_exactly
from tests.network import SERVER, Network, Quality, network
from tests.program import Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

CLOSED = "echo_connections_closed_total"
ACTIVE = "bellbuoy_connections_active"

BAD = Quality(delay=0.05, jitter=0.02, loss=0.05, reorder=0.25, rate=1_000_000 / 8)
"""50 ms more or less 20, 5 % lost, 25 % out of order, 1 Mbit/s."""

LONG = 90.0
"""Seconds; with 5 % loss some segment needs several retransmissions, each twice as late."""


@contextmanager
def served(link: Network, environ: dict[str, str]) -> Iterator[Program]:
    """Run the service in the server's namespace, and this thread there until the block ends."""
    with link.server.entered(), running("echo", {"BUOY_HOST": SERVER, **environ}) as program:
        program.await_workers(1)
        yield program
        assert program.stop() == 0


@contextmanager
def opened(link: Network, program: Program, count: int = 1) -> Iterator[list[socket.socket]]:
    """Hold connections from the client's namespace; the thread is back in the server's."""
    address = program.address
    with link.client.entered(), connected(address, count) as clients, link.server.entered():
        yield clients


def test_a_bad_network_garbles_nothing(loop: str) -> None:
    """Every byte comes back in its place, and no timeout takes slowness for silence."""
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_IDLE_TIMEOUT_SECONDS": "20",
        "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "20",
    }
    size, results = 60_000, dict[int, bytes]()
    with network() as link, served(link, environ) as program:
        with opened(link, program, 6) as clients:
            link.quality = BAD
            talks = [
                threading.Thread(target=_talk, args=(client, number, size, results))
                for number, client in enumerate(clients)
            ]
            for talk in talks:
                talk.start()
            for talk in talks:
                talk.join(LONG)
            assert [results.get(n) == pattern(n, size) for n in range(6)] == [True] * 6
            assert link.lost > 0
            link.quality = Quality()
        eventually(lambda: program.metrics().value(CLOSED, reason="client") == 6)
        assert program.metrics().value(CLOSED) == 6


def _talk(client: socket.socket, number: int, size: int, results: dict[int, bytes]) -> None:
    """Send a pattern of its own, say FIN, keep what comes back until the server's."""
    client.settimeout(LONG)
    client.sendall(pattern(number, size))
    client.shutdown(socket.SHUT_WR)
    results[number] = read_exactly(client, size + 1)


OPTIONS = {
    (socket.IPPROTO_TCP, socket.TCP_NODELAY): 1,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 60,
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 10,
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): 3,
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): 90_000,
}
SOONER = {
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 1,
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 1,
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): 2000,
}


@pytest.mark.parametrize("has_sent", [False, True], ids=["idle", "unacknowledged"])
def test_a_vanished_peer_is_noticed(loop: str, has_sent: bool) -> None:  # noqa: FBT001
    """By keepalive, or because nothing is acknowledged: 90 s at most, here 2.

    The options are those of a connection that the running service has accepted; the test makes
    them sooner on that one connection, and the rest is the kernel's own doing.
    """
    with network() as link, served(link, {"BUOY_LOOP": loop}) as program:
        (worker,) = program.traffic()
        before = sockets(worker)
        with opened(link, program) as (client,):
            assert is_echoed(client)
            hasten(worker, client.getsockname())
            link.is_deaf = True
            link.is_mute = not has_sent
            if has_sent:
                client.sendall(b"echoed, and never acknowledged")
            eventually(lambda: program.metrics().value(CLOSED, reason="error") == 1)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        eventually(lambda: sockets(worker) == before)


def test_a_peer_that_vanishes_while_it_is_written_to_is_cut(loop: str) -> None:
    """At the write timeout: what is unsent does not wait for the kernel to give up."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "4"}
    with network() as link, served(link, environ) as program:
        (worker,) = program.traffic()
        before = sockets(worker)
        with opened(link, program) as (client,):
            paused = "echo_write_paused_total"
            fill(client, lambda: program.metrics().value(paused) > 0)
            link.cut()
            eventually(lambda: program.metrics().value(CLOSED, reason="write_timeout") == 1)
        eventually(lambda: sockets(worker) == before)
        assert program.metrics().value(ACTIVE) == 0


def sockets(pid: int) -> int:
    """Return how many sockets a process has open."""
    return len([f for f in Path(f"/proc/{pid}/fd").iterdir() if f.is_socket()])


def hasten(pid: int, peer: tuple[str, int]) -> None:
    """See that a process's connection has the service's options; make them sooner."""
    with borrowed(pid, peer) as connection:
        assert {name: connection.getsockopt(*name) for name in OPTIONS} == OPTIONS
        for name, value in SOONER.items():
            connection.setsockopt(*name, value)


PIDFD_GETFD = 438
"""The system call's number on every architecture (pidfd_getfd(2), Linux 5.6)."""


@contextmanager
def borrowed(pid: int, peer: tuple[str, int]) -> Iterator[socket.socket]:
    """Give a process's own connection to ``peer``: the same socket, not one like it."""
    process = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if not entry.is_socket():
                continue
            descriptor = ctypes.CDLL(None).syscall(PIDFD_GETFD, process, int(entry.name), 0)
            with socket.socket(fileno=descriptor) as copy:
                if _peer(copy) == peer:
                    yield copy
                    return
    finally:
        os.close(process)
    raise AssertionError(f"{pid} has no connection to {peer}")


def _peer(connection: socket.socket) -> object:
    try:
        return connection.getpeername()
    except OSError:
        return None
