"""Answers: what every one carries, and how the last one ends."""

import asyncio

from aiohttp import web

from bellbuoy.host.web.answer import say_goodbye, sign
from tests.api.serving import served_app


def test_every_answer_is_signed() -> None:
    """An id to find it by, a neutral server, and no guessing of types."""
    response = web.Response()
    sign(response, "id-1")
    assert response.headers["X-Request-Id"] == "id-1"
    assert response.headers["Server"] == "bellbuoy"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_goodbye_is_said_and_done() -> None:
    """The header for the client, the flag for aiohttp."""
    response = web.Response()
    say_goodbye(response)
    assert (response.headers["Connection"], response.keep_alive) == ("close", False)


async def test_the_last_answer_arrives_whatever_the_client_still_sends() -> None:
    """A reset would destroy it: the server reads on until the client closes."""
    app, size = web.Application(client_max_size=1000), 5_000_000

    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app.router.add_post("/", read)
    async with served_app(app) as served, served.client() as client:
        head = f"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n"
        client.writer.write(head.encode() + bytes(size))
        async with asyncio.timeout(20):
            await client.writer.drain()
        reply = await client.receive()
        assert await client.is_closed()
    assert (reply.status, reply.headers["connection"]) == (413, "close")
