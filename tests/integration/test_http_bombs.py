"""What would fill a worker's memory: compressed, too long, or more than is answered. It does not.

Cases 37, 38 and 39 of the project's catalogue of faults.
"""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from onebox import roles
from tests.api.serving import TOKEN, Address, Client
from tests.bellbuoy.database.pools import settings_for
from tests.integration.hostile import LIMITS, Hostile
from tests.integration.test_api_idempotency import process
from tests.integration.test_api_users import fill
from tests.integration.test_api_writes import JSON
from tests.integration.test_echo import most_memory
from tests.postgres import Database, database, postgres

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.slow

MIB = 1 << 20
INFLATED = bytes(32 * MIB)
BOMBS = {"gzip": gzip.compress(INFLATED), "deflate": zlib.compress(INFLATED)}
"""Bodies of 32 KiB, fewer than are taken."""

AT_ONCE = 10

POST = b"POST / HTTP/1.1\r\n"
CREATE = (
    f"POST /users HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {TOKEN}\r\n"
).encode()


async def refusal(address: Address, coding: str, *, is_chunked: bool) -> int:
    """Send a bomb, with its length or in one chunk; return the status, after which it is closed."""
    client, body = await Client.connect(address), BOMBS[coding]
    headers = {**JSON, "Content-Encoding": coding}
    try:
        if is_chunked:
            client.send("/users", "POST", {**headers, "Transfer-Encoding": "chunked"})
            client.writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        else:
            client.send("/users", "POST", headers, body)
        reply = await client.receive()
        assert await client.is_closed()
        return reply.status
    finally:
        await client.close()


async def broken(address: Address, limit: Hostile) -> int:
    """Send what breaks a limit, as a user to create if it has a body; return the status."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(limit.data.replace(POST, CREATE))
        async with asyncio.timeout(60):
            return int((await reader.readline()).split()[1])
    finally:
        writer.transport.abort()


@asynccontextmanager
async def frugal(folder: Path, database: Database) -> AsyncIterator[Address]:
    """Run the api with one worker, which never holds 16 MiB more than after its first request."""
    await fill(settings_for(database, role=roles.OWNER))
    with process(folder, database, 1) as program:
        (worker,) = program.traffic()
        await refusal(program.address, "gzip", is_chunked=False)
        before = psutil.Process(worker).memory_info().rss
        yield program.address
        grown = most_memory(worker) - before
        assert await asyncio.to_thread(program.stop) == 0
    assert grown < 16 * MIB


async def test_a_bomb_is_refused_and_not_inflated(tmp_path: Path, database: Database) -> None:
    """A thousand times larger inside: 415, and the worker's memory never grows by one of them."""
    assert all(len(body) < 64 * 1024 for body in BOMBS.values())
    async with frugal(tmp_path, database) as address:
        statuses = await asyncio.gather(
            *(
                refusal(address, coding, is_chunked=is_chunked)
                for coding in BOMBS
                for is_chunked in (False, True)
                for _ in range(AT_ONCE)
            )
        )
    assert set(statuses) == {415}


async def test_what_breaks_a_limit_is_not_kept(tmp_path: Path, database: Database) -> None:
    """Megabytes of fields, cookies, trailers and chunks, ten times each at once."""
    limits = [each for each in LIMITS if not 200 <= each.status < 300]
    assert sum(len(each.data) for each in limits) * AT_ONCE > 32 * MIB
    async with frugal(tmp_path, database) as address:
        statuses = await asyncio.gather(
            *(broken(address, each) for each in limits for _ in range(AT_ONCE))
        )
    assert statuses == [each.status for each in limits for _ in range(AT_ONCE)]


async def test_a_flood_that_is_not_read_is_not_kept(tmp_path: Path, database: Database) -> None:
    """Ten thousand requests on each of ten connections, whose answers nobody takes."""
    flood = b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 1000 + b"\r\n\r\n"
    async with frugal(tmp_path, database) as address:
        clients = [await Client.connect(address) for _ in range(AT_ONCE)]
        try:
            for client in clients:
                client.writer.write(flood * 10_000)
            other = await Client.connect(address)
            for _ in range(100):
                assert (await other.ask("/")).status == 200
            await other.close()
        finally:
            for client in clients:
                client.writer.transport.abort()
