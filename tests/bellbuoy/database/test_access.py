"""One attempt without PostgreSQL; tests/integration/test_database_outages.py has one."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from bellbuoy.errors import DatabaseUnavailable
from tests.bellbuoy.database.pools import READ, nowhere, opened


async def test_a_full_postgresql_is_told_once_and_counted(tmp_path: Path) -> None:
    """The cause is on record, without a line for each request."""
    fields = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"E" + (4 + len(fields)).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    settings = nowhere(tmp_path, server.sockets[0].getsockname()[1])
    with structlog.testing.capture_logs() as events:
        async with server, opened(settings) as target:
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable, match="too busy"):
                    await target.pool.fetch(READ, "SELECT 1")
            counted = target.measures().error("connect", "53300").value
    assert counted >= 3
    (full,) = [event for event in events if event["event"] == "database full"]
    assert (full["log_level"], full["sqlstate"]) == ("warning", "53300")


async def test_a_server_that_cuts_whoever_comes_is_not_asked_by_everybody(tmp_path: Path) -> None:
    """As a balancer without a server does: a place of the pool tries twice at most, not a caller.

    Each gets the same refusal; only the watch goes on.
    """
    came = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await reader.read(1)
        writer.transport.abort()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    settings = replace(nowhere(tmp_path, server.sockets[0].getsockname()[1]), db_pool_size=3)
    async with server, opened(settings) as target:
        asking = (target.pool.fetch(READ, "SELECT 1") for _ in range(200))
        ends = await asyncio.gather(*asking, return_exceptions=True)
        known = came
    assert {type(end) for end in ends} == {DatabaseUnavailable}
    # The watch looks meanwhile, once as everybody does and then by itself.
    assert known <= 2 * 3 + 4


async def test_a_refused_connection_is_counted(tmp_path: Path) -> None:
    """As one that no answer came from."""
    async with opened(nowhere(tmp_path)) as target:
        with pytest.raises(DatabaseUnavailable):
            await target.pool.fetch(READ, "SELECT 1")
        assert target.measures().error("connect", None).value >= 1
