"""Hostile HTTP over raw sockets: never a 5xx, a hang, a second answer or a redirect."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.api.serving import Served, served_app
from tests.integration.hostile import Hostile, corpus

CORPUS = list(corpus())
SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"

STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")
LOCATION = re.compile(rb"\r\nlocation:", re.IGNORECASE)


def app() -> web.Application:
    """Return an application that reads what it is sent."""

    async def respond(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=request.path)

    application = web.Application(client_max_size=64 * 1024)
    application.router.add_get("/", respond)
    application.router.add_post("/", respond)
    application.router.add_get("/{name:[^/]+}", respond)
    return application


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """The application, on the loop of the test."""
    async with served_app(app()) as running:
        yield running


async def exchange(served: Served, hostile: Hostile, size: int) -> bytes:
    """Return all that comes back for a request sent in pieces of ``size``, until the end."""
    reader, writer = await asyncio.open_connection(*served.address)
    data = hostile.data + (SENTINEL if hostile.open else b"")
    try:
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    """A hundred at least, as promised; none may be answered with a 5xx."""
    assert len({each.name for each in CORPUS}) == len(CORPUS) >= 100
    assert max(each.status for each in CORPUS) < 500


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda each: each.name)
async def test_each_request_gets_its_one_answer(served: Served, hostile: Hostile) -> None:
    """What is fine leaves the connection in order; what is not ends it. Nobody is sent away."""
    received = await exchange(served, hostile, 1 << 24)
    expected = [hostile.status, 200] if hostile.open else [hostile.status]
    assert [int(status) for status in STATUS.findall(received)] == expected, received
    assert received.endswith(b"/sentinel") == hostile.open
    assert not LOCATION.search(received)
    assert served.bugs() == 0


@pytest.mark.slow
async def test_nothing_changes_when_it_comes_byte_by_byte(served: Served) -> None:
    """Parsers have had faults at the seams; the verdict is the same, only it may come sooner."""
    for hostile in CORPUS:
        if len(hostile.data) > 1000:
            continue
        received = await exchange(served, hostile, 1)
        expected = [hostile.status, 200] if hostile.open else [hostile.status]
        assert [int(status) for status in STATUS.findall(received)] == expected, hostile.name
    assert served.bugs() == 0


@pytest.mark.slow
async def test_after_all_of_them_nothing_is_left(served: Served) -> None:
    """No connection, no request in flight; a well-meaning client is served."""
    for hostile in CORPUS:
        await exchange(served, hostile, 1 << 24)
    assert (await served.ask("/")).status == 200
    async with asyncio.timeout(20):
        while len(served.server.connections):  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.01)
    served.instruments.flush()
    assert served.metrics.in_flight.value == 0
