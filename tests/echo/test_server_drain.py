"""How the echo server stops: everybody is finished, and who does not go is closed."""

import asyncio

from bellbuoy import timeouts
from echo.families import CLOSED
from tests.bellbuoy.host.listening import client
from tests.echo.serving import SETTINGS, Bench, bench, served
from tests.waiting import soon

__all__ = ["bench"]


async def test_abort_cuts_everything(bench: Bench) -> None:
    """With its reason."""
    made = [bench.connect() for _ in range(3)]
    bench.server.abort()
    for connection, transport in made:
        assert transport.asked == ["abort"]
        connection.connection_lost(None)
    assert bench.count(CLOSED, reason="abort") == 3


async def test_a_drain_finishes_everybody_even_after_a_reset(bench: Bench) -> None:
    """One that is gone already does not keep the others from their FIN."""
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


async def test_a_drain_closes_who_says_no_fin(bench: Bench) -> None:
    """After a linger; it ends when the last is gone."""
    connection, transport = bench.connect()
    draining = asyncio.ensure_future(bench.server.drain())

    def is_closing_by_and_by() -> bool:
        bench.now += timeouts.LINGER / 2
        return transport.is_closing()

    await soon(is_closing_by_and_by)
    assert not draining.done()
    connection.connection_lost(None)
    await asyncio.wait_for(draining, 10)
    assert bench.count(CLOSED, reason="drain") == 1


async def test_who_is_finished_is_not_idle(bench: Bench) -> None:
    """It has the drain's time to read what the kernel holds; to close would reset it."""
    connection, transport = bench.connect()
    connection.finish("drain")
    bench.now += SETTINGS.echo_idle_timeout_seconds
    bench.server.expire()
    assert transport.asked == ["resume_reading", "write_eof"]
    connection.connection_lost(None)
    assert bench.count(CLOSED, reason="drain") == 1


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
