"""The crowd counts every request that was due, whatever became of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.overload.crowd import Tally, gathered
from tests.waiting import soon

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
REFUSAL = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[int]:
    """Answer requests with these in turn, byte by byte, then not at all."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for byte in left.pop(0):
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError, IndexError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_each_request_is_answered_refused_lost_or_not_sent() -> None:
    """Together they are all that were due."""
    async with (
        answering(GOOD, REFUSAL, GOOD) as port,
        gathered(port, b"GET / HTTP/1.1\r\n\r\n", 1, 4) as crowd,
    ):
        tally = await crowd.drive(1e6, 10e-6)
    assert (tally.count(200), tally.count(503), tally.count(0) + tally.unsent) == (2, 1, 7)
    assert tally.others() == tally.count(0) > 0
    assert (tally.sent + tally.unsent, tally.unsent > 0) == (10, True)
    assert not tally.is_well()
    assert tally.milliseconds(200, 0.5) is not None


async def test_a_load_ends_when_the_last_is_sent() -> None:
    """Waiting for answers is no part of it."""
    loop = asyncio.get_running_loop()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await answer.wait()
        writer.write(GOOD)
        writer.close()

    async with (
        await asyncio.start_server(serve, "127.0.0.1", 0) as server,
        gathered(server.sockets[0].getsockname()[1], b"GET / HTTP/1.1\r\n\r\n", 1) as crowd,
    ):
        driving = asyncio.ensure_future(crowd.drive(1e6, 1e-6))
        await asked.wait()
        await soon(lambda: crowd._tally.ended)
        released = loop.time()
        answer.set()
        tally = await driving
    assert (tally.sent, tally.count(200)) == (1, 1)
    assert tally.lasted > 0
    assert tally.ended <= released


def test_what_never_happened_has_no_latency() -> None:
    """Nor is nothing at all a success."""
    assert Tally().milliseconds(503, 0.99) is None
    assert not Tally().is_well()
    assert Tally({200: [0.1]}).is_well()
