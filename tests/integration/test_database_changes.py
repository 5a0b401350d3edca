"""The schema changes, and the server is demoted, while the pool is at work.

Cases 55 and 58 of the project's catalogue of faults.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bellbuoy.database.connections import Connection
from bellbuoy.errors import DatabaseUnavailable
from tests.bellbuoy.database.pools import READ, opened, settings_for
from tests.integration.asking import PATIENCE, answers, is_down, until
from tests.postgres import Database, Server, database, own_postgres, postgres

__all__ = ["database", "own_postgres", "postgres"]

WRITE = "test.write"
OPERATIONS = (READ, WRITE)

CHANGES = [
    "ALTER TABLE t ADD COLUMN more text",
    "ALTER TABLE t ALTER COLUMN n TYPE bigint",
    "CREATE INDEX t_word ON t (word)",
    "DROP INDEX t_word",
    "ALTER TABLE t ALTER COLUMN word TYPE varchar(100)",
    "ALTER TABLE t DROP COLUMN more",
]


UPDATE = "UPDATE t SET word = $1 WHERE n = 1 RETURNING *"


async def _in_a_transaction(connection: Connection) -> None:
    await connection.fetch("SELECT * FROM t WHERE n = $1", 1)
    await connection.execute("UPDATE t SET word = $1 WHERE n = 1", "other")
    await connection.fetch("SELECT * FROM t WHERE n = $1", 1)


@pytest.mark.slow
async def test_a_change_of_the_schema_is_no_bug(database: Database, postgres: Server) -> None:
    """Columns, types and indexes change under prepared statements: refusals at worst, no 500.

    Reads, transactions and writes of one statement go on meanwhile.

    ``SELECT *`` is what a program must not do, and even that is served again after a moment.
    """
    postgres.psql(
        "CREATE TABLE t (n int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'word');"
        "GRANT ALL ON t TO bellbuoy_app",
        database.name,
    )
    async with opened(
        settings_for(database, pool_size=4), operations=OPERATIONS, schema=0
    ) as target:
        await until(lambda: answers(target))
        done, served, refused = asyncio.Event(), [0, 0, 0], 0

        async def read() -> None:
            while not done.is_set():
                await target.pool.fetch(READ, "SELECT * FROM t WHERE n = $1", 1)
                served[0] += 1

        async def write(kind: int, once: Callable[[], Awaitable[object]]) -> None:
            nonlocal refused
            while not done.is_set():
                try:
                    await once()
                except DatabaseUnavailable:
                    refused += 1
                else:
                    served[kind] += 1

        async def are_served(goal: list[int]) -> bool:
            return all(now > then for now, then in zip(served, goal, strict=True))

        work = [
            asyncio.create_task(read()),
            asyncio.create_task(read()),
            asyncio.create_task(write(1, lambda: target.pool.write(WRITE, _in_a_transaction))),
            asyncio.create_task(write(2, lambda: target.pool.write_row(WRITE, UPDATE, "third"))),
        ]
        for change in CHANGES:
            before = list(served)
            await until(lambda goal=before: are_served(goal))  # type: ignore[misc]  # a default
            await asyncio.to_thread(postgres.psql, change, database.name)
            before = list(served)
            await until(lambda goal=before: are_served(goal))  # type: ignore[misc]  # a default
        done.set()
        await asyncio.gather(*work)
        # Each change undoes at most one transaction, for each connection that had it prepared.
        assert refused <= len(CHANGES) * 4
        assert target.measures().up.value == 1


@pytest.mark.slow
async def test_a_server_that_became_read_only_is_left_and_taken_back(own_postgres: Server) -> None:
    """What a failover leaves behind: refused at the first write, healed when it takes writes.

    Meanwhile it counts as down, and the service stays ready: without writes there is a greeting.
    """
    own_postgres.psql(
        "CREATE TABLE t (n int); GRANT ALL ON t TO bellbuoy_app", own_postgres.database().name
    )
    read_only = "ALTER SYSTEM SET default_transaction_read_only = {}"
    async with opened(
        settings_for(own_postgres.database(), pool_size=2), operations=OPERATIONS, schema=0
    ) as target:
        await until(lambda: answers(target))

        async def is_written() -> bool:
            try:
                await target.pool.write(
                    WRITE, lambda each: each.execute("INSERT INTO t VALUES (1)")
                )
            except DatabaseUnavailable:
                return False
            return True

        async def is_refused() -> bool:
            return not await is_written()

        assert await is_written()
        assert target.measures().up.value == 1
        await asyncio.to_thread(own_postgres.psql, read_only.format("on"))
        await asyncio.to_thread(own_postgres.psql, "SELECT pg_reload_conf()")
        await until(is_refused)
        await until(lambda: is_down(target))
        assert target.measures().up.value == 0
        await asyncio.wait_for(target.pool.compatible(), 1)
        await asyncio.to_thread(
            own_postgres.psql,
            f"SET default_transaction_read_only = off; {read_only.format('off')}",
        )
        await asyncio.to_thread(own_postgres.psql, "SELECT pg_reload_conf()")
        assert await until(is_written) < PATIENCE
        assert target.measures().up.value == 1
