"""TLS clients that read slowly, late, or never: the promises are those without TLS."""

import errno
import socket
import ssl
import time
from contextlib import ExitStack, suppress

import pytest

from tests.certificates import Authority, authority
from tests.clients import fill, is_echoed, open_wide, pattern, read_exactly, reset
from tests.integration.test_echo import most_memory
from tests.integration.test_echo_readers import ACTIVE, CLOSED, has_paused, held
from tests.integration.test_tls import secure
from tests.program import UNMEASURED, loop, running
from tests.waiting import eventually

__all__ = ["authority", "loop"]

pytestmark = pytest.mark.slow

ONE_READ = 256 * 1024
"""Bytes that go over the mark at most, on either loop."""

BENEATH = 1536 * 1024
"""Bytes that the loops' layer of TLS holds: 64 KiB and one read on their way out, 256 KiB and one
read that came in, 256 KiB to read into, its own state, and room that its buffers once needed."""

IDLE = {"uvloop": 64 * 1024, "asyncio": (64 + 256) * 1024}
"""Bytes of an idle connection: asyncio writes to all of what it reads into, from the start."""

ALLOCATOR = 8 * 1024 * 1024
"""Bytes that a worker takes once, whoever comes."""


def test_a_client_that_does_not_read_is_not_read_from(loop: str, authority: Authority) -> None:
    """What the service holds for it stays bounded, and every byte comes back when it reads."""
    high_water = 64 * 1024
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_WRITE_BUFFER_BYTES": str(high_water),
        **authority.environ(),
    }
    context = authority.anonymous()
    with running("echo", environ) as program:
        program.await_workers(1)
        with secure(program, context, small=True) as slow:
            sent = fill(slow, lambda: has_paused(program))
            assert 0 < held(program) <= (high_water + ONE_READ) * 1.01  # records have headers
            with secure(program, context) as other:
                assert is_echoed(other)
            open_wide(slow)
            assert read_exactly(slow, sent) == pattern(0, sent)
            assert is_echoed(slow, pattern(sent, 65536))
        assert program.stop() == 0


def test_a_client_that_never_reads_is_cut(loop: str, authority: Authority) -> None:
    """At the write timeout, with RST: close_notify would say that this was all."""
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "4",
        **authority.environ(),
    }
    with running("echo", environ) as program:
        program.await_workers(1)
        with secure(program, authority.anonymous(), small=True) as stalled:
            began = time.monotonic()
            fill(stalled, lambda: has_paused(program))
            stuck = time.monotonic()
            eventually(lambda: program.metrics().value(CLOSED, reason="write_timeout") == 1)
            assert time.monotonic() - began >= 4
            assert time.monotonic() - stuck < 8
            # ssl tells of RST as of an end without close_notify, the kernel does not.
            error = stalled.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert error == errno.ECONNRESET
        metrics = program.metrics()
        assert metrics.value("echo_sent_bytes_total") < metrics.value("echo_received_bytes_total")
        assert metrics.value(ACTIVE) == 0
        assert program.stop() == 0


def test_clients_cost_a_bounded_amount_each(loop: str, authority: Authority) -> None:
    """A hundred, while they are idle; then as they never read, with what no bound counts."""
    count, high_water = 100, 256 * 1024
    environ = {
        "BUOY_LOOP": loop,
        "BUOY_ECHO_WRITE_BUFFER_BYTES": str(high_water),
        "BUOY_ECHO_WRITE_TIMEOUT_SECONDS": "300",
        **authority.environ(),
        **UNMEASURED,
    }
    context = authority.anonymous()
    with running("echo", environ) as program, ExitStack() as stack:
        (worker,) = program.await_workers(1)
        before = most_memory(worker)
        slow = [stack.enter_context(secure(program, context, small=True)) for _ in range(count)]
        assert all(is_echoed(client) for client in slow)
        assert most_memory(worker) - before <= count * IDLE[loop] + ALLOCATOR
        sent = dict.fromkeys(slow, 0)
        for client in slow:
            client.settimeout(0)

        def all_stuck() -> bool:
            was = sum(sent.values())
            for client in slow:
                with suppress(BlockingIOError, ssl.SSLWantWriteError):
                    sent[client] += client.send(pattern(sent[client], 65536))
            is_all = program.metrics().value("echo_write_paused_total") >= count
            return is_all and was == sum(sent.values())

        eventually(all_stuck)
        most = high_water + ONE_READ + BENEATH
        assert most_memory(worker) - before <= count * most + ALLOCATOR
        for client in slow:
            reset(client)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        assert program.stop() == 0
