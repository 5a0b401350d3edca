"""The drain, with real clients: nothing that was promised is lost, nobody is reset."""

import asyncio
import http.client
import os
import signal
import socket
import threading
import time
from contextlib import suppress

import pytest

from tests.clients import (
    Conversation,
    connect,
    connected,
    fill,
    is_echoed,
    open_wide,
    pattern,
    read_exactly,
    reset,
    stream,
    visit,
)
from tests.program import Metrics, Program, loop, running
from tests.waiting import PATIENCE, eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

CLIENTS = 200
STREAMS = 500


class Witness:
    """A kept connection to the admin port: it is answered once more after the last worker left.

    Until then the admin process is stopped: it would leave a second after the workers, and on a
    busy machine we may come later.
    """

    def __init__(self, program: Program) -> None:
        """Connect, ask once, and stop the admin process."""
        self._program = program
        self._connection = http.client.HTTPConnection(*program.admin_address, timeout=20)
        self._ask()
        self._answer()
        (self._admin,) = program.admin()
        os.kill(self._admin, signal.SIGSTOP)

    def final_metrics(self, workers: int) -> Metrics:
        """Return what the counters say once all traffic workers have stopped."""
        eventually(lambda: len(self._program.logged("stopped")) == workers)
        try:
            self._ask()
            os.kill(self._admin, signal.SIGCONT)
            return Metrics.parse(self._answer())
        finally:
            self._connection.close()

    def _ask(self) -> None:
        self._connection.request("GET", "/metrics")

    def _answer(self) -> str:
        return self._connection.getresponse().read().decode()


async def test_every_echo_client_gets_a_prefix_then_fin(loop: str) -> None:
    """500 clients stream into SIGTERM: a prefix of what each sent, FIN, no RST, exit 0.

    And the service says that it sent every byte that it received.
    """
    with running("echo", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        talks = [Conversation() for _ in range(STREAMS)]
        clients = [asyncio.create_task(stream(program.address, talk)) for talk in talks]
        await asyncio.to_thread(eventually, lambda: all(talk.received for talk in talks))
        witness = await asyncio.to_thread(Witness, program)
        program.send(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*clients), 30)
        final = await asyncio.to_thread(witness.final_metrics, 2)
        assert await asyncio.to_thread(program.wait) == 0
    assert {talk.end for talk in talks} == {"fin"}
    assert all(talk.is_prefix for talk in talks)
    received = sum(talk.received for talk in talks)
    assert final.value("echo_received_bytes_total") == received
    assert final.value("echo_sent_bytes_total") == received
    assert final.value("echo_connections_closed_total", reason="drain") == STREAMS


