"""Clients that read slowly, late, or never: bounded, and nobody else's problem."""

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.clients import (
    connect,
    fill,
    is_echoed,
    open_wide,
    pattern,
    read_exactly,
    reset,
    room,
    usual_wait,
)
from tests.integration.test_echo import most_memory
from tests.program import UNMEASURED, Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

CLOSED = "echo_connections_closed_total"
ACTIVE = "bellbuoy_connections_active"
MIB = 1024 * 1024


def has_paused(program: Program, times: int = 1) -> bool:
    """Return whether the service has stopped to read from somebody, so often."""
    return program.metrics().value("echo_write_paused_total") >= times


def held(program: Program) -> float:
    """Return how many bytes it has read and not handed to the kernel."""
    metrics = program.metrics()
    return metrics.value("echo_received_bytes_total") - metrics.value("echo_sent_bytes_total")


def resident(pid: int) -> int:
    """Return how many bytes of memory a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_a_client_that_does_not_read_is_not_read_from(loop: str) -> None:
    """What the service holds for it stays bounded, the others are served, and nothing is lost."""
    high_water = 64 * 1024
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_WRITE_BUFFER_BYTES": str(high_water)}
    with running("echo", environ) as program:
        program.await_workers(1)
        with connect(program.address, small=True) as slow:
            sent = fill(slow, lambda: has_paused(program))
            # The mark, and the one read that went over it: 256 KiB on either loop.
            assert 0 < held(program) <= high_water + 256 * 1024
            with connect(program.address) as other:
                assert is_echoed(other)
            open_wide(slow)
            assert read_exactly(slow, sent) == pattern(0, sent)
            assert is_echoed(slow)
        assert program.stop() == 0


def test_a_client_that_never_reads_is_cut(loop: str) -> None:
    """At the write timeout, counted as such; what it was not sent is not counted as sent.

    The next one has its memory.
    """
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "4",
        "BUOY_ECHO_WRITE_BUFFER_BYTES": str(64 * MIB),
    }
    with running("echo", environ) as program:
        (worker,) = program.await_workers(1)
        before = resident(worker)
        with connect(program.address, small=True) as stalled:
            began = time.monotonic()
            sent = fill(stalled, lambda: has_paused(program))
            stuck = time.monotonic()
            most = resident(worker)
            assert most - before > 48 * MIB
            eventually(lambda: program.metrics().value(CLOSED, reason="write_timeout") == 1)
            assert time.monotonic() - began >= 4
            assert time.monotonic() - stuck < 8
            with pytest.raises(ConnectionError):
                read_exactly(stalled, sent)
        metrics = program.metrics()
        received = metrics.value("echo_received_bytes_total")
        assert metrics.value("echo_sent_bytes_total") < received
        with connect(program.address, small=True) as another:
            fill(another, lambda: has_paused(program, 2))
            assert resident(worker) - most < 16 * MIB
        assert program.stop() == 0


def test_many_clients_that_do_not_read_cost_a_bounded_amount_each(loop: str) -> None:
    """A thousand of them: the mark and one read; whoever reads is served, and soon."""
    count, high_water, one_read = 1000, 64 * 1024, 256 * 1024
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_WRITE_BUFFER_BYTES": str(high_water),
        "BUOY_ECHO_WRITE_BUDGET_BYTES": str(count * (high_water + one_read)),
        "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "300",
        **UNMEASURED,
    }
    with room(count + 200), running("echo", environ) as program, ExitStack() as stack:
        (worker,) = program.await_workers(1)
        before = most_memory(worker)
        slow = [stack.enter_context(connect(program.address, small=True)) for _ in range(count)]
        for client in slow:
            client.settimeout(0)

        data = pattern(0, 65536)

        def all_paused() -> bool:
            for client in slow:
                with suppress(BlockingIOError):
                    client.send(data)
            return program.metrics().value("echo_write_paused_total") >= count

        eventually(all_paused)
        with connect(program.address) as other:
            assert usual_wait(other) < 0.02
        assert held(program) <= count * (high_water + one_read)
        assert most_memory(worker) - before <= count * (high_water + one_read) + 16 * 1024 * 1024
        for client in slow:
            reset(client)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        assert program.stop() == 0


def test_all_clients_that_do_not_read_have_one_budget(loop: str) -> None:
    """Those stalled longest are cut for it; memory stays bounded, whoever reads is served."""
    count, budget = 300, 8 * 1024 * 1024
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_WRITE_BUDGET_BYTES": str(budget),
        "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "300",
        **UNMEASURED,
    }
    with room(count + 200), running("echo", environ) as program, ExitStack() as stack:
        (worker,) = program.await_workers(1)
        before = most_memory(worker)
        other = stack.enter_context(connect(program.address))
        slow = [stack.enter_context(connect(program.address, small=True)) for _ in range(count)]
        for client in slow:
            client.settimeout(0)
        data = pattern(0, 65536)

        def push() -> None:
            for client in slow:
                with suppress(BlockingIOError, ConnectionError):
                    client.send(data)

        def most_are_cut() -> bool:
            push()
            return program.metrics().value(CLOSED, reason="write_budget") > count / 2

        eventually(most_are_cut)
        assert all(is_echoed(other) for _ in range(100))
        # What was read and is in line to be written, and what the allocator keeps beside it.
        assert most_memory(worker) - before <= 2 * budget + 16 * 1024 * 1024
        assert program.metrics().value(ACTIVE) < count
        assert program.stop() == 0


def test_after_its_fin_a_client_must_read_the_rest_in_time(loop: str) -> None:
    """Or it is cut at the half-close timeout; one that reads in time gets everything."""
    size = 8 * 1024 * 1024
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_HALF_CLOSE_TIMEOUT_SECONDS": "4",
        "BUOY_ECHO_WRITE_BUFFER_BYTES": str(2 * size),  # so that the service reads up to the FIN
    }
    with running("echo", environ) as program:
        program.await_workers(1)
        with connect(program.address, small=True) as stalled:
            stalled.sendall(pattern(0, size))
            stalled.shutdown(socket.SHUT_WR)
            silent = time.monotonic()
            ended = {"reason": "half_close_timeout"}
            eventually(lambda: program.metrics().value(CLOSED, **ended) == 1)
            assert 4 <= time.monotonic() - silent < 8
            with pytest.raises(ConnectionError):
                read_exactly(stalled, size)
        assert program.metrics().value("echo_received_bytes_total") == size
        assert program.metrics().value("echo_sent_bytes_total") < size
        with connect(program.address) as reading:
            reading.sendall(pattern(0, size))
            reading.shutdown(socket.SHUT_WR)
            assert read_exactly(reading, size + 1) == pattern(0, size)
        assert program.stop() == 0
