"""The pool without PostgreSQL; tests/integration/test_database.py has one."""

import asyncio
import math
from pathlib import Path

import pytest

from bellbuoy.errors import DatabaseUnavailable, SettingsError
from tests.bellbuoy.database.pools import READ, nowhere, opened


async def test_opening_never_needs_postgresql(tmp_path: Path) -> None:
    """Nobody listens: the pool opens, refuses, and closes."""
    async with opened(nowhere(tmp_path)) as target:
        with pytest.raises(DatabaseUnavailable, match="cannot be reached") as refused:
            await target.pool.fetch(READ, "SELECT 1")
        assert target.measures().up.value == 0
    assert refused.value.retry_after > 0


async def test_while_it_is_down_nobody_connects_but_the_watch(tmp_path: Path) -> None:
    """A thousand requests cost a starting server nothing."""
    attempts = 0

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, opened(nowhere(tmp_path, server.sockets[0].getsockname()[1])) as target:
        for _ in range(1000):
            with pytest.raises(DatabaseUnavailable):
                await target.pool.fetch(READ, "SELECT 1")
        assert target.measures().refused.value >= 990
    assert 0 < attempts < 10


async def test_readiness_waits_for_a_schema(tmp_path: Path) -> None:
    """And gives up with its caller."""
    async with opened(nowhere(tmp_path)) as target:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(target.pool.compatible(), 0.05)


async def test_a_missing_password_stops_the_program(tmp_path: Path) -> None:
    """It is the one thing that opening needs."""
    settings = nowhere(tmp_path)
    settings.db_password_file.unlink()
    with pytest.raises(SettingsError):
        async with opened(settings):
            pass


async def test_who_has_not_asked_yet_knows_nothing(tmp_path: Path) -> None:
    """Neither that PostgreSQL is up nor that it is down."""
    async with opened(nowhere(tmp_path)) as target:
        assert math.isnan(target.measures().up.value)
