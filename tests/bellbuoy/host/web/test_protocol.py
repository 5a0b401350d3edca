"""The protocol's edges: what is no request, and clients that do not read."""

import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bellbuoy import timeouts
from bellbuoy.host.web import protocol
from bellbuoy.host.web.protocol import HttpProtocol
from tests.api.serving import Served, served_app
from tests.rings import kept, no_collection
from tests.waiting import soon

__all__ = ["no_collection"]

GET = b"GET / HTTP/1.1\r\nHost: t\r\n"


def app() -> web.Application:
    """Return an application that answers 200, with as much as the query asks for."""

    async def respond(request: web.Request) -> web.Response:
        return web.Response(body=bytes(int(request.query.get("bytes", "2"))))

    application = web.Application()
    application.router.add_get("/", respond)
    return application


async def count(served: Served, connections: int) -> None:
    """Return when the server has so many connections."""
    async with asyncio.timeout(20):
        while len(served.server.connections) != connections:  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "data, status",
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /a b HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (GET + b"Content-Length: x\r\n\r\n", 400),
        (GET + b"A B: c\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
        (GET + b"A: " + b"b" * 9000 + b"\r\n\r\n", 431),
        (GET + b"A: b\r\n" * 100 + b"\r\n", 431),
    ],
    ids=[
        "nonsense",
        "TLS",
        "space in path",
        "no host",
        "two hosts",
        "two lengths",
        "no number",
        "space in name",
        "HTTP/2",
        "long line",
        "long field",
        "many fields",
    ],
)
async def test_what_is_no_request_is_a_problem_and_the_end(data: bytes, status: int) -> None:
    """Nothing of it is quoted, nobody's handler sees it, it is counted."""
    async with served_app(app()) as served, served.client() as client:
        client.writer.write(data)
        reply = await client.receive()
        assert await client.is_closed()
        assert served.answered("_OTHER", "none", status) == 1
        assert served.bugs() == 0
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.headers["connection"] == "close"
    assert reply.headers["x-request-id"] == reply.content["request_id"] != ""
    assert (reply.content["status"], b"a" * 50 in reply.body) == (status, False)


async def test_every_client_is_answered_after_a_bad_one() -> None:
    """The others are not concerned."""
    async with served_app(app()) as served, served.client() as client:
        await client.ask("/")
        await served.tell(b"nonsense\r\n\r\n")
        assert (await client.ask("/")).status == 200


async def test_pipelined_requests_are_answered_in_order() -> None:
    """All of them, on one connection."""
    async with served_app(app()) as served, served.client() as client:
        for size in (1, 2, 3):
            client.send(f"/?bytes={size}")
        sizes = [len((await client.receive()).body) for _ in range(3)]
    assert sizes == [1, 2, 3]


async def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer would be kept for ever, and the kernel keeps only the beginning of it."""
    monkeypatch.setattr(protocol, "WRITE_STALL", 0.05)
    async with served_app(app()) as served:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(served.address)
        connection.sendall(b"GET /?bytes=1700000 HTTP/1.1\r\nHost: t\r\n\r\n")
        await count(served, 1)
        await count(served, 0)
        connection.close()


async def test_a_client_that_reads_slowly_is_not() -> None:
    """It gets all of it."""
    async with served_app(app()) as served, served.client() as client:
        reply = await client.ask("/?bytes=3000000")
    assert len(reply.body) == 3_000_000


async def test_connections_are_counted_while_they_are_open() -> None:
    """From when they are made; the acceptor counts what is on its way."""
    async with served_app(app()) as served:
        served.server.protocol()
        assert len(served.server.connections) == 0
        async with served.client() as client:
            await client.ask("/")
            assert len(served.server.connections) == 1
        await count(served, 0)


def test_an_unknown_limit_is_a_mistake() -> None:
    """Aiohttp's own factory would drop all limits and go on."""
    with pytest.raises(TypeError):
        HttpProtocol(max_lines=1)  # type: ignore[call-arg]  # the mistake


async def test_empty_lines_begin_no_request() -> None:
    """They may come before one (RFC 9112, section 2.2); its time begins with its first byte."""
    async with served_app(app()) as served, served.client() as client:
        assert (await client.ask("/")).status == 200
        (connection,) = served.server.connections
        client.writer.write(b"\r\n")
        await soon(lambda: connection._heard)
        connection.look(connection._heard + timeouts.HEAD)
        assert not connection._heard
        assert (await client.ask("/")).status == 200
        assert served.rejected("header") == 0


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    "data, statuses",
    [
        pytest.param(GET + b"A: b\r\n" * 300_000, [431], id="head"),
        pytest.param(
            GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" + b"nonsense" * 10_000,
            [200],
            id="behind-an-upgrade",
        ),
    ],
)
async def test_the_data_in_which_an_error_was_met_are_not_kept(
    data: bytes, statuses: list[int]
) -> None:
    """Not in a ring until Python looks for one, nor for as long as the connection lasts."""
    before = kept(HttpProcessingError)
    async with served_app(app()) as served, served.client() as client:
        client.writer.write(data)
        assert [(await client.receive()).status for _ in statuses] == statuses
        assert [each for each in kept(HttpProcessingError) if each not in before] == []
