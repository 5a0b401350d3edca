"""Statements on a real PostgreSQL: what they return, what they cost, and what refuses them."""

import asyncio

import pytest

from bellbuoy.errors import DatabaseUnavailable, QueryFailed
from tests.bellbuoy.database.pools import READ, opened, settings_for, timed
from tests.integration.asking import (
    PATIENCE,
    SOON,
    answers,
    is_quiet,
    is_used,
    refusal,
    until,
)
from tests.postgres import Database, Server, database, own_postgres, postgres
from tests.proxy import proxy, round_trips

__all__ = ["database", "own_postgres", "postgres"]


async def test_rows_come_back(database: Database) -> None:
    """All of them; for fetchrow the first one, or None. Each is timed under its name."""
    async with opened(settings_for(database)) as target:
        rows = await target.pool.fetch(READ, "SELECT n FROM generate_series(1, $1::int) AS n", 3)
        first = await target.pool.fetchrow(READ, "SELECT $1::text AS word", "ä")
        nothing = await target.pool.fetchrow(READ, "SELECT 1 WHERE false")
        count, seconds = timed(target.instruments, READ)
    assert (count, seconds > 0) == (3, True)
    assert [row["n"] for row in rows] == [1, 2, 3]
    assert (first and first["word"], nothing) == ("ä", None)


async def test_a_wrong_statement_is_no_outage(database: Database) -> None:
    """QueryFailed names the operation and SQLSTATE; the connection and the circuit stay whole."""
    async with opened(settings_for(database), schema=0) as target:
        await target.pool.compatible()
        with pytest.raises(QueryFailed) as failed:
            await target.pool.fetch(READ, "SELECT 1 / $1::int", 0)
        with pytest.raises(QueryFailed) as unfit:
            await target.pool.fetch(READ, "SELECT $1::bigint", 1 << 80)
        with pytest.raises(QueryFailed) as missing:
            await target.pool.fetch(READ, "SELECT * FROM nothing_of_the_kind")
        assert await answers(target)
        assert target.measures().up.value == 1
        assert target.measures().error(READ, "22012").value == 2
    assert (failed.value.operation, failed.value.sqlstate) == (READ, "22012")
    assert (unfit.value.sqlstate, missing.value.sqlstate) == ("22000", "42P01")


async def test_detail_goes_no_further(database: Database) -> None:
    """PostgreSQL's DETAIL quotes rows; neither the error nor its cause shows it."""
    sql = "DO $$ BEGIN RAISE 'no' USING DETAIL = 'ada@example.com', ERRCODE = '22000'; END $$"
    async with opened(settings_for(database)) as target:
        with pytest.raises(QueryFailed) as failed:
            await target.pool.fetch(READ, sql)
    assert "ada@example.com" not in f"{failed.value} {failed.value.__cause__}"


async def test_before_the_schema_is_there_its_absence_is_unavailability(database: Database) -> None:
    """A missing table is 503 until a compatible schema was seen, and a bug afterwards."""
    async with opened(settings_for(database), schema=1) as target:
        with pytest.raises(DatabaseUnavailable, match="not set up"):
            await target.pool.fetch(READ, "SELECT * FROM users")


async def test_no_round_trip_is_spent_on_anything_but_the_statement(database: Database) -> None:
    """A statement that was prepared before costs one round trip, giving back included."""
    async with proxy(("127.0.0.1", database.port)) as link:
        settings = settings_for(database, address=link.address, pool_size=1)
        async with opened(settings) as target:
            # The watch uses the same connection; its first look comes first.
            await until(lambda: answers(target, "SELECT 7"))
            await until(lambda: is_quiet(target))
            before = round_trips(link.sent[0])
            for _ in range(10):
                await target.pool.fetch(READ, "SELECT 7")
            looks = target.measures()
            after = round_trips(link.sent[0])
    assert looks is not None
    assert len(link.sent) == 1
    # A look of the watch may fall in between; a reset would make it twenty.
    assert 10 <= after - before <= 12


@pytest.mark.slow
async def test_exhaustion_is_a_refusal_and_no_outage(database: Database) -> None:
    """Who finds no free connection in a second is refused; the circuit stays closed."""
    async with opened(settings_for(database, pool_size=2)) as target:
        await until(lambda: answers(target))
        busy = [
            asyncio.create_task(target.pool.fetch(READ, "SELECT pg_sleep(2.5)")) for _ in range(2)
        ]
        await until(lambda: is_used(target, 2))
        waited = await refusal(target.pool.fetch(READ, "SELECT 1"))
        measures = target.measures()
        assert (measures.up.value, measures.refused.value) == (1, 0)
        assert measures.acquire_timeouts.value >= 1
        await asyncio.gather(*busy)
        assert await answers(target)
        assert target.measures().pending.value == 0
    assert 0.5 < waited < SOON


@pytest.mark.slow
async def test_a_statement_that_takes_too_long_is_a_refusal_and_no_outage(
    database: Database,
) -> None:
    """PostgreSQL's own statement timeout (57014) ends it before the driver gives up."""
    async with opened(settings_for(database)) as target:
        waited = await refusal(target.pool.fetch(READ, "SELECT pg_sleep(20)"))
        measures = target.measures()
        assert measures.error(READ, "57014").value == 1
        assert measures.up.value == 1
        assert await answers(target)
    assert 3.5 < waited < PATIENCE


async def test_a_closed_pool_refuses(database: Database) -> None:
    """The last requests of a drain that was cut short get an answer too."""
    async with opened(settings_for(database)) as target:
        await until(lambda: answers(target))
    assert not await answers(target)


async def test_a_full_server_is_no_outage(own_postgres: Server) -> None:
    """53300 refuses the statement that needs a new connection; the circuit stays closed."""
    own_postgres.psql("ALTER ROLE bellbuoy_app CONNECTION LIMIT 1")
    async with opened(settings_for(own_postgres.database(), pool_size=2)) as target:
        await until(lambda: answers(target))
        await until(lambda: is_quiet(target))
        busy = asyncio.create_task(target.pool.fetch(READ, "SELECT pg_sleep(0.5)"))
        await until(lambda: is_used(target, 1))
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < SOON
        assert target.measures().up.value == 1
        await busy
        await until(lambda: answers(target))  # unless the watch has the only one
