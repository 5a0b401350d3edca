"""The echo service: every byte back as it came, whatever the client does."""

import itertools
import os
import socket
import threading
from pathlib import Path

import pytest

from tests.clients import (
    connect,
    connected,
    is_echoed,
    pattern,
    read_exactly,
)
from tests.program import UNMEASURED, Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

CLOSED = "echo_connections_closed_total"
ACTIVE = "bellbuoy_connections_active"

AWKWARD = {
    "random": os.urandom(100_000),
    "NUL": bytes(1000),
    "every byte": bytes(range(256)),
    "invalid UTF-8": b"\xff\xfe\xc0\x80\xed\xa0\x80\xf5\x80\x80\x80\xe2\x82",
    "split characters": "🛟 Bellbuoy · ñ · 漢字".encode(),
    "no newline": b"x" * 1_000_000,
    "one byte": b"!",
}


def test_bytes_come_back_as_they_were_sent(loop: str) -> None:
    """Whatever they are, at once or one by one; and their count is right."""
    with running("echo", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        with connect(program.address) as client:
            for name, data in AWKWARD.items():
                client.sendall(data)
                assert read_exactly(client, len(data)) == data, name
            for piece in AWKWARD["split characters"]:
                assert is_echoed(client, bytes([piece]))
        sent = sum(map(len, AWKWARD.values())) + len(AWKWARD["split characters"])
        eventually(lambda: program.metrics().value(CLOSED, reason="client") == 1)
        metrics = program.metrics()
        assert metrics.value("echo_received_bytes_total") == sent
        assert metrics.value("echo_sent_bytes_total") == sent
        assert metrics.value("echo_messages_total") >= len(AWKWARD)
        assert metrics.value("echo_connection_duration_seconds_count") == 1
        assert program.stop() == 0


@pytest.mark.parametrize("most", [1, 3])
def test_bytes_come_back_in_slices(loop: str, most: int) -> None:
    """Each written by itself, without waiting for the one before; characters are split anyhow."""
    text = AWKWARD["split characters"] * 1000
    sizes = itertools.cycle(range(1, most + 1))
    with running("echo", {"BUOY_LOOP": loop}) as program:
        with connect(program.address) as client:
            assert is_echoed(client), "it is read from, and not first in the end"
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said = 0
            while piece := text[said : said + next(sizes)]:
                said += client.send(piece)
            client.shutdown(socket.SHUT_WR)
            assert read_exactly(client, len(text) + 1) == text
        eventually(lambda: program.metrics().value(CLOSED, reason="client") == 1)
        metrics = program.metrics()
        assert metrics.value("echo_received_bytes_total") == len(text) + len(b"ping")
        assert metrics.value("echo_messages_total") > 10, "it was cut to pieces"
        assert program.stop() == 0


def test_256_mebibytes_come_back(loop: str) -> None:
    """In one write, read meanwhile; the service holds a small part of it at any time."""
    size = 256 * 1024 * 1024
    data = bytearray(pattern(0, size))
    with running("echo", {"BUOY_LOOP": loop, **UNMEASURED}) as program:
        (worker,) = program.await_workers(1)
        before = most_memory(worker)
        with connect(program.address) as client:
            sending = threading.Thread(target=_say_all, args=(client, data))
            sending.start()
            with memoryview(data) as view:
                received = 0
                while piece := client.recv(1024 * 1024):
                    assert piece == view[received : received + len(piece)]
                    received += len(piece)
            sending.join()
        assert received == size
        assert most_memory(worker) - before < 32 * 1024 * 1024
        assert program.stop() == 0


def _say_all(client: socket.socket, data: bytearray) -> None:
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)


def most_memory(pid: int) -> int:
    """Return the most bytes that a process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_a_half_closed_connection_gets_everything_then_fin(loop: str) -> None:
    """The client says FIN before it reads anything: all it sent, then FIN, and no RST."""
    with running("echo", {"BUOY_LOOP": loop}) as program:
        data = pattern(0, 200_000)
        with connect(program.address) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert read_exactly(client, len(data) + 1) == data
        eventually(lambda: program.metrics().value(CLOSED, reason="client") == 1)
        assert program.stop() == 0


def test_connections_show_as_tasks(loop: str) -> None:
    """Who is connected how long is on ``/tasks``; who left is counted as completed."""
    with running("echo", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        with connected(program.address, 3) as clients:
            assert all(is_echoed(client) for client in clients)
            clients[0].close()
            eventually(lambda: _connections(program) == (3, 2, 1))
        assert program.stop() == 0


def _connections(program: Program) -> tuple[int, int, int]:
    """Return how many were made, are open, and have ended well."""
    tasks = program.get("/tasks").json()["tasks"]
    if "echo.connection" not in tasks:
        return 0, 0, 0
    connection = tasks["echo.connection"]
    return connection["started"], connection["running"], connection["outcomes"]["completed"]
