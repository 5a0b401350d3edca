"""Deadlines of a connection: who is silent, slow, or sends more than is answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bellbuoy import timeouts
from bellbuoy.host.web import protocol, server
from tests.api.serving import Client, Served, served_app
from tests.waiting import soon

HEAD = b"GET / HTTP/1.1\r\nHost: t\r\n"
SHORT = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nab"
POST = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a third of a second be all of the time that there is."""
    monkeypatch.setattr(timeouts, "HEAD", 0.3)
    monkeypatch.setattr(timeouts, "BODY", 0.3)
    monkeypatch.setattr(server, "WATCH", 0.02)


class Desk:
    """An application that reads what it is sent, or waits."""

    def __init__(self) -> None:
        """Answer nothing yet."""
        self.answer = asyncio.Event()
        self.served = 0
        self.cancelled = 0
        self.app = web.Application()
        self.app.router.add_get("/", self._greet)
        self.app.router.add_post("/", self._read)
        self.app.router.add_get("/wait", self._wait)

    async def _greet(self, _: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def _read(self, request: web.Request) -> web.Response:
        try:
            return web.Response(body=await request.read())
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def _wait(self, _: web.Request) -> web.Response:
        self.served += 1
        await self.answer.wait()
        return web.Response()


@contextlib.asynccontextmanager
async def dripping(client: Client, data: bytes) -> AsyncIterator[None]:
    """Send a byte now and then until the block ends, beginning anew when all are sent."""

    async def drip() -> None:
        while True:
            for byte in data:
                client.writer.write(bytes([byte]))
                await asyncio.sleep(0.01)

    task = asyncio.ensure_future(drip())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def is_served(served: Served) -> bool:
    """Return whether somebody else is answered."""
    return (await served.ask("/")).status == 200


async def test_who_says_nothing_is_closed_without_a_word() -> None:
    """There is no request that could be answered."""
    async with served_app(Desk().app) as served, served.client() as client:
        assert await client.is_closed()
        assert served.rejected("silent") == 1
        assert await is_served(served)


async def test_who_drips_a_head_is_answered_and_closed() -> None:
    """Byte after byte does not prolong it: the time is absolute."""
    async with served_app(Desk().app) as served, served.client() as client:
        async with dripping(client, b"A: b\r\n" * 100):
            client.writer.write(HEAD)
            reply = await client.receive()
            assert await client.is_closed()
        assert (served.rejected("header"), served.answered("_OTHER", "none", 408)) == (1, 1)
        assert served.bugs() == 0
    assert (reply.status, reply.headers["connection"]) == (408, "close")
    assert reply.headers["content-type"] == "application/problem+json"


async def test_a_later_head_has_its_time_from_its_first_byte() -> None:
    """An idle connection is not touched until then."""
    async with served_app(Desk().app) as served, served.client() as client:
        await client.ask("/")
        await asyncio.sleep(timeouts.HEAD * 2)
        assert (await client.ask("/")).status == 200
        async with dripping(client, b"A: b\r\n" * 100):
            client.writer.write(HEAD)
            assert (await client.receive()).status == 408
        assert served.rejected("silent") == 0


async def test_a_head_that_comes_in_pieces_but_in_time_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the next one has all its time again."""
    monkeypatch.setattr(timeouts, "HEAD", 2.0)
    async with served_app(Desk().app) as served, served.client() as client:
        for _ in range(3):
            client.writer.write(HEAD)
            await asyncio.sleep(0.7)  # together they take more than one has
            client.writer.write(b"\r\n")
            assert (await client.receive()).status == 200
        assert served.rejected("header") == 0


async def test_who_stays_idle_is_closed_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later than load balancers do it, whose 60 s are usual."""
    assert protocol.KEEP_ALIVE > 60
    monkeypatch.setattr(protocol, "KEEP_ALIVE", timeouts.HEAD * 2)
    async with served_app(Desk().app) as served, served.client() as client:
        await client.ask("/")
        start = asyncio.get_running_loop().time()
        assert await client.is_closed()
        assert asyncio.get_running_loop().time() - start > timeouts.HEAD
        assert (served.rejected("header"), served.rejected("silent")) == (0, 0)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(HEAD + b"\r\n", id="behind-a-head"),
        pytest.param(SHORT, id="behind-a-body"),
        pytest.param(HEAD + b"\r\n" + SHORT, id="behind-two"),
    ],
)
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"G", id="a-byte"),
        pytest.param(b"GET / HTTP/1.1\r", id="a-line"),
        pytest.param(HEAD, id="fields"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b", id="half-a-field"),
    ],
)
async def test_part_of_a_head_behind_a_request_has_no_more_time(before: bytes, part: bytes) -> None:
    """Nothing but the parser knows that it is there."""
    async with served_app(Desk().app) as served, served.client() as client:
        client.writer.write(before + part)
        while (reply := await client.receive()).status == 200:
            pass
        assert await client.is_closed()
        assert (served.rejected("header"), served.answered("_OTHER", "none", 408)) == (1, 1)
        assert served.bugs() == 0
    assert (reply.status, reply.headers["connection"]) == (408, "close")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(HEAD + b"\r\n", id="after-a-head"),
        pytest.param(SHORT, id="after-a-body"),
        pytest.param(SHORT + b"\r\n", id="after-an-empty-line"),
    ],
)
async def test_who_is_idle_is_asked_and_not_touched(before: bytes) -> None:
    """Whether its parser holds part of a head is seen without a trace, as often as one looks."""
    async with served_app(Desk().app) as served, served.client() as client:
        await client.ask("/")
        (connection,) = served.server.connections
        for _ in range(2):
            client.writer.write(before)
            assert (await client.receive()).status == 200
            await soon(lambda: connection.is_idle)
            for _ in range(3):
                connection.look(asyncio.get_running_loop().time() + timeouts.HEAD)
        client.writer.write(SHORT)
        assert (await client.receive()).body == b"ab"
        assert served.rejected("header") == 0


