"""The pool's sessions in a real PostgreSQL: nothing stays set, nothing leaks, none grows old."""

import asyncio
from typing import Any

import asyncpg
import pytest

from bellbuoy.database import connections, watch
from bellbuoy.errors import DatabaseUnavailable, QueryFailed
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for
from tests.integration.asking import (
    answers,
    backends,
    is_used,
    until,
)
from tests.postgres import Database, Server, database, own_postgres, postgres

__all__ = ["database", "own_postgres", "postgres"]


async def test_nothing_stays_set_in_a_session(database: Database) -> None:
    """After statements, a failure and a cancellation the session is as it was when opened."""
    async with opened(settings_for(database, pool_size=1)) as target:
        await target.pool.fetch(READ, "SELECT 1")
        with pytest.raises(QueryFailed):
            await target.pool.fetch(READ, "SELECT 1 / 0")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await target.pool.fetch(READ, "SELECT pg_sleep(3)")
        state = await target.pool.fetchrow(
            READ,
            """
            SELECT
                (SELECT count(*) FROM pg_settings WHERE source = 'session') AS parameters,
                (SELECT count(*) FROM pg_listening_channels()) AS channels,
                (SELECT count(*) FROM pg_cursors WHERE name <> '') AS cursors,
                (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()
                     AND locktype = 'advisory') AS locks,
                (SELECT count(*) FROM pg_class WHERE relpersistence = 't') AS temporary,
                pg_current_xact_id_if_assigned() IS NOT NULL AS writing
            """,
        )
    assert state is not None
    assert dict(state) == {
        "parameters": 0,
        "channels": 0,
        "cursors": 0,
        "locks": 0,
        "temporary": 0,
        "writing": False,
    }


async def test_cancelled_statements_leak_nothing(database: Database) -> None:
    """Many callers that give up in the middle: every connection comes back, none is in use."""
    async with opened(settings_for(database, pool_size=3)) as target:
        await until(lambda: answers(target))

        async def give_up(after: float) -> None:
            try:
                async with asyncio.timeout(after):
                    await target.pool.fetch(READ, "SELECT pg_sleep(1)")
            except (TimeoutError, DatabaseUnavailable):
                pass

        await asyncio.gather(*(give_up(n / 1000) for n in range(60)))
        assert [await answers(target) for _ in range(10)] == [True] * 10
        await until(lambda: is_used(target, 0))
        assert target.measures().pending.value == 0
        assert await backends(target) <= 3


async def test_connections_do_not_grow_old(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failover the name may stand for a new primary, and the old one still answers."""
    monkeypatch.setattr(watch, "LIFETIME", 0.0)
    monkeypatch.setattr(watch, "WAIT_FOR_SCHEMA", 0.01)
    async with opened(settings_for(database, pool_size=1)) as target:
        await until(lambda: answers(target))
        first = await target.pool.fetchrow(READ, "SELECT pg_backend_pid()")

        async def is_another() -> bool:
            return await target.pool.fetchrow(READ, "SELECT pg_backend_pid()") != first

        await until(is_another)
        assert target.measures().up.value == 1


async def test_a_demoted_server_gets_its_connections_replaced(database: Database) -> None:
    """25006 is unavailability; afterwards no connection from before is used again."""
    pid = "SELECT pg_backend_pid() AS pid"
    write = "CREATE TEMP TABLE t ()"
    async with opened(settings_for(database, pool_size=1)) as target:
        await until(lambda: answers(target))
        before = await target.pool.fetchrow(READ, pid)
        # A session that became read-only is what a failover leaves behind.
        await target.pool.fetch(READ, "SELECT set_config('transaction_read_only', 'on', false)")
        await target.pool.fetch(
            READ, "SELECT set_config('default_transaction_read_only', 'on', false)"
        )
        with pytest.raises(DatabaseUnavailable, match="takes no writes"):
            await target.pool.fetch(READ, write)
        after = await target.pool.fetchrow(READ, pid)
    assert before is not None
    assert after is not None
    assert before["pid"] != after["pid"]


@pytest.mark.slow
async def test_a_new_password_needs_no_restart(own_postgres: Server) -> None:
    """The file and the role change, the sessions end: the next connection reads the file again."""
    ways_in = own_postgres.database()
    settings = settings_for(ways_in)
    async with opened(settings) as target:
        await until(lambda: answers(target))
        await asyncio.to_thread(
            own_postgres.psql, "ALTER ROLE bellbuoy_app PASSWORD 'a new one, quite long'"
        )
        settings.db_password_file.write_text("a new one, quite long\n")
        await asyncio.to_thread(
            own_postgres.psql,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'test'",
        )
        assert await answers(target)


async def taken(target: Opened) -> object:
    """Return the process of the connection that is used next."""
    return await target.pool.fetchrow(READ, "SELECT pg_backend_pid()")


async def test_a_connection_passes_from_caller_to_caller(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's pool is asked for it once, and not for each statement."""
    asked: list[object] = []
    acquire = asyncpg.Pool.acquire

    def counted(pool: asyncpg.Pool) -> object:
        asked.append(pool)
        return acquire(pool)

    monkeypatch.setattr(connections, "LEASE", 60.0)
    async with opened(settings_for(database, pool_size=1)) as target:
        await until(lambda: answers(target))
        monkeypatch.setattr(asyncpg.Pool, "acquire", counted)
        assert len({await taken(target) for _ in range(20)}) == 1
        assert len(asked) <= 1  # the watch may just have had all replaced
        assert target.measures().idle.value == 1


async def test_the_driver_s_pool_looks_at_it_once_a_lease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is replaced when it is too old, though it is in use all the time."""
    monkeypatch.setattr(connections, "LEASE", 0.0)
    released: list[object] = []
    release = asyncpg.Pool.release

    async def counted(pool: asyncpg.Pool, connection: Any, **options: float) -> None:
        released.append(connection)
        await release(pool, connection, **options)

    monkeypatch.setattr(asyncpg.Pool, "release", counted)
    async with opened(settings_for(database, pool_size=1)) as target:
        await until(lambda: answers(target))
        before = len(released)
        for _ in range(5):
            await taken(target)
    assert len(released) >= before + 5


async def test_an_unused_connection_goes_back_by_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is closed when nobody has used it for as long as the driver's pool keeps it."""
    monkeypatch.setattr(connections, "LEASE", 0.01)
    monkeypatch.setattr(connections, "IDLE", 0.01)
    monkeypatch.setattr(watch, "WAIT_FOR_SCHEMA", 60.0)
    async with opened(settings_for(database, pool_size=1)) as target:
        await until(lambda: answers(target))

        async def is_closed() -> bool:
            seen = target.measures()
            return (seen.idle.value, seen.used.value) == (0, 0)

        await until(is_closed)


async def test_closing_waits_for_no_lease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is in use meanwhile goes back as soon as its statement is done."""
    monkeypatch.setattr(connections, "LEASE", 60.0)
    monkeypatch.setattr(connections, "CLOSE", 60.0)
    async with asyncio.timeout(20):
        async with opened(settings_for(database, pool_size=1)) as target:
            await until(lambda: answers(target))
            asking = asyncio.ensure_future(target.pool.fetch(READ, "SELECT pg_sleep(0.2)"))
            await until(lambda: is_used(target, 1))
        assert len(await asking) == 1
