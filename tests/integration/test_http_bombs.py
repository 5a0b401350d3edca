"""Compressed bodies that would fill a worker's memory: refused as they are, and not inflated.

Case 38 of the project's catalogue of faults.
"""

import asyncio
import gzip
import zlib
from pathlib import Path

import psutil
import pytest

from onebox import roles
from tests.api.serving import Address, Client
from tests.bellbuoy.database.pools import settings_for
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


async def test_a_bomb_is_refused_and_not_inflated(tmp_path: Path, database: Database) -> None:
    """A thousand times larger inside: 415, and the worker's memory never grows by one of them."""
    assert all(len(body) < 64 * 1024 for body in BOMBS.values())
    await fill(settings_for(database, role=roles.OWNER))
    with process(tmp_path, database, 1) as program:
        (worker,) = program.traffic()
        await refusal(program.address, "gzip", is_chunked=False)
        before = psutil.Process(worker).memory_info().rss
        statuses = await asyncio.gather(
            *(
                refusal(program.address, coding, is_chunked=is_chunked)
                for coding in BOMBS
                for is_chunked in (False, True)
                for _ in range(AT_ONCE)
            )
        )
        grown = most_memory(worker) - before
        assert await asyncio.to_thread(program.stop) == 0
    assert set(statuses) == {415}
    assert grown < 16 * MIB
