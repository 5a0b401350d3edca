"""The pool behind PgBouncer in transaction mode: two sessions for many, and the same promises."""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from bellbuoy.database import DatabaseSettings
from bellbuoy.errors import ConstraintViolated, DatabaseUnavailable
from tests.api.serving import AUTHORIZED, Served
from tests.bellbuoy.database.pools import READ, opened, settings_for, whole
from tests.integration.asking import PATIENCE, SOON, answers, refusal, until
from tests.integration.history import History
from tests.integration.test_api_users import api
from tests.integration.test_api_writes import ADA, write
from tests.integration.words import LOOK, Rename, words
from tests.pgbouncer import pgbouncer, require
from tests.postgres import Database, Server, database, own_postgres, postgres

__all__ = ["database", "own_postgres", "postgres", "words"]

WRITE = "test.write"
OPERATIONS = (READ, WRITE)


@pytest.fixture
def through(words: Database, tmp_path: Path) -> Iterator[DatabaseSettings]:
    """Settings of a pool of five connections to a PgBouncer with two sessions."""
    require()
    with pgbouncer(words, tmp_path) as address:
        yield behind(words, address)


def behind(database: Database, address: tuple[str, int]) -> DatabaseSettings:
    """Return the settings for a PgBouncer: the one that it takes, and its address."""
    return dataclasses.replace(settings_for(database, address=address), db_pooler="transaction")


async def test_reads_share_the_sessions(through: DatabaseSettings) -> None:
    """Five connections, two sessions, and statements with values of every kind all the time."""
    async with opened(through, operations=OPERATIONS, schema=0) as target:
        await until(lambda: answers(target))
        sessions = set()
        for _ in range(20):
            rows = await asyncio.gather(
                *(
                    target.pool.fetchrow(
                        READ, "SELECT pg_backend_pid() AS pid, $1::int AS n, $2::text AS t", n, "ä"
                    )
                    for n in range(10)
                )
            )
            assert [row and (row["n"], row["t"]) for row in rows] == [(n, "ä") for n in range(10)]
            sessions |= {row["pid"] for row in rows if row}
        assert len(sessions) == 2


async def test_writes_and_batches_work_the_same(through: DatabaseSettings) -> None:
    """A transaction stays in one session; who wrote reads what was written."""
    async with opened(through, operations=OPERATIONS, schema=0) as target:
        await until(lambda: answers(target))
        batcher = target.pool.batcher(READ, LOOK, whole)
        for number in range(20):
            _, *others = await asyncio.gather(
                target.pool.write(WRITE, Rename(f"version {number}")),
                *(batcher.get(key) for key in range(2, 12)),
            )
            assert [row and row["word"] for row in others] == [
                f"word {key}" for key in range(2, 12)
            ]
            row = await batcher.get(1)
            assert row is not None
            assert row["word"] == f"version {number}"
        with pytest.raises(ConstraintViolated, match="23505"):
            await target.pool.write(
                WRITE, lambda each: each.execute("INSERT INTO words VALUES (1, '')")
            )


async def test_the_api_reads_and_writes_behind_it(tmp_path: Path, database: Database) -> None:
    """Ten users at once, from POST to DELETE, each of them in whichever session is free."""
    require()
    with pgbouncer(database, tmp_path) as (host, port):
        pooler = {
            "BUOY_DB_POOLER": "transaction",
            "BUOY_DB_HOST": host,
            "BUOY_DB_PORT": str(port),
        }
        async with api(tmp_path, database, **pooler) as served:
            lives = await asyncio.gather(*(live(served, n) for n in range(10)))
            assert served.bugs() == 0
    assert lives == [[201, 200, 200, 204, 404]] * 10


async def live(served: Served, number: int) -> list[int]:
    """Create a user without a key, read, change and delete it; return what was answered."""
    created = await write(served, "POST", "/users", {**ADA, "email": f"{number}@example.org"})
    place, any_version = created.headers["location"], {"If-Match": "*"}
    replies = [
        created,
        await served.ask(place, headers=AUTHORIZED),
        await write(served, "PATCH", place, {"name": "Eve"}, any_version),
        await write(served, "DELETE", place, None, any_version),
        await served.ask(place, headers=AUTHORIZED),
    ]
    return [reply.status for reply in replies]


@pytest.mark.slow
async def test_the_roles_timeouts_hold_behind_it(through: DatabaseSettings) -> None:
    """They are the role's and not the login's, so PgBouncer cannot lose them."""
    async with opened(through, operations=OPERATIONS, schema=0) as target:
        await until(lambda: answers(target))
        shown = [
            await target.pool.fetchrow(READ, f"SHOW {name}")
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
        assert [row and row[0] for row in shown] == ["4s", "1s", "5s"]
        waited = await refusal(target.pool.fetch(READ, "SELECT pg_sleep(20)"))
        assert target.measures().error(READ, "57014").value == 1
        assert 3.5 < waited < PATIENCE


@pytest.mark.slow
async def test_a_cancelled_caller_cancels_the_statement_behind_it(
    through: DatabaseSettings,
) -> None:
    """Its session is free again for the others."""
    async with opened(through, operations=OPERATIONS, schema=0) as target:
        await until(lambda: answers(target))
        for _ in range(4):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await target.pool.fetch(READ, "SELECT pg_sleep(3.5)")
        assert await until(lambda: answers(target)) < SOON


@pytest.mark.slow
async def test_a_restart_behind_it_heals(own_postgres: Server, tmp_path: Path) -> None:
    """Refused while PostgreSQL is away, healed by itself, and no acknowledged write is lost."""
    require()
    database = own_postgres.database()
    own_postgres.psql("CREATE TABLE marks (n int); GRANT ALL ON marks TO bellbuoy_app", "bellbuoy")
    history = History()

    with pgbouncer(database, tmp_path) as address:
        async with opened(behind(database, address), operations=OPERATIONS, schema=0) as target:
            await until(lambda: answers(target))

            async def write(number: int) -> None:
                try:
                    await target.pool.write(
                        WRITE, lambda each: each.execute("INSERT INTO marks VALUES ($1)", number)
                    )
                except DatabaseUnavailable:
                    history.failed.add(number)
                else:
                    history.ok.add(number)

            await asyncio.gather(*(write(number) for number in range(50)))
            await asyncio.to_thread(own_postgres.stop)
            await asyncio.gather(*(write(number) for number in range(50, 100)))
            await asyncio.to_thread(own_postgres.start)
            await until(lambda: answers(target))
            await asyncio.gather(*(write(number) for number in range(100, 150)))
            rows = await target.pool.fetch(READ, "SELECT n FROM marks")
    assert history.violations(row["n"] for row in rows) == []
    assert (len(history.ok), len(history.failed)) == (100, 50)
