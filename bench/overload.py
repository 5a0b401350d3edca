"""Overload: a route with a capacity of a few hundred a second, driven at up to ten times that.

::

    PYTHONPATH=services python -m bench.overload [SECONDS]

An open loop: requests are sent when they are due, whatever became of those before. PostgreSQL's
answers take 15 ms on a link of ours and the pool has five connections, so the list of users has a
capacity of about 330 a second. Prints, for 1, 2, 5 and 10 times that: answers a second, how long
they took, how long refusals took, and after how many seconds all is well again.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.api import contestants, postgres
from onebox import ports

DELAY = 0.015
POOL = 5
CAPACITY = POOL / DELAY
TIMES = (1, 2, 5, 10)
CONNECTIONS = 1000
"""Kept open, so that what is measured is answering and not connecting."""

HEALED = 0.5
"""Seconds of nothing but success, at half of the capacity, that count as well."""


@asynccontextmanager
async def slow_link(target: Path) -> AsyncIterator[int]:
    """Forward a port to PostgreSQL's socket; each piece of an answer comes late."""
    tasks: set[asyncio.Task[None]] = set()

    async def forward(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 20):
                if delay:
                    await asyncio.sleep(delay)
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_unix_connection(str(target))
        for pair, delay in (((reader, theirs[1]), 0.0), ((theirs[0], writer), DELAY)):
            task = asyncio.ensure_future(forward(*pair, delay))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()


@dataclass
class Tally:
    """What became of some requests: seconds by status; 0 for no answer."""

    seconds: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, seconds: float) -> None:
        """Count one."""
        self.seconds.setdefault(status, []).append(seconds)

    def count(self, status: int) -> int:
        """Return how many had this status."""
        return len(self.seconds.get(status, ()))

    def milliseconds(self, status: int, share: float) -> float | None:
        """Return the latency that ``share`` of those with a status stayed below."""
        ordered = sorted(self.seconds.get(status, ()))
        return round(ordered[int(len(ordered) * share)] * 1000, 1) if ordered else None


class Client:
    """Connections that are taken in turn by requests that are due."""

    def __init__(self, port: int, request: bytes) -> None:
        """Have no connection yet."""
        self._port = port
        self._request = request
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def drive(self, rate: float, seconds: float) -> Tally:
        """Send ``rate`` requests a second, in an open loop; return when all are answered."""
        tally, start = Tally(), time.monotonic()
        tasks = set()
        for number in range(int(rate * seconds)):
            due = start + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            tasks.add(asyncio.ensure_future(self._ask(tally)))
        await asyncio.gather(*tasks)
        return tally

    async def _ask(self, tally: Tally) -> None:
        start = time.monotonic()
        try:
            streams = self._free.pop() if self._free else await self._connect()
            start = time.monotonic()
            streams[1].write(self._request)
            head = await asyncio.wait_for(streams[0].readuntil(b"\r\n\r\n"), 30)
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await streams[0].readexactly(length)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            tally.add(0, time.monotonic() - start)
            return
        tally.add(int(head.split()[1]), time.monotonic() - start)
        if len(self._free) < CONNECTIONS:
            self._free.append(streams)
        else:
            streams[1].close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)


async def recovery(client: Client) -> float:
    """Return after how many seconds requests at half of the capacity are all answered well."""
    start = time.monotonic()
    while time.monotonic() - start < 30:  # noqa: PLR2004 - it is to be under five
        begin = time.monotonic()
        tally = await client.drive(CAPACITY / 2, HEALED)
        if set(tally.seconds) == {200}:
            return round(begin - start, 2)
    return float("inf")


async def measure(port: int, token: str, seconds: float) -> list[dict[str, object]]:
    """Drive the api at each rate and return the rows."""
    request = f"GET /users HTTP/1.1\r\nHost: bench\r\nAuthorization: {token}\r\n\r\n".encode()
    client = Client(port, request)
    while set((await client.drive(10, 0.5)).seconds) != {200}:
        pass
    await client.drive(CAPACITY, 5)
    rows: list[dict[str, object]] = []
    for times in TIMES:
        tally = await client.drive(CAPACITY * times, seconds)
        rows.append(
            {
                "times": times,
                "sent": round(CAPACITY * times),
                "goodput": round(tally.count(200) / seconds, 1),
                "p50_ms": tally.milliseconds(200, 0.5),
                "p99_ms": tally.milliseconds(200, 0.99),
                "refused": round(tally.count(503) / seconds, 1),
                "refusal_p50_ms": tally.milliseconds(503, 0.5),
                "refusal_p99_ms": tally.milliseconds(503, 0.99),
                "other": sum(
                    len(each) for status, each in tally.seconds.items() if status not in (200, 503)
                ),
                "recovery_s": await recovery(client),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


async def main(seconds: float) -> None:
    """Start PostgreSQL, the link and the api, and measure."""
    with tempfile.TemporaryDirectory() as name, postgres.serve(Path(name)) as database:
        entry = contestants.ours(Path(name), database)
        socket = database.cluster.socket / f".s.PGSQL.{database.cluster.port}"
        async with slow_link(socket) as link:
            port = ports.free("127.0.0.1")[0]
            environ = {
                **entry.contestant.environment,
                "BUOY_API_PORT": str(port),
                "BUOY_DB_HOST": "127.0.0.1",
                "BUOY_DB_PORT": str(link),
                "BUOY_DB_POOL_SIZE": str(POOL),
            }
            process = await asyncio.create_subprocess_exec(*entry.contestant.command, env=environ)
            try:
                await measure(port, entry.headers["Authorization"], seconds)
            finally:
                process.terminate()
                await process.wait()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
