"""Slow clients by the hundred: the api ends them in time, keeps its memory, and serves the rest."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from bellbuoy import timeouts
from bellbuoy.host.web import server
from tests.api.serving import AUTHORIZED, Address, Client, known_tokens
from tests.clients import room
from tests.integration.test_api_deaths import fill
from tests.postgres import Database, database, postgres
from tests.program import UNMEASURED, Program, loop, ports

__all__ = ["database", "loop", "postgres"]

pytestmark = pytest.mark.slow

EACH = 300
"""Clients of each kind; four kinds are 1,200 connections on one worker."""

DRIP = 0.5
"""Seconds between two bytes of a client that is not silent."""

SLACK = 10.0
"""Seconds by which a busy machine may be late."""

MIB = 1 << 20
HEAD = b"GET / HTTP/1.1\r\nHost: t\r\nX: "
BODY = (
    "POST /users HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
    f"Authorization: {AUTHORIZED['Authorization']}\r\nContent-Length: 60000\r\n\r\n"
).encode()


async def answer(address: Address, first: bytes, *, drips: bool) -> tuple[bytes, float]:
    """Send ``first``, then byte after byte; return what came and the seconds until the end."""
    reader, writer = await asyncio.open_connection(*address)
    start = time.monotonic()
    writer.write(first)

    async def drip() -> None:
        while drips:
            writer.write(b"x")
            await asyncio.sleep(DRIP)

    dripping = asyncio.ensure_future(drip())
    try:
        async with asyncio.timeout(3 * timeouts.HEAD):
            came = await reader.read()
    except ConnectionError:
        came = b""
    finally:
        dripping.cancel()
        writer.transport.abort()
    return came, time.monotonic() - start


@asynccontextmanager
async def idling(address: Address) -> AsyncIterator[list[Client]]:
    """Hold connections that have had an answer and want no other yet."""
    clients = [await Client.connect(address) for _ in range(EACH)]
    try:
        assert {(await client.ask("/")).status for client in clients} == {200}
        yield clients
    finally:
        for client in clients:
            await client.close()


async def visit(address: Address, path: str, waits: list[float]) -> None:
    """Ask again and again, as one who means well; anything but 200 is an error."""
    client = await Client.connect(address)
    try:
        while True:
            start = time.monotonic()
            assert (await client.ask(path, headers=AUTHORIZED)).status == 200, path
            waits.append(time.monotonic() - start)
            await asyncio.sleep(0.01)
    finally:
        await client.close()


async def test_hundreds_of_slow_clients_cost_little_and_end_in_time(
    tmp_path: Path, database: Database, loop: str
) -> None:
    """Silent ones, slow heads, slow bodies and idle ones at once; others notice nothing."""
    await fill(database)
    environ = {**known_tokens(tmp_path), "BUOY_WORKERS": "1", "BUOY_LOOP": loop, **UNMEASURED}
    with room(6 * EACH):
        command = [sys.executable, "-m", "api"]
        program = Program(command, ports("api") | database.environ() | environ)
    try:
        (pid,) = await asyncio.to_thread(program.await_workers, 1)
        with room(6 * EACH):
            await besiege(program.address, psutil.Process(pid))
        scraped = await asyncio.to_thread(program.metrics)
        assert await asyncio.to_thread(program.stop) == 0
    finally:
        await asyncio.to_thread(program.end)
    rejected = {
        reason: scraped.value("http_requests_rejected_total", reason=reason)
        for reason in ("silent", "header", "body", "full", "late")
    }
    assert rejected == {"silent": EACH, "header": EACH, "body": EACH, "full": 0, "late": 0}
    assert scraped.value("http_exceptions_total") == 0
    assert program.complaints() == []


async def besiege(address: Address, worker: psutil.Process) -> None:
    """Come with hundreds of each kind, and look at the others and the worker's memory."""
    waits: list[float] = []
    healthy = [asyncio.ensure_future(visit(address, path, waits)) for path in ("/", "/users/1")]
    async with idling(address) as idle:
        before = most = worker.memory_info().rss
        kinds = {"silent": (b"", False), "head": (HEAD, True), "body": (BODY, True)}
        tasks = {
            kind: [asyncio.ensure_future(answer(address, first, drips=drips)) for _ in range(EACH)]
            for kind, (first, drips) in kinds.items()
        }
        everybody = asyncio.gather(*(task for each in tasks.values() for task in each))
        while not everybody.done():
            most = max(most, worker.memory_info().rss)
            assert not any(task.done() for task in healthy)
            await asyncio.wait([everybody], timeout=0.2)
        ends = {kind: [task.result() for task in each] for kind, each in tasks.items()}
        # Who only was idle is still there.
        assert {(await client.ask("/")).status for client in idle} == {200}
        for task in healthy:
            task.cancel()
        await asyncio.gather(*healthy, return_exceptions=True)
    latest = max(timeouts.HEAD, timeouts.BODY) + server.WATCH + SLACK
    assert {came for came, _ in ends["silent"]} == {b""}
    for kind in ("head", "body"):
        assert {came[:13] for came, _ in ends[kind]} <= {b"HTTP/1.1 408 ", b""}, kind
        assert sum(bool(came) for came, _ in ends[kind]) > EACH * 0.9, kind
    assert max(seconds for each in ends.values() for _, seconds in each) < latest
    assert len(waits) > 50
    assert sorted(waits)[len(waits) // 2] < 0.25
    assert most - before < 16 * MIB
