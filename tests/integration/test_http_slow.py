"""Slow clients by the thousand: the api ends them in time, keeps its memory, and serves the rest.

Cases 34, 35 and 36 of the project's catalogue of faults, with as many clients as it names.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import psutil
import pytest

from bellbuoy import timeouts
from bellbuoy.host.web import server
from tests.api.serving import AUTHORIZED, Address, Client, known_tokens
from tests.clients import room
from tests.integration.test_api_deaths import fill, until
from tests.postgres import Database, database, postgres
from tests.program import UNMEASURED, Metrics, Program, loop, ports

__all__ = ["database", "loop", "postgres"]

pytestmark = pytest.mark.slow

AT_ONCE = 200
"""Clients that connect at the same time, from one address; the rest of a crowd waits."""

SLACK = 20.0
"""Seconds by which a busy machine may be late."""

EACH_COSTS = 16 * 1024
"""Bytes that a connection may cost the worker, uvloop's share included."""

MIB = 1 << 20
HEAD = b"GET / HTTP/1.1\r\nHost: t\r\nX: "
BODY = (
    "POST /users HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
    f"Authorization: {AUTHORIZED['Authorization']}\r\nContent-Length: 60000\r\n\r\n"
).encode()
GREETING = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


@dataclass(frozen=True)
class Kind:
    """One way to be slow.

    Args:
        count: How many clients have it.
        first: What each sends at once.
        pause: Seconds between the bytes that follow; 0 if none do.
    """

    count: int
    first: bytes
    pause: float = 0.0


SLOW = {
    "silent": Kind(10_000, b""),
    "header": Kind(2_000, HEAD, 5.0),
    "body": Kind(2_000, BODY, 1.0),
}
"""By the reason with which they are ended. The catalogue's bodies are a megabyte by their length,
which the api refuses unread."""

IDLE = Kind(10_000, GREETING)


class Sloth(asyncio.Protocol):
    """A client that takes its time.

    Attributes:
        came: What it was sent so far.
        seconds: How long its connection lasted; ``None`` while it lasts.
    """

    def __init__(self, kind: Kind) -> None:
        """Do nothing yet."""
        self.came = bytearray()
        self.seconds: float | None = None
        self._kind = kind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self._start = time.monotonic()
        self.transport.write(self._kind.first)
        self._rest()

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self.came += data

    def connection_lost(self, _: Exception | None) -> None:
        """Keep when."""
        self.seconds = time.monotonic() - self._start

    def _rest(self) -> None:
        if self._kind.pause:
            asyncio.get_running_loop().call_later(self._kind.pause, self._drip)

    def _drip(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"x")
            self._rest()


def same(sloth: Sloth) -> Sloth:
    """Return it: a factory of one protocol."""
    return sloth


@asynccontextmanager
async def crowd(address: Address, kind: Kind) -> AsyncIterator[list[Sloth]]:
    """Connect all clients of a kind; those that are still there in the end leave.

    They come from many addresses: at 127.0.0.1 they would have ports that other tests mean to use,
    and the kernel searches long for a port at an address that has given most of them away.
    """
    running = asyncio.get_running_loop()
    sloths = [Sloth(kind) for _ in range(kind.count)]
    try:
        for first in range(0, kind.count, AT_ONCE):
            some = sloths[first : first + AT_ONCE]
            home = (f"127.0.1.{1 + first // AT_ONCE}", 0)
            coming = (
                running.create_connection(partial(same, each), *address, local_addr=home)
                for each in some
            )
            await asyncio.gather(*coming)
        yield sloths
    finally:
        for each in sloths:
            if each.seconds is None:
                each.transport.abort()
        await until_gone(sloths)


async def until_gone(sloths: Sequence[Sloth]) -> None:
    """Return when each connection has ended."""
    async with asyncio.timeout(timeouts.HEAD + server.WATCH + 2 * SLACK):
        while any(each.seconds is None for each in sloths):  # noqa: ASYNC110 - thousands of events
            await asyncio.sleep(0.05)


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


