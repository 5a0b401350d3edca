"""The echo server: counts in sweeps, closes what does not move, ends in order."""

import asyncio

from bellbuoy.host import Worker
from bellbuoy.host.tls import Certificates, TlsFiles
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from echo.families import CLOSED, DURATION, FAMILIES, MESSAGES, PAUSES, RECEIVED, SENT
from echo.server import EchoServer
from tests.bellbuoy.host.listening import client
from tests.certificates import Authority, authority
from tests.echo.serving import SETTINGS, Bench, bench, served
from tests.waiting import soon

__all__ = ["authority", "bench"]


async def test_a_sweep_counts_what_moved(bench: Bench) -> None:
    """Once; what is unsent is not counted as sent until it is."""
    (connection, transport), _ = bench.connect(), bench.connect()
    connection.data_received(b"12345")
    connection.data_received(b"67890")
    assert bench.count(RECEIVED) == 0, "nothing is stored for a message"
    transport.unsent = 4
    bench.server.sweep()
    assert [bench.count(family) for family in (MESSAGES, RECEIVED, SENT)] == [2, 10, 6]
    transport.unsent = 0
    bench.server.sweep()
    bench.server.sweep()
    assert [bench.count(family) for family in (MESSAGES, RECEIVED, SENT)] == [2, 10, 10]


async def test_what_moved_since_the_last_sweep_is_counted_at_the_end(bench: Bench) -> None:
    """With the reason, the duration, and as a task that completed."""
    connection, _ = bench.connect()
    connection.data_received(b"12345")
    connection.connection_lost(None)
    assert [bench.count(family) for family in (MESSAGES, RECEIVED, SENT)] == [1, 5, 5]
    assert bench.count(CLOSED, reason="client") == 1
    cells = bench.instruments.cells[bench.instruments.layout.starts[DURATION.name] :]
    assert cells[0] == 1
    stats = bench.monitor.get_stats().tasks["echo.connection"]
    assert (stats.started, stats.completed, stats.running) == (1, 1, 0)
    bench.server.sweep()
    assert bench.count(RECEIVED) == 5
    assert len(bench.server.connections) == 0


async def test_a_reset_is_a_failed_task(bench: Bench) -> None:
    """Shown with its error, and counted as such."""
    connection, _ = bench.connect()
    connection.connection_lost(ConnectionResetError("reset"))
    assert bench.count(CLOSED, reason="error") == 1
    stats = bench.monitor.get_stats().tasks["echo.connection"]
    assert stats.failed == 1
    assert stats.last_error is not None
    assert stats.last_error.type == "ConnectionResetError"


async def test_slow_readers_are_counted(bench: Bench) -> None:
    """Each time that reading stops."""
    connection, _ = bench.connect()
    connection.pause_writing()
    assert bench.count(PAUSES) == 1


async def test_new_certificates_are_looked_for(authority: Authority) -> None:
    """And used from the next handshake on; without TLS there are none."""
    files = TlsFiles(authority.certificate, authority.key)
    worker = Worker(Instruments(Layout(FAMILIES)), AsyncMonitor())
    server = EchoServer(SETTINGS, worker, Certificates(files))
    before = server.tls
    server.refresh()
    assert server.tls is before
    authority.renew()
    server.refresh()
    assert server.tls is not before
    plain = EchoServer(SETTINGS, worker)
    plain.refresh()
    assert (plain.tls, plain.proxies) == (None, None)


async def test_a_half_closed_client_gets_everything_then_fin() -> None:
    """On a real connection, on either loop."""
    async with served() as (server, address), client(address) as talk:
        talk.writer.write(b"x" * 200_000)
        talk.writer.write_eof()
        assert await asyncio.wait_for(talk.reader.read(), 10) == b"x" * 200_000
        await soon(lambda: not len(server.connections))
