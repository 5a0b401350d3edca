"""The pool under pressure: a server that hangs, too few connections, held locks, cancelled callers.

Cases 52, 56, 57, 59 and 60 of the project's catalogue of faults.
"""

import asyncio
import time
from contextlib import AsyncExitStack, suppress

import pytest

from bellbuoy import timeouts
from bellbuoy.database.connections import Connection
from bellbuoy.errors import DatabaseUnavailable, EnvironmentFault, Refused
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for
from tests.integration.asking import PATIENCE, SOON, answers, backends, is_used, refusal, until
from tests.postgres import Database, Server, database, own_postgres, postgres

__all__ = ["database", "own_postgres", "postgres"]

WRITE = "test.write"
OPERATIONS = (READ, WRITE)


@pytest.mark.slow
async def test_a_server_that_hangs_costs_the_first_a_command_s_time(own_postgres: Server) -> None:
    """Frozen with all its sessions: 503 at the deadline, then at once; whole when it thaws."""
    async with opened(settings_for(own_postgres.database(), pool_size=3)) as target:
        await until(lambda: answers(target))
        await asyncio.gather(*(target.pool.fetch(READ, "SELECT 1") for _ in range(3)))
        own_postgres.hang()
        try:
            first = await asyncio.gather(
                *(refusal(target.pool.fetch(READ, "SELECT 1")) for _ in range(10))
            )
            later = [await refusal(target.pool.fetch(READ, "SELECT 1")) for _ in range(100)]
        finally:
            own_postgres.wake()
        healed = await until(lambda: answers(target))
        assert await backends(target) <= 4  # three, and the watch's last probe perhaps
        await until(lambda: is_used(target, 0))
    assert max(first) < timeouts.COMMAND * 2
    assert sum(later) < SOON
    assert healed < PATIENCE


@pytest.mark.slow
async def test_who_waits_longest_is_next(database: Database) -> None:
    """Nobody starves: connections are given out in the order in which they were asked for."""
    async with opened(settings_for(database, pool_size=1), schema=0) as target:
        await until(lambda: answers(target))
        served: list[int] = []

        async def ask(number: int) -> None:
            await target.pool.fetch(READ, "SELECT pg_sleep(0.01)")
            served.append(number)

        await asyncio.gather(*(ask(number) for number in range(20)))
    assert served == list(range(20))


@pytest.mark.slow
async def test_callers_that_run_away_leave_the_pool_whole(database: Database) -> None:
    """20,000 reads and writes given up at any moment: nothing stays open, nothing leaks."""
    async with opened(
        settings_for(database, pool_size=4), operations=OPERATIONS, schema=0
    ) as target:
        await until(lambda: answers(target))

        async def slow(connection: Connection) -> None:
            await connection.fetch("SELECT pg_sleep(0.002)")

        async def give_up(number: int) -> None:
            work = (
                target.pool.write(WRITE, slow)
                if number % 2
                else target.pool.fetch(READ, "SELECT pg_sleep(0.002)")
            )
            with suppress(TimeoutError, Refused):
                async with asyncio.timeout((number % 50) / 5000):
                    await work

        for wave in range(100):
            await asyncio.gather(*(give_up(200 * wave + number) for number in range(200)))
        await until(lambda: is_used(target, 0))
        assert [await answers(target) for _ in range(20)] == [True] * 20
        assert await _idle_in_transaction(target) == 0
        assert await backends(target) <= 4
        assert target.measures().pending.value == 0
        assert target.measures().up.value == 1


@pytest.mark.slow
async def test_a_locked_table_refuses_within_its_time_and_recovers(
    database: Database, postgres: Server
) -> None:
    """lock_timeout ends the waiting after a second; other statements are served meanwhile."""
    postgres.psql("CREATE TABLE t (n int); GRANT ALL ON t TO bellbuoy_app", database.name)
    locked = asyncio.Event()
    async with opened(
        settings_for(database, pool_size=3), operations=OPERATIONS, schema=0
    ) as target:
        await until(lambda: answers(target))

        async def lock(connection: Connection) -> None:
            await connection.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            locked.set()
            await connection.execute("SELECT pg_sleep(2.5)")

        holder = asyncio.create_task(target.pool.write(WRITE, lock))
        await locked.wait()
        waits = await asyncio.gather(
            *(refusal(target.pool.fetch(READ, "SELECT * FROM t")) for _ in range(10))
        )
        assert target.measures().up.value == 1
        assert target.measures().error(READ, "55P03").value >= 1
        assert await answers(target)
        await holder
        await target.pool.fetch(READ, "SELECT * FROM t")
    # A second for a connection, and a second for the lock.
    assert max(waits) < PATIENCE / 2


@pytest.mark.slow
async def test_a_full_server_refuses_and_the_administrator_gets_in(own_postgres: Server) -> None:
    """Pools for more than max_connections: 53300 is a refusal; at the declared size it is none."""
    own_postgres.psql("ALTER SYSTEM SET max_connections = 12")
    own_postgres.stop()
    own_postgres.start()
    settings = settings_for(own_postgres.database(), pool_size=4)
    async with AsyncExitStack() as stack:
        # Twelve less three for superusers are nine: two pools of four and a probe.
        pools = [await stack.enter_async_context(opened(settings, schema=0)) for _ in range(3)]
        within = await asyncio.gather(*(_hold(pool) for pool in pools[:2] for _ in range(4)))
        assert within == [True] * 8
        start = time.monotonic()
        beyond = await asyncio.gather(*(_hold(pool) for pool in pools for _ in range(4)))
        assert time.monotonic() - start < PATIENCE
        assert not all(beyond)
        assert beyond.count(True) >= 8
        holding = [asyncio.create_task(_hold(pool)) for pool in pools for _ in range(4)]
        # Who is about to be refused has a place for a moment.
        await until(lambda: gets_in(own_postgres))
        await asyncio.gather(*holding)
        for pool in pools[:2]:
            assert await answers(pool)
            assert pool.measures().up.value == 1


async def gets_in(server: Server) -> bool:
    """Return whether a superuser gets a connection."""
    try:
        return await asyncio.to_thread(server.psql, "SELECT 'in'") == "in"
    except EnvironmentFault:
        return False


async def _hold(target: Opened) -> bool:
    """Use a connection for a moment; return whether there was one."""
    try:
        await target.pool.fetch(READ, "SELECT pg_sleep(0.5)")
    except DatabaseUnavailable:
        return False
    return True


async def _idle_in_transaction(target: Opened) -> int:
    row = await target.pool.fetchrow(
        READ,
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%'",
    )
    assert row is not None
    return int(row["n"])
