"""The echo server: counts in sweeps, closes what does not move, ends in order."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bellbuoy import timeouts
from bellbuoy.host import Worker
from bellbuoy.host.tls import Certificates, TlsFiles
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Family, Layout
from bellbuoy.monitor import AsyncMonitor
from echo.connection import EchoConnection
from echo.families import CLOSED, DURATION, FAMILIES, MESSAGES, PAUSES, RECEIVED, SENT
from echo.server import EchoServer
from echo.settings import EchoSettings
from tests.bellbuoy.host.listening import client, listening
from tests.certificates import Authority, authority
from tests.echo.transports import Transport
from tests.waiting import soon

__all__ = ["authority"]

SETTINGS = EchoSettings(echo_idle_timeout_seconds=100.0, echo_write_timeout_seconds=10.0)


class Bench:
    """A server with a clock of the test's own, and connections without a network."""

    def __init__(self, settings: EchoSettings = SETTINGS) -> None:
        """Hold no connection yet."""
        self.instruments = Instruments(Layout(FAMILIES))
        self.monitor = AsyncMonitor()
        self.server = EchoServer(settings, Worker(self.instruments, self.monitor))
        self.now = 1000.0
        self.server._loop = self  # type: ignore[assignment]  # all it asks is the time

    def time(self) -> float:
        """Return what the test says."""
        return self.now

    def connect(self) -> tuple[EchoConnection, Transport]:
        """Return a connection and its transport."""
        connection, transport = self.server.protocol(), Transport()
        connection.connection_made(transport)
        return connection, transport

    def count(self, family: Family, **labels: str) -> float:
        """Return a counter."""
        return self.instruments.counter(family, **labels).value


@pytest.fixture
async def bench() -> Bench:
    """A server, in the test's loop."""
    return Bench()


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


async def test_a_quiet_connection_is_closed_at_the_idle_timeout(bench: Bench) -> None:
    """Not before; and movement begins it anew."""
    (_, quiet), (connection, lively) = bench.connect(), bench.connect()
    bench.now += 99
    connection.data_received(b"!")
    bench.server.sweep()
    bench.server.expire()
    assert (quiet.asked, lively.asked) == ([], [])
    bench.now += 1
    bench.server.expire()
    assert (quiet.asked, lively.asked) == (["close"], [])


async def test_a_stalled_reader_is_cut_at_the_write_timeout(bench: Bench) -> None:
    """What it was not sent is not counted as sent."""
    connection, transport = bench.connect()
    connection.data_received(b"x" * 100)
    transport.unsent = 60
    bench.server.sweep()
    bench.now += 9
    bench.server.sweep()
    bench.server.expire()
    assert transport.asked == []
    bench.now += 1
    bench.server.expire()
    assert transport.asked == ["abort"]
    connection.connection_lost(None)
    assert (bench.count(RECEIVED), bench.count(SENT)) == (100, 40)
    assert bench.count(CLOSED, reason="write_timeout") == 1


async def test_a_reader_that_gets_on_is_not_cut(bench: Bench) -> None:
    """However slowly."""
    connection, transport = bench.connect()
    connection.data_received(b"x" * 100)
    for unsent in range(60, 50, -1):
        transport.unsent = unsent
        bench.server.sweep()
        bench.now += 9
        bench.server.expire()
    assert transport.asked == []


async def test_a_client_that_said_fin_must_read_the_rest_in_time(bench: Bench) -> None:
    """Otherwise it is cut; one that had everything, or gets it in time, is nobody's business."""
    (slow, waits), (_, other) = bench.connect(), bench.connect()
    waits.unsent = 60
    slow.data_received(b"x" * 100)
    slow.eof_received()
    bench.now += 9
    bench.server.expire()
    assert waits.asked == []
    bench.now += 1
    bench.server.expire()
    assert (waits.asked, other.asked) == (["abort"], [])
    slow.connection_lost(None)
    assert (bench.count(RECEIVED), bench.count(SENT)) == (100, 40)
    assert bench.count(CLOSED, reason="half_close_timeout") == 1
    bench.server.expire()


