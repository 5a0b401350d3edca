"""The drain of HTTP connections: nothing that was asked in time goes unanswered."""

import asyncio

import pytest
import structlog.testing
from aiohttp import web

from bellbuoy import timeouts
from bellbuoy.errors import EnvironmentFault
from bellbuoy.host.web import FAMILIES, accesslog, server
from bellbuoy.host.web.protocol import HttpProtocol
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from tests.api.serving import served_app


class Desk:
    """An application whose answers a test holds back."""

    def __init__(self) -> None:
        """Hold nothing back yet."""
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_get("/", self._respond)

    async def _respond(self, request: web.Request) -> web.Response:
        if "wait" in request.query:
            self.asked.set()
            await self.answer.wait()
        return web.Response(text="done")


async def test_a_drain_without_connections_is_over_at_once() -> None:
    """Nobody is waited for."""
    async with served_app(Desk().app) as served:
        served.server.announce_drain()
        await asyncio.wait_for(served.server.drain(), timeouts.GRACE / 2)


async def test_what_is_in_flight_is_finished() -> None:
    """The drain is over when it was answered, and not before."""
    desk = Desk()
    async with served_app(desk.app) as served, served.client() as client:
        client.send("/?wait")
        await desk.asked.wait()
        served.server.announce_drain()
        draining = asyncio.ensure_future(served.server.drain())
        await asyncio.wait({draining}, timeout=timeouts.GRACE * 1.5)
        assert not draining.done()
        desk.answer.set()
        reply = await client.receive()
        await asyncio.wait_for(draining, 5)
        assert await client.is_closed()
        assert len(served.server.connections) == 0
    assert (reply.status, reply.headers["connection"]) == (200, "close")


async def test_an_idle_connections_next_request_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have been on its way when the drain began, and nobody waits for another."""
    monkeypatch.setattr(timeouts, "GRACE", 30.0)
    async with served_app(Desk().app) as served, served.client() as client:
        await client.ask("/")
        served.server.announce_drain()
        draining = asyncio.ensure_future(served.server.drain())
        await asyncio.sleep(0)  # it has begun
        reply = await client.ask("/")
        await asyncio.wait_for(draining, 10)
    assert (reply.status, reply.headers["connection"]) == (200, "close")


@pytest.mark.slow
async def test_who_stays_idle_is_closed_after_the_grace() -> None:
    """A clean end for those who never ask, and for those who stopped in the middle of asking."""
    async with (
        served_app(Desk().app) as served,
        served.client() as used,
        served.client() as unused,
        served.client() as half,
    ):
        await used.ask("/")
        half.writer.write(b"GET / HT")
        served.server.announce_drain()
        await asyncio.wait_for(served.server.drain(), timeouts.GRACE * 5)
        assert [await client.is_closed() for client in (used, unused, half)] == [True] * 3


async def test_a_cut_cancels_what_is_in_flight() -> None:
    """What is left when the time is over: counted, and gone."""
    desk = Desk()
    async with served_app(desk.app) as served, served.client() as client:
        client.send("/?wait")
        await desk.asked.wait()
        served.server.announce_drain()
        served.server.abort()
        assert await client.is_closed()
        await asyncio.wait_for(served.server.drain(), 5)
        assert (len(served.server.connections), served.metrics.aborted.value) == (0, 1)


async def test_what_is_done_for_a_client_that_has_left_is_cancelled() -> None:
    """Nobody waits for it; it is counted."""
    desk = Desk()
    async with served_app(desk.app) as served:
        async with served.client() as client:
            client.send("/?wait")
            await desk.asked.wait()
        async with asyncio.timeout(10):
            while served.metrics.aborted.value != 1:  # noqa: ASYNC110 - it has no event for it
                await asyncio.sleep(0.001)
        await asyncio.wait_for(served.server.drain(), 5)


async def test_the_drain_waits_for_handlers_that_are_not_to_be_cancelled() -> None:
    """What they do may matter to somebody else: a write that is under way."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def write(_: web.Request) -> web.Response:
        asked.set()
        try:
            await answer.wait()
        except asyncio.CancelledError:
            await answer.wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", write)
    async with served_app(app) as served:
        async with served.client() as client:
            client.send("/")
            await asked.wait()
        served.server.announce_drain()
        draining = asyncio.ensure_future(served.server.drain())
        await asyncio.wait({draining}, timeout=0.3)
        assert not draining.done()
        answer.set()
        await asyncio.wait_for(draining, 5)


async def test_a_stuck_handler_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even one that swallows its cancellation; aiohttp waits for it twice."""
    monkeypatch.setattr(server, "CLEANUP", 0.05)
    asked, loop = asyncio.Event(), asyncio.get_running_loop()
    over = loop.time() + 2

    async def stuck(_: web.Request) -> web.Response:
        asked.set()
        while loop.time() < over:
            try:
                await asyncio.sleep(over - loop.time())
            except asyncio.CancelledError:
                continue
        return web.Response()

    app = web.Application()
    app.router.add_get("/", stuck)
    with structlog.testing.capture_logs():
        async with served_app(app) as served, served.client() as client:
            client.send("/")
            await asked.wait()
            served.server.abort()
    assert loop.time() < over
    await asyncio.sleep(over - loop.time())


async def test_a_connection_whose_deadlines_fail_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is cut and told of in one line, and the others' deadlines are kept."""
    monkeypatch.setattr(server, "WATCH", 0.01)
    broken: set[HttpProtocol] = set()
    kept, look = asyncio.Event(), HttpProtocol.look

    def looked(connection: HttpProtocol, now: float) -> None:
        if connection in broken:
            raise RuntimeError("bug")
        look(connection, now)
        kept.set()

    monkeypatch.setattr(HttpProtocol, "look", looked)
    async with served_app(Desk().app) as served, served.client() as bad, served.client() as worse:
        await bad.ask("/")
        await worse.ask("/")
        both = tuple(served.server.connections)
        async with served.client() as good:
            await good.ask("/")
            with structlog.testing.capture_logs() as logs:
                broken.update(both)
                assert [await client.is_closed() for client in (bad, worse)] == [True] * 2
                kept.clear()
                await asyncio.wait_for(kept.wait(), 10)
            assert (await good.ask("/")).status == 200
    assert [(each["event"], each["connections"]) for each in logs] == [("deadlines failed", 2)]


async def test_failures_that_had_no_line_are_told_by_the_next_flush_or_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing has to fail after them."""
    monkeypatch.setattr(accesslog, "LINES", 1e-6)
    monkeypatch.setattr(accesslog, "BURST", 1)
    monkeypatch.setattr(accesslog, "OVER", 0.0)

    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError("bug")

    app = web.Application()
    app.router.add_get("/", fail)
    with structlog.testing.capture_logs() as logs:
        async with served_app(app) as served:
            for _ in range(3):
                assert (await served.ask("/")).status == 500
            served.instruments.flush()
            assert [each["suppressed"] for each in logs if "suppressed" in each] == [2]
            await served.ask("/")
    assert [each["suppressed"] for each in logs if "suppressed" in each] == [2, 1]


async def test_aiohttps_parser_in_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has had request smuggling faults, and takes any method."""
    monkeypatch.delattr("aiohttp.http_parser.HttpRequestParserC")
    with pytest.raises(EnvironmentFault, match="C parser"):
        async with server.serve(web.Application(), Instruments(Layout(FAMILIES))):
            pass
