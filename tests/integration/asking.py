"""Asking a real PostgreSQL through the pool: until it answers, refuses, or is quiet."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from bellbuoy.errors import DatabaseUnavailable
from tests.bellbuoy.database.pools import READ, Opened

PATIENCE = 15.0
"""Seconds for what takes one or two on an idle machine."""

SOON = 3.0
"""Coarse bound for what must not wait for a timeout of 5 s."""


async def answers(target: Opened, sql: str = "SELECT 1") -> bool:
    """Return whether the database answers, as opposed to being unavailable."""
    try:
        await target.pool.fetch(READ, sql)
    except DatabaseUnavailable:
        return False
    return True


async def is_down(target: Opened) -> bool:
    """Return whether the database is unavailable."""
    return not await answers(target)


async def until(condition: Callable[[], Awaitable[bool]]) -> float:
    """Return after how many seconds ``condition`` came true; fail when it takes too long."""
    start = time.monotonic()
    while not await condition():
        assert time.monotonic() - start < PATIENCE
        await asyncio.sleep(0.01)
    return time.monotonic() - start


async def refusal(asking: Awaitable[object]) -> float:
    """Return after how many seconds DatabaseUnavailable came."""
    start = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await asking
    return time.monotonic() - start


async def backends(target: Opened) -> int:
    """Return how many connections this pool has to the server, as the server sees it."""
    rows = await target.pool.fetch(
        READ,
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'test' "
        "AND datname = current_database()",
    )
    return len(rows)


async def is_quiet(target: Opened) -> bool:
    """Return whether the watch is not using a connection at this moment."""
    return target.monitor.get_stats().tasks["database.look"].running == 0


async def is_used(target: Opened, count: int) -> bool:
    """Return whether ``count`` connections are in use."""
    return target.measures().used.value == count