async def test_a_connection_ends_at_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth more or less; finished in order, and closed when it says no FIN."""
    monkeypatch.setattr(timeouts, "LINGER", 3.0)
    bench = Bench(dataclasses.replace(SETTINGS, echo_max_age_seconds=50.0))
    made = [bench.connect() for _ in range(20)]
    bench.now += 44.9
    bench.server.expire()
    assert [transport.asked for _, transport in made] == [[]] * 20
    bench.now += 5
    bench.server.expire()
    ended = sum("write_eof" in transport.asked for _, transport in made)
    assert 0 < ended < 20
    bench.now += 5.2
    bench.server.expire()
    bench.server.expire()
    assert all(transport.asked.count("write_eof") == 1 for _, transport in made)
    bench.now += 3
    bench.server.expire()
    assert all(transport.asked[-1] == "close" for _, transport in made)
    for connection, _ in made:
        connection.connection_lost(None)
    assert bench.count(CLOSED, reason="max_age") == 20


async def test_an_old_connection_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is quiet because it was told to be; its end keeps its reason."""
    monkeypatch.setattr(timeouts, "LINGER", 1000.0)
    bench = Bench(dataclasses.replace(SETTINGS, echo_max_age_seconds=50.0))
    connection, transport = bench.connect()
    for seconds in (60, 100):
        bench.now += seconds
        bench.server.expire()
    assert transport.asked == ["resume_reading", "write_eof"]
    connection.connection_lost(None)
    assert bench.count(CLOSED, reason="max_age") == 1


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


async def test_abort_cuts_everything(bench: Bench) -> None:
    """With its reason."""
    made = [bench.connect() for _ in range(3)]
    bench.server.abort()
    for connection, transport in made:
        assert transport.asked == ["abort"]
        connection.connection_lost(None)
    assert bench.count(CLOSED, reason="abort") == 3


async def test_a_drain_finishes_everybody_even_after_a_reset(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is gone already does not keep the others from their FIN."""
    monkeypatch.setattr(timeouts, "LINGER", 0.01)
    made = [bench.connect() for _ in range(3)]
    made[0][1].has_reset = True
    draining = asyncio.ensure_future(bench.server.drain())
    await soon(lambda: all(transport.asked for _, transport in made))
    assert [transport.asked[-1] for _, transport in made] == ["abort", "write_eof", "write_eof"]
    for connection, _ in made:
        connection.connection_lost(None)
    await asyncio.wait_for(draining, 10)


async def test_what_was_sent_before_the_end_is_echoed() -> None:
    """The bytes of a client that came with the last accept are read before it gets its FIN."""
    async with served() as (server, address), client(address) as talk:
        await soon(lambda: server.connections)
        draining = asyncio.ensure_future(server.drain())
        await asyncio.sleep(0)
        talk.writer.write(b"just in time")
        assert await asyncio.wait_for(talk.reader.read(), 10) == b"just in time"
        talk.writer.close()
        await asyncio.wait_for(draining, 10)


async def test_a_drain_closes_who_says_no_fin(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a linger; it ends when the last is gone."""
    monkeypatch.setattr(timeouts, "LINGER", 0.01)
    connection, transport = bench.connect()
    draining = asyncio.ensure_future(bench.server.drain())
    await soon(transport.is_closing)
    assert not draining.done()
    connection.connection_lost(None)
    await asyncio.wait_for(draining, 10)
    assert bench.count(CLOSED, reason="drain") == 1


@asynccontextmanager
async def served() -> AsyncIterator[tuple[EchoServer, tuple[str, int]]]:
    """A server on a real listener."""
    server = EchoServer(SETTINGS, Worker(Instruments(Layout(FAMILIES)), AsyncMonitor()))
    async with listening(server) as address:
        yield server, address


async def test_a_half_closed_client_gets_everything_then_fin() -> None:
    """On a real connection, on either loop."""
    async with served() as (server, address), client(address) as talk:
        talk.writer.write(b"x" * 200_000)
        talk.writer.write_eof()
        assert await asyncio.wait_for(talk.reader.read(), 10) == b"x" * 200_000
        await soon(lambda: not len(server.connections))


async def test_a_drained_client_gets_a_prefix_then_fin() -> None:
    """And what it goes on to send does not reset it."""
    async with served() as (server, address), client(address) as talk:
        talk.writer.write(b"before")
        assert await talk.reader.readexactly(6) == b"before"
        draining = asyncio.ensure_future(server.drain())
        assert await asyncio.wait_for(talk.reader.read(), 10) == b""
        for _ in range(10):
            talk.writer.write(b"after")
            await talk.writer.drain()
        talk.writer.write_eof()
        await asyncio.wait_for(draining, 10)
