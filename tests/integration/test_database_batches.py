"""Batches on a real PostgreSQL: one query a turn, the truth for everybody, nothing left over."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from bellbuoy.database.measures import BATCH_KEYS
from bellbuoy.errors import DatabaseUnavailable, Refused
from onebox import roles
from tests.bellbuoy.database.pools import READ, Opened, nowhere, opened, settings_for, whole
from tests.integration.asking import PATIENCE, SOON, until
from tests.postgres import Database, Server, database, postgres

__all__ = ["database", "postgres"]

NUMBERS = "SELECT n, -n FROM generate_series(1, 100) AS n WHERE n = ANY($1::bigint[])"
SLOW = f"SELECT n, m FROM ({NUMBERS}) AS found (n, m), pg_sleep(30)"  # noqa: S608 - a constant


async def sent(target: Opened) -> bool:
    """Return whether a query of a batch is under way."""
    return queries(target) == 1


async def sleep(postgres: Server, database: Database, count: int) -> bool:
    """Return whether so many statements are at SLOW's sleep."""
    sleeping = f"datname = '{database.name}' AND wait_event = 'PgSleep'"
    counted = f"SELECT count(*) FROM pg_stat_activity WHERE {sleeping}"  # noqa: S608 - of a test
    return int(await asyncio.to_thread(postgres.psql, counted)) == count


def queries(target: Opened) -> float:
    """Return how many queries of batches were sent."""
    target.instruments.flush()
    start = target.instruments.cell(BATCH_KEYS, {})
    return sum(target.instruments.cells[start : start + len(BATCH_KEYS.buckets) + 1])


async def test_a_turn_is_one_query_and_everybody_gets_their_row(database: Database) -> None:
    """A missing one is None, a wanted one may be wanted twice."""
    async with opened(settings_for(database)) as target:
        numbers = target.pool.batcher(READ, NUMBERS, whole)
        rows = await asyncio.gather(*map(numbers.get, (7, 101, 7, 1)))
        assert [row and row[1] for row in rows] == [-7, None, -7, -1]
        assert queries(target) == 1


async def test_whoever_wrote_reads_what_was_written(database: Database) -> None:
    """A lookup that is under way from before the write serves nobody who asks after it."""
    owner = await asyncpg.connect(**database.connect_arguments(roles.OWNER))
    await owner.execute("CREATE TABLE counters AS SELECT 1::bigint AS id, 0::bigint AS n")
    await owner.close()
    async with opened(settings_for(database)) as target:
        counters = target.pool.batcher(
            READ, "SELECT id, n FROM counters WHERE id = ANY($1::bigint[])", whole
        )
        for expected in range(1, 30):
            before = asyncio.ensure_future(counters.get(1))
            await asyncio.sleep(0)
            await target.pool.write(
                READ, lambda connection: connection.execute("UPDATE counters SET n = n + 1")
            )
            row = await counters.get(1)
            assert row is not None
            assert row[1] == expected
            await before


async def test_a_key_that_postgresql_cannot_hold_fails_nobody_else(database: Database) -> None:
    """It is refused before it joins."""
    async with opened(settings_for(database)) as target:
        numbers = target.pool.batcher(READ, NUMBERS, whole)
        keys = (5, 1 << 63, -(1 << 63) - 1)
        good, *bad = await asyncio.gather(*map(numbers.get, keys), return_exceptions=True)
    assert isinstance(good, asyncpg.Record)
    assert good[1] == -5
    assert [type(each) for each in bad] == [ValueError, ValueError]


async def test_the_query_ends_in_postgresql_when_nobody_waits_any_more(
    database: Database, postgres: Server
) -> None:
    """Two clients hang up: the statement is cancelled, its connection comes back."""
    postgres.tolerate(database)
    async with opened(settings_for(database, pool_size=1)) as target:
        slow = target.pool.batcher(READ, SLOW, whole)
        lookups = [asyncio.ensure_future(slow.get(key)) for key in (1, 2)]
        await until(lambda: sleep(postgres, database, 1))
        for lookup in lookups:
            lookup.cancel()
        await asyncio.wait(lookups, timeout=PATIENCE)
        assert await until(lambda: sleep(postgres, database, 0)) < SOON
        # There is one connection only, and the statement would have kept it for 5 s.
        async with asyncio.timeout(SOON):
            assert await target.pool.fetch(READ, "SELECT 1") != []


async def test_an_outage_refuses_the_whole_batch(tmp_path: Path) -> None:
    """Everybody in it learns that the database is away."""
    async with opened(nowhere(tmp_path)) as target:
        numbers = target.pool.batcher(READ, NUMBERS, whole)
        results = await asyncio.gather(*map(numbers.get, (1, 2, 3)), return_exceptions=True)
        assert [type(each) for each in results] == [DatabaseUnavailable] * 3


async def test_closing_the_pool_ends_what_is_under_way(database: Database) -> None:
    """Its callers are refused, and nothing hangs."""
    async with opened(settings_for(database)) as target:
        lookup = asyncio.ensure_future(target.pool.batcher(READ, SLOW, whole).get(1))
        await until(lambda: sent(target))
    with pytest.raises(Refused, match="stopping"):
        await lookup