async def test_part_of_a_head_behind_a_request_is_taken_when_the_rest_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its time begins when the request before it is answered, however long that took."""
    monkeypatch.setattr(timeouts, "HEAD", 20.0)
    desk = Desk()
    async with served_app(desk.app) as served, served.client() as client:
        client.writer.write(b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\n" + HEAD)
        await soon(lambda: desk.served)
        (connection,) = served.server.connections
        late = asyncio.get_running_loop().time() + timeouts.HEAD + 0.01
        connection.look(late)
        await asyncio.sleep(0.05)
        desk.answer.set()
        assert (await client.receive()).status == 200
        await soon(lambda: connection.is_idle)
        connection.look(late)
        client.writer.write(b"\r\n")
        assert (await client.receive()).body == b"hello"
        assert served.rejected("header") == 0


async def test_a_body_that_is_on_its_way_is_no_late_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a deadline of its own."""
    monkeypatch.setattr(timeouts, "BODY", 60.0)
    async with served_app(Desk().app) as served, served.client() as client:
        client.writer.write(HEAD + b"\r\n" + SHORT[:-1])
        assert (await client.receive()).status == 200
        await soon(lambda: served.server._traffic.in_flight)
        (connection,) = served.server.connections
        for _ in range(3):
            connection.look(asyncio.get_running_loop().time() + timeouts.HEAD * 2)
        client.writer.write(b"b")
        assert (await client.receive()).body == b"ab"
        assert served.rejected("header") == 0


async def test_who_drips_a_body_is_answered_and_closed() -> None:
    """Whoever was reading it is cancelled."""
    desk = Desk()
    async with served_app(desk.app) as served, served.client() as client:
        async with dripping(client, bytes(500)):
            client.writer.write(POST)
            reply = await client.receive()
        assert (served.rejected("body"), served.answered("POST", "/", 408)) == (1, 1)
        assert desk.cancelled == 1
        assert await is_served(served)
    assert (reply.status, reply.headers["connection"]) == (408, "close")


async def test_a_body_that_is_complete_may_be_worked_on_for_longer() -> None:
    """The deadline is the client's."""
    desk = Desk()
    async with served_app(desk.app) as served, served.client() as client:
        client.send("/wait")
        await soon(lambda: desk.served)
        await asyncio.sleep(timeouts.BODY * 2)
        desk.answer.set()
        assert (await client.receive()).status == 200
        assert served.rejected("body") == 0


async def test_a_broken_body_is_answered_at_once() -> None:
    """Aiohttp would let its reader wait for ever, and answer the rest as another request."""
    desk = Desk()
    async with served_app(desk.app) as served, served.client() as client:
        client.writer.write(
            b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
        )
        await soon(lambda: served.server._traffic.in_flight)
        client.writer.write(b"cdeXX\r\n")
        reply = await client.receive()
        assert await client.is_closed()
        assert served.bugs() == 0
    assert reply.status == 400


async def test_a_client_that_leaves_within_its_body_is_no_bug() -> None:
    """It is counted as cut off."""
    desk = Desk()
    async with served_app(desk.app) as served:
        async with served.client() as client:
            client.writer.write(POST)
            await soon(lambda: served.server._traffic.in_flight)
        await soon(lambda: served.metrics.aborted.value == 1)
        assert served.bugs() == 0


async def test_of_a_flood_behind_a_slow_answer_little_is_taken() -> None:
    """The rest waits in the client: memory stays flat, and others are served."""
    desk, flood = Desk(), 20_000
    request = b"GET /wait HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 1000 + b"\r\n\r\n"
    async with served_app(desk.app) as served, served.client() as client:
        client.writer.write(request * flood)
        await soon(lambda: desk.served)
        (connection,) = served.server.connections
        await soon(lambda: connection.transport and not connection.transport.is_reading())
        assert len(connection._messages) <= 32
        unsent = client.writer.transport.get_write_buffer_size()
        assert unsent > len(request) * flood / 2
        assert desk.served == 1
        assert await is_served(served)
        client.writer.transport.abort()
        desk.answer.set()
