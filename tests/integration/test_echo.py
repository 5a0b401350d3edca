"""The echo service: every byte back as it came, whatever the client does."""

import asyncio
import hashlib
import os
import socket

import pytest

from tests.clients import (
    connect,
    connected,
    fill,
    is_echoed,
    is_served,
    open_wide,
    pattern,
    read_exactly,
    reset,
)
from tests.program import Program, loop, running
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
        eventually(lambda: program.metrics().value("echo_received_bytes_total") == sent)
        metrics = program.metrics()
        assert metrics.value("echo_sent_bytes_total") == sent
        assert metrics.value("echo_messages_total") >= len(AWKWARD)
        assert metrics.value(CLOSED, reason="client") == 1
        assert metrics.value("echo_connection_duration_seconds_count") == 1
        assert program.stop() == 0


async def test_64_mebibytes_come_back(loop: str) -> None:
    """Sent as fast as they are read, in pieces of any size."""
    size = 64 * 1024 * 1024
    data = pattern(0, 8 * 1024 * 1024) * 8
    with running("echo", {"BUOY_LOOP": loop}) as program:
        reader, writer = await asyncio.open_connection(*program.address, limit=1024 * 1024)
        writer.write(data)
        writer.write_eof()
        digest = hashlib.sha256()
        received = 0
        while piece := await reader.read(1024 * 1024):
            digest.update(piece)
            received += len(piece)
        writer.close()
        await writer.wait_closed()
        assert await asyncio.to_thread(program.stop) == 0
    assert received == size
    assert digest.digest() == hashlib.sha256(data).digest()


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


def has_paused(program: Program) -> bool:
    """Return whether the service has stopped to read from somebody."""
    return program.metrics().value("echo_write_paused_total") > 0


def test_a_client_that_does_not_read_is_not_read_from(loop: str) -> None:
    """What the service holds for it stays bounded, the others are served, and nothing is lost."""
    high_water = 64 * 1024
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_WRITE_BUFFER_BYTES": str(high_water)}
    with running("echo", environ) as program:
        program.await_workers(1)
        with connect(program.address, small=True) as slow:
            sent = fill(slow, lambda: has_paused(program))
            metrics = program.metrics()
            held = metrics.value("echo_received_bytes_total") - metrics.value(
                "echo_sent_bytes_total"
            )
            # The mark, and the one read that went over it: 256 KiB on either loop.
            assert 0 < held <= high_water + 256 * 1024
            with connect(program.address) as other:
                assert is_echoed(other)
            open_wide(slow)
            assert read_exactly(slow, sent) == pattern(0, sent)
            assert is_echoed(slow)
        assert program.stop() == 0


def test_a_client_that_never_reads_is_cut(loop: str) -> None:
    """At the write timeout, counted as such; what it was not sent is not counted as sent."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "1"}
    with running("echo", environ) as program:
        program.await_workers(1)
        with connect(program.address, small=True) as stalled:
            sent = fill(stalled, lambda: has_paused(program))
            eventually(lambda: program.metrics().value(CLOSED, reason="write_timeout") == 1)
            with pytest.raises(ConnectionError):
                read_exactly(stalled, sent)
        metrics = program.metrics()
        received = metrics.value("echo_received_bytes_total")
        assert metrics.value("echo_sent_bytes_total") < received
        assert program.stop() == 0


def test_an_idle_connection_is_closed(loop: str) -> None:
    """With FIN, at the idle timeout; one that talks now and then is kept."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_IDLE_TIMEOUT_SECONDS": "2"}
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
    """Hundreds, with and without data on the way: no error is logged, nothing stays behind."""
    with running("echo", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        for number in range(300):
            client = connect(program.address)
            if number % 3:
                client.sendall(pattern(0, 1000 * number))
            if number % 3 == 1:
                client.recv(1)
            reset(client)
        eventually(lambda: program.metrics().value("bellbuoy_connections_accepted_total") == 300)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        assert program.metrics().value(CLOSED) == 300
        with connect(program.address) as client:
            assert is_served(client)
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