@asynccontextmanager
async def unimpressed(address: Address, worker: psutil.Process, count: int) -> AsyncIterator[None]:
    """Let others ask all the while: none fails, half wait for less than two seconds.

    The worker's memory grows by no more than its connections, ``count`` at most, may cost.
    """
    waits: list[float] = []
    healthy = [asyncio.ensure_future(visit(address, path, waits)) for path in ("/", "/users/1")]
    before = worker.memory_info().rss
    try:
        yield
        grown = worker.memory_info().rss - before
        assert not any(task.done() for task in healthy)
    finally:
        for task in healthy:
            task.cancel()
        await asyncio.gather(*healthy, return_exceptions=True)
    assert len(waits) > 10
    assert sorted(waits)[len(waits) // 2] < 2  # whoever waited for a slow one would wait ten
    assert grown < 16 * MIB + count * EACH_COSTS


@asynccontextmanager
async def worker_of_the_api(
    folder: Path, database: Database, loop: str
) -> AsyncIterator[tuple[Program, psutil.Process]]:
    """Run the api with one worker that takes them all; it ends well and without a complaint."""
    most = sum(kind.count for kind in SLOW.values()) + 1_000
    await fill(database)
    environ = {
        "BUOY_WORKERS": "1",
        "BUOY_LOOP": loop,
        "BUOY_MAX_CONNECTIONS": str(most),
        **UNMEASURED,
    }
    with room(most + 1_000):
        command = [sys.executable, "-m", "api"]
        program = Program(
            command, ports("api") | database.environ() | known_tokens(folder) | environ
        )
        try:
            (pid,) = await asyncio.to_thread(program.await_workers, 1)
            yield program, psutil.Process(pid)
            assert await asyncio.to_thread(program.stop) == 0
        finally:
            await asyncio.to_thread(program.end)
    assert program.complaints() == []


def rejected(scraped: Metrics) -> dict[str, float]:
    """Return how many requests were refused, by the reason."""
    reasons = (*SLOW, "full", "late")
    return {each: scraped.value("http_requests_rejected_total", reason=each) for each in reasons}


async def test_thousands_of_slow_clients_cost_little_and_end_in_time(
    tmp_path: Path, database: Database, loop: str
) -> None:
    """Silent ones, slow heads and slow bodies at once; others notice nothing."""
    count = sum(kind.count for kind in SLOW.values())
    async with worker_of_the_api(tmp_path, database, loop) as (program, worker):
        async with unimpressed(program.address, worker, count), AsyncExitStack() as stack:
            sloths = {
                reason: await stack.enter_async_context(crowd(program.address, kind))
                for reason, kind in SLOW.items()
            }
            await until_gone([each for some in sloths.values() for each in some])
        counts = {reason: float(kind.count) for reason, kind in SLOW.items()}
        await until(lambda: rejected(program.metrics()) == {**counts, "full": 0, "late": 0})
        scraped = await asyncio.to_thread(program.metrics)
    assert scraped.value("http_exceptions_total") == 0
    assert scraped.value("bellbuoy_connections_rejected_total") == 0
    assert {bytes(each.came) for each in sloths["silent"]} == {b""}
    for reason in ("header", "body"):
        came = [bytes(each.came[:13]) for each in sloths[reason]]
        assert set(came) <= {b"HTTP/1.1 408 ", b""}, reason
        assert came.count(b"") < len(came) / 10, reason
    lasted = [each.seconds or 0.0 for some in sloths.values() for each in some]
    assert max(lasted) < max(timeouts.HEAD, timeouts.BODY) + server.WATCH + SLACK


async def test_ten_thousand_idle_clients_stay_and_cost_little(
    tmp_path: Path, database: Database, loop: str
) -> None:
    """Each has had an answer and wants no other yet; others notice nothing, and nobody is ended."""
    async with worker_of_the_api(tmp_path, database, loop) as (program, worker):
        async with (
            unimpressed(program.address, worker, IDLE.count),
            crowd(program.address, IDLE) as idle,
        ):
            await until_answered(idle, 1)
            for each in idle:
                each.transport.write(GREETING)
            await until_answered(idle, 2)
            assert [each for each in idle if each.seconds is not None] == []
        scraped = await asyncio.to_thread(program.metrics)
    assert rejected(scraped) == dict.fromkeys((*SLOW, "full", "late"), 0.0)
    assert scraped.value("http_exceptions_total") == 0


async def until_answered(sloths: Sequence[Sloth], times: int) -> None:
    """Return when each got so many answers."""
    async with asyncio.timeout(60):
        while any(each.came.count(b"HTTP/1.1 200 ") < times for each in sloths):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
