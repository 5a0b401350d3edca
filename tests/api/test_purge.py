"""The purge, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import structlog.testing

from api import purge as purging
from api.purge import EVERY, PURGE, SOON, Purge
from api.schema import migrations
from bellbuoy.database import direct, migrate
from onebox import roles
from tests.api.serving import api_settings, served_api
from tests.bellbuoy.database.pools import Opened, opened, settings_for
from tests.postgres import Database, database, postgres
from tests.waiting import soon

__all__ = ["database", "postgres"]

KEEP = """
INSERT INTO idempotency_keys (owner, key, fingerprint, status, location, etag, body, created_at)
SELECT 'test', n, sha256(''), 201, '', '', '', now() - $1 * interval '1 hour'
FROM generate_series($2::integer, $3::integer) AS n
"""


class OverError(Exception):
    """Ends what would run for ever."""


class Rests:
    """Rests that take no time.

    Args:
        most: How many there are.
    """

    def __init__(self, most: int) -> None:
        """Begin none."""
        self.most = most
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Note a rest; the last one does not end."""
        self.seconds.append(seconds)
        if len(self.seconds) == self.most:
            raise OverError


@asynccontextmanager
async def kept(database: Database) -> AsyncIterator[tuple[Opened, asyncpg.Connection]]:
    """A pool, and a connection to look with; 25 answers are old, 10 are not."""
    owner = settings_for(database, role=roles.OWNER)
    await migrate(owner, migrations())
    async with direct(owner, "test") as connection:
        await connection.execute(KEEP, 24.1, 1, 25)
        await connection.execute(KEEP, 23.9, 26, 35)
        async with opened(settings_for(database), operations=[PURGE], schema=2) as target:
            yield target, connection


async def left(connection: asyncpg.Connection) -> int:
    """Return how many answers there are."""
    return int(await connection.fetchval("SELECT count(*) FROM idempotency_keys"))


async def test_a_round_forgets_what_is_old_and_nothing_else(database: Database) -> None:
    """In as many transactions as it takes; it is named and counted."""
    async with kept(database) as (target, connection):
        purge = Purge(target.pool, target.monitor, batch=10)
        assert await purge.round() == 25
        assert await left(connection) == 10
        assert await purge.round() == 0
        assert target.monitor.get_stats().tasks[PURGE].completed == 2


async def test_of_many_workers_one_is_at_it(database: Database) -> None:
    """The others leave at once, with nothing done, and do not wait."""
    async with kept(database) as (target, connection):
        async with connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('idempotency.purge', 0))"
            )
            assert await Purge(target.pool, target.monitor).round() == 0
        rounds = (Purge(target.pool, target.monitor, batch=10).round() for _ in range(4))
        gone = await asyncio.gather(*rounds)
        assert sum(gone) == 35 - await left(connection)
        assert await left(connection) >= 10


async def test_a_row_that_somebody_writes_is_passed_over(database: Database) -> None:
    """Nobody waits for a purge, and it waits for nobody."""
    async with kept(database) as (target, connection), connection.transaction():
        await connection.execute("SELECT FROM idempotency_keys WHERE key = '7' FOR UPDATE")
        assert await Purge(target.pool, target.monitor).round() == 24


async def test_after_a_full_round_the_next_one_comes_soon(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More keys than the usual rounds get done do not pile up."""
    monkeypatch.setattr(purging, "BATCHES", 2)
    async with kept(database) as (target, connection):
        rests = Rests(3)
        purge = Purge(target.pool, target.monitor, 10, jitter=lambda: 0.0, sleep=rests)
        with pytest.raises(OverError):
            await purge.run()
        assert await left(connection) == 10
    assert rests.seconds == [EVERY, SOON, EVERY]


@pytest.mark.parametrize(
    "sql", ["SELECT nonsense", "SELECT NULL WHERE $1::bigint > 0"], ids=["refused", "a bug"]
)
async def test_a_round_that_fails_is_not_the_last(
    database: Database, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    """Whatever it failed for: it is logged, and the next one comes at its time."""
    monkeypatch.setattr(purging, "_DELETE", sql)
    async with kept(database) as (target, _):
        rests = Rests(3)
        purge = Purge(target.pool, target.monitor, jitter=lambda: 0.0, sleep=rests)
        with structlog.testing.capture_logs() as logs, pytest.raises(OverError):
            await purge.run()
    assert [each["event"] for each in logs].count("purge failed") == 2
    assert rests.seconds == [EVERY] * 3


async def test_the_service_purges_by_itself(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it serves, and nobody asks for it."""
    monkeypatch.setattr(purging, "EVERY", 0.05)
    settings = api_settings(tmp_path, database.environ())
    async with kept(database) as (_, connection), served_api(settings) as served:
        await soon(lambda: served.monitor.get_stats().tasks[PURGE].completed)
        assert await left(connection) == 10
