"""The echo service: every byte back as it came, whatever the client does."""

import os
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

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


def test_256_mebibytes_come_back(loop: str) -> None:
    """In one write, read meanwhile; the service holds a small part of it at any time."""
    size = 256 * 1024 * 1024
    data = bytearray(pattern(0, size))
    with running("echo", {"BUOY_LOOP": loop}) as program:
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


def open_sockets(pid: int) -> int:
    """Return how many sockets a process has open."""
    return len([f for f in Path(f"/proc/{pid}/fd").iterdir() if f.is_socket()])


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


def test_many_clients_that_do_not_read_cost_a_bounded_amount_each(loop: str) -> None:
    """A hundred of them: the mark and one read; whoever reads is served."""
    count, high_water, one_read = 100, 64 * 1024, 256 * 1024
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_WRITE_BUFFER_BYTES": str(high_water)}
    with running("echo", environ) as program, ExitStack() as stack:
        (worker,) = program.await_workers(1)
        before = most_memory(worker)
        slow = [stack.enter_context(connect(program.address, small=True)) for _ in range(count)]
        for client in slow:
            client.settimeout(0)

        def all_paused() -> bool:
            for client in slow:
                with suppress(BlockingIOError):
                    client.send(pattern(0, 65536))
            return program.metrics().value("echo_write_paused_total") >= count

        eventually(all_paused)
        with connect(program.address) as other:
            assert all(is_echoed(other) for _ in range(100))
        metrics = program.metrics()
        received = metrics.value("echo_received_bytes_total")
        held = received - metrics.value("echo_sent_bytes_total")
        assert held <= count * (high_water + one_read)
        assert most_memory(worker) - before <= count * (high_water + one_read) + 16 * 1024 * 1024
        for client in slow:
            reset(client)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        assert program.stop() == 0


def test_after_its_fin_a_client_must_read_the_rest_in_time(loop: str) -> None:
    """Or it is cut at the half-close timeout; one that reads in time gets everything."""
    size = 8 * 1024 * 1024
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_HALF_CLOSE_TIMEOUT_SECONDS": "1",
        "BUOY_ECHO_WRITE_BUFFER_BYTES": str(2 * size),  # so that the service reads up to the FIN
    }
    with running("echo", environ) as program:
        program.await_workers(1)
        with connect(program.address, small=True) as stalled:
            stalled.sendall(pattern(0, size))
            stalled.shutdown(socket.SHUT_WR)
            ended = {"reason": "half_close_timeout"}
            eventually(lambda: program.metrics().value(CLOSED, **ended) == 1)
            with pytest.raises(ConnectionError):
                read_exactly(stalled, size)
        assert program.metrics().value("echo_received_bytes_total") == size
        assert program.metrics().value("echo_sent_bytes_total") < size
        with connect(program.address) as reading:
            reading.sendall(pattern(0, size))
            reading.shutdown(socket.SHUT_WR)
            assert read_exactly(reading, size + 1) == pattern(0, size)
        assert program.stop() == 0


def test_old_connections_are_finished(loop: str) -> None:
    """At their age they get what they sent, then FIN; nobody is reset."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_MAX_AGE_SECONDS": "1"}
    with running("echo", environ) as program:
        program.await_workers(1)
        began = time.monotonic()
        with connected(program.address, 20) as clients:
            assert all(is_echoed(client) for client in clients)
            for client in clients:
                assert client.recv(1) == b""
                assert time.monotonic() - began >= 0.9
                client.sendall(b"too late, and no reset")
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
        eventually(lambda: program.metrics().value(CLOSED, reason="max_age") == 20)
        assert program.stop() == 0


def test_hundreds_of_silent_connections_are_closed(loop: str) -> None:
    """Not before the idle timeout; others are accepted and served meanwhile."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_IDLE_TIMEOUT_SECONDS": "2"}
    with running("echo", environ) as program:
        program.await_workers(1)
        began = time.monotonic()
        with connected(program.address, 300) as silent:
            with connect(program.address) as other:
                assert is_echoed(other)
            for client in silent:
                assert client.recv(1) == b""
                assert time.monotonic() - began >= 2
        eventually(lambda: program.metrics().value(CLOSED, reason="idle_timeout") == 300)
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
        (worker,) = program.await_workers(1)
        sockets = open_sockets(worker)
        for number in range(1000):
            client = connect(program.address)
            if number % 3:
                client.sendall(pattern(0, 300 * number))
            if number % 3 == 1:
                client.recv(1)
            reset(client)
        eventually(lambda: program.metrics().value("bellbuoy_connections_accepted_total") == 1000)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        assert program.metrics().value(CLOSED) == 1000
        eventually(lambda: open_sockets(worker) == sockets)
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