async def test_every_request_that_was_sent_is_answered(loop: str) -> None:
    """200 keep-alive clients ask into SIGTERM: nobody's request is lost, everybody is told."""
    with running("web", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        visits = [
            asyncio.create_task(visit(program.address, "/", lambda: True)) for _ in range(CLIENTS)
        ]
        asked = "web_requests_total"
        await asyncio.to_thread(eventually, lambda: program.metrics().value(asked) > 5 * CLIENTS)
        witness = await asyncio.to_thread(Witness, program)
        program.send(signal.SIGTERM)
        seen = await asyncio.wait_for(asyncio.gather(*visits), 15)
        final = await asyncio.to_thread(witness.final_metrics, 2)
        assert await asyncio.to_thread(program.wait) == 0
    assert [each for each in seen if each.unanswered or not each.told_to_close] == []
    assert set().union(*(each.statuses for each in seen)) == {200}
    assert final.value(asked) == sum(each.answered for each in seen)


def test_a_slow_reader_gets_all_that_was_taken_from_it(loop: str) -> None:
    """It reads only when others have been given up, and still sends: no byte is missing, no RST."""
    environ = {"BUOY_LOOP": loop, "BUOY_ECHO_WRITE_BUFFER_BYTES": "65536"}
    with running("echo", environ) as program:
        program.await_workers(1)
        with connected(program.address, 1), connect(program.address, small=True) as slow:
            fill(slow, lambda: program.metrics().value("echo_write_paused_total") > 0)
            program.send(signal.SIGTERM)
            drained = {"reason": "drain"}
            eventually(
                lambda: program.metrics().value("echo_connections_closed_total", **drained) == 1
            )
            witness = Witness(program)
            open_wide(slow)
            received = 0
            while piece := slow.recv(65536):
                assert piece == pattern(received, len(piece))
                received += len(piece)
                with suppress(BlockingIOError):
                    slow.send(b"more", socket.MSG_DONTWAIT)
        final = witness.final_metrics(1)
        assert program.wait() == 0
    assert final.value("echo_received_bytes_total") == received
    assert final.value("echo_sent_bytes_total") == received


def read_slowly(connection: socket.socket, sent: int) -> int:
    """Send as much as there is room for, read less, until FIN; return how much was read."""
    received, calm = 0, threading.Event()
    while piece := connection.recv(8192):
        assert piece == pattern(received, len(piece))
        received += len(piece)
        with suppress(BlockingIOError):
            sent += connection.send(pattern(sent, 65536), socket.MSG_DONTWAIT)
        calm.wait(0.05)
    return received


@pytest.mark.parametrize("reason", ["drain", "max_age"])
def test_who_is_finished_may_read_for_longer_than_a_while(loop: str, reason: str) -> None:
    """All that was taken from it arrives, though the kernel holds seconds of it.

    And though it still sends, so that to close would reset it.
    """
    ages = {"BUOY_ECHO_MAX_AGE_SECONDS": "4"} if reason == "max_age" else {}
    with running("echo", {"BUOY_LOOP": loop, **ages}) as program:
        program.await_workers(1)
        with connect(program.address, small=True) as slow:
            sent = fill(slow, lambda: program.metrics().value("echo_write_paused_total") > 0)
            slow.settimeout(PATIENCE)
            witness = Witness(program)
            if reason == "drain":
                program.send(signal.SIGTERM)
            received = read_slowly(slow, sent)
        program.send(signal.SIGTERM)
        final = witness.final_metrics(1)
        assert program.wait() == 0
    assert final.value("echo_received_bytes_total") == received
    assert final.value("echo_sent_bytes_total") == received


def test_who_does_not_read_is_cut_at_the_deadline(loop: str) -> None:
    """And counted; the service does not wait for ever for anybody."""
    environ = {"BUOY_LOOP": loop, "BUOY_DRAIN_TIMEOUT_SECONDS": "2"}
    with running("echo", environ) as program:
        program.await_workers(1)
        with connect(program.address, small=True) as stalled:
            fill(stalled, lambda: program.metrics().value("echo_write_paused_total") > 0)
            witness = Witness(program)
            began = time.monotonic()
            program.send(signal.SIGTERM)
            final = witness.final_metrics(1)
            assert program.wait() == 0
            assert 2 <= time.monotonic() - began < 20
    assert final.value("echo_connections_closed_total", reason="abort") == 1
    assert final.value("echo_sent_bytes_total") < final.value("echo_received_bytes_total")
    assert program.logged("drain cut short")


async def test_clients_that_reset_do_not_spoil_the_drain(loop: str) -> None:
    """Half of 100 streaming clients reset at the very moment; the others get a prefix, then FIN."""
    with running("echo", {"BUOY_LOOP": loop}) as program:
        talks = [Conversation() for _ in range(50)]
        clients = [asyncio.create_task(stream(program.address, talk)) for talk in talks]
        await asyncio.to_thread(eventually, lambda: all(talk.received for talk in talks))
        (worker,) = await asyncio.to_thread(program.await_workers, 1)
        with connected(program.address, 50) as resetting:
            assert all(is_echoed(client) for client in resetting)
            # Stopped, so that it learns of the signal and of every reset at once.
            os.kill(worker, signal.SIGSTOP)
            program.send(signal.SIGTERM)
            await asyncio.to_thread(eventually, lambda: not program.is_ready())
            for client in resetting:
                reset(client)
            os.kill(worker, signal.SIGCONT)
        await asyncio.wait_for(asyncio.gather(*clients), 15)
        assert await asyncio.to_thread(program.wait) == 0
    assert {talk.end for talk in talks} == {"fin"}
    assert all(talk.is_prefix for talk in talks)
    assert program.logged("drain cut short") == []


@pytest.mark.parametrize("request_bytes", [b"NONSENSE\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n"])
def test_a_malformed_request_is_answered_without_versions(request_bytes: bytes) -> None:
    """400 with problem details, and a close; what runs here is nobody's business."""
    with running("web") as program:
        with connect(program.address) as client:
            client.sendall(request_bytes)
            head, _, body = read_exactly(client, 100_000).partition(b"\r\n\r\n")
        assert head.split()[1] == b"400"
        assert b"aiohttp" not in head
        assert b'"status":400' in body
        assert program.stop() == 0
