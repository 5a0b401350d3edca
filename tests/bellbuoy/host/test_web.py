"""An aiohttp application on the host: its drain, its limits, and what it does not tell."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bellbuoy import timeouts
from bellbuoy.host.web import HttpServer, serve
from tests.bellbuoy.host.listening import Client, client, listening
from tests.waiting import soon

GO = web.AppKey("go", asyncio.Event)


async def greet(_: web.Request) -> web.Response:
    """Answer at once."""
    return web.Response(text="hello")


async def wait(request: web.Request) -> web.Response:
    """Answer when the test says so."""
    await request.app[GO].wait()
    return web.Response(text="waited")


async def fail(_: web.Request) -> web.Response:
    """Fail."""
    raise RuntimeError("on purpose")


async def break_off(request: web.Request) -> web.StreamResponse:
    """Fail when the response has begun."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise RuntimeError("on purpose")


class Site:
    """A served application.

    Attributes:
        server: What serves it.
        address: Where.
        go: Set it, and ``/wait`` answers.
    """

    def __init__(self, server: HttpServer, address: tuple[str, int], go: asyncio.Event) -> None:
        """Be told."""
        self.server = server
        self.address = address
        self.go = go

    async def until_open(self, count: int) -> None:
        """Wait until so many connections are open."""
        await soon(lambda: self.server.connections == count)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Serve the routes above; the grace for idle connections is short."""
    app = web.Application()
    app[GO] = asyncio.Event()
    app.add_routes(
        [
            web.get("/", greet),
            web.get("/wait", wait),
            web.get("/fail", fail),
            web.get("/break", break_off),
        ]
    )
    async with serve(app) as server, listening(server) as address:
        yield Site(server, address, app[GO])
        server.abort()


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not wait a second."""
    monkeypatch.setattr(timeouts, "GRACE", 0.02)


async def closed(talk: Client) -> bool:
    """Return whether the server has closed the connection without another byte."""
    return await asyncio.wait_for(talk.reader.read(), 10) == b""


async def test_a_connection_is_kept_and_counted() -> None:
    """Until the client leaves."""
    async with site() as given:
        async with client(given.address) as talk:
            for _ in range(2):
                talk.ask("/")
                head, body = await talk.answer()
                assert (body, "Connection" in head) == (b"hello", False)
            assert given.server.connections == 1
        await given.until_open(0)


async def test_no_version_is_told() -> None:
    """Neither in an answer nor in a refusal."""
    async with site() as given, client(given.address) as talk:
        talk.ask("/")
        head, _ = await talk.answer()
        assert "Server:" not in head
        talk.writer.write(b"NONSENSE\r\n\r\n")
        head, _ = await talk.answer()
        assert "aiohttp" not in head


async def test_while_draining_every_response_says_so() -> None:
    """And the connection is closed after it."""
    async with site() as given, client(given.address) as talk:
        given.server.announce_drain()
        talk.ask("/")
        head, body = await talk.answer()
        assert "Connection: close" in head
        assert body == b"hello"
        assert await closed(talk)


async def test_a_drain_answers_what_is_in_flight() -> None:
    """However long that takes."""
    async with site() as given, client(given.address) as talk:
        talk.ask("/wait")
        await given.until_open(1)
        given.server.announce_drain()
        draining = asyncio.ensure_future(given.server.drain())
        done, _ = await asyncio.wait({draining}, timeout=5 * timeouts.GRACE)
        assert done == set()
        given.go.set()
        assert (await talk.answer())[1] == b"waited"
        await asyncio.wait_for(draining, 10)
        assert given.server.connections == 0


async def test_a_drain_answers_the_next_request_of_an_idle_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was on its way when the drain began."""
    monkeypatch.setattr(timeouts, "GRACE", 10.0)
    async with site() as given, client(given.address) as talk:
        talk.ask("/")
        await talk.answer()
        given.server.announce_drain()
        draining = asyncio.ensure_future(given.server.drain())
        await asyncio.sleep(0.01)
        talk.ask("/")
        head, _ = await talk.answer()
        assert "Connection: close" in head
        await asyncio.wait_for(draining, 5)


async def test_a_drain_closes_idle_connections() -> None:
    """Those that have asked before, and those that never did."""
    async with site() as given, client(given.address) as asked, client(given.address) as silent:
        asked.ask("/")
        await asked.answer()
        await given.until_open(2)
        given.server.announce_drain()
        await asyncio.wait_for(given.server.drain(), 10)
        assert await closed(asked)
        assert await closed(silent)


async def test_a_request_that_came_just_before_the_close_is_answered() -> None:
    """It was read, and its handler has not begun: the connection is not idle."""
    async with site() as given, client(given.address) as talk:
        await given.until_open(1)
        given.server.announce_drain()
        (connection,) = given.server._open
        connection.data_received(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        connection.close()
        assert (await talk.answer())[1] == b"hello"
        assert await closed(talk)


async def test_abort_cuts_and_cancels() -> None:
    """Nothing is left of a handler that never ends."""
    async with site() as given, client(given.address) as talk:
        talk.ask("/wait")
        await given.until_open(1)
        await asyncio.sleep(0.01)
        given.server.abort()
        await given.until_open(0)
        assert await closed(talk)


async def test_nobody_to_drain_is_drained() -> None:
    """At once."""
    async with site() as given:
        await asyncio.wait_for(given.server.drain(), 10)


async def test_a_failure_is_a_problem_without_details() -> None:
    """The log has them."""
    with capture_logs() as events:
        async with site() as given, client(given.address) as talk:
            talk.ask("/fail")
            head, body = await talk.answer()
    assert "500" in head
    assert json.loads(body)["detail"] == "The request could not be handled."
    assert b"purpose" not in body
    assert [(event["event"], str(event["exc_info"])) for event in events] == [
        ("request failed", "on purpose")
    ]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\n" + b"X: y\r\n" * 100 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_what_is_not_well_formed_is_refused(request_bytes: bytes) -> None:
    """400 and a close; the request is not quoted."""
    async with site() as given, client(given.address) as talk:
        talk.writer.write(request_bytes)
        head, body = await talk.answer()
        assert head.split()[1] == "400"
        assert json.loads(body)["detail"] == "The request is not well-formed HTTP."
        assert await closed(talk)


async def test_a_response_that_broke_off_does_not_look_complete() -> None:
    """Its client sees the connection end before the last chunk."""
    async with site() as given, client(given.address) as talk:
        talk.ask("/break")
        await talk.head()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(talk.reader.readuntil(b"0\r\n\r\n"), 10)
