"""Writes on a real PostgreSQL: whole or not at all, and told apart from what nobody knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bellbuoy import timeouts
from bellbuoy.database.connections import Connection
from bellbuoy.errors import (
    ConstraintViolated,
    DatabaseUnavailable,
    OutcomeUnknown,
    QueryFailed,
)
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for, timed
from tests.integration.asking import answers, is_quiet, until
from tests.postgres import Database, Server, database, postgres
from tests.proxy import Proxy, proxy

__all__ = ["database", "postgres"]

WRITE = "test.write"

ROWS = "CREATE TABLE rows (id int CONSTRAINT rows_once PRIMARY KEY); "
RIGHTS = "GRANT ALL ON rows TO bellbuoy_app"


@pytest.fixture
def rows(postgres: Server, database: Database) -> Database:
    """A database with a table ``rows``."""
    postgres.psql(ROWS + RIGHTS, database.name)
    return database


@pytest.fixture
async def target(rows: Database) -> AsyncIterator[Opened]:
    """A pool of two connections to it."""
    async with opened(settings_for(rows, pool_size=2), operations=(READ, WRITE), schema=0) as pool:
        await until(lambda: answers(pool))
        yield pool


@asynccontextmanager
async def linked(rows: Database) -> AsyncIterator[tuple[Opened, Proxy]]:
    """Open a pool of one connection through a proxy, and wait until it is at rest."""
    async with proxy(("127.0.0.1", rows.port)) as link:
        settings = settings_for(rows, address=link.address, pool_size=1)
        async with opened(settings, operations=(READ, WRITE), schema=0) as target:
            await target.pool.compatible()
            await until(lambda: is_quiet(target))
            yield target, link


async def ids(target: Opened) -> list[int]:
    """Return what is in the table."""
    return [row["id"] for row in await target.pool.fetch(READ, "SELECT id FROM rows ORDER BY id")]


async def insert_two(connection: Connection) -> str:
    """Two statements, which belong together."""
    await connection.execute("INSERT INTO rows VALUES (1)")
    await connection.execute("INSERT INTO rows VALUES (2)")
    return "written"


async def test_a_write_returns_what_its_work_returns(target: Opened) -> None:
    """Committed, and timed under its name, once for both statements."""
    assert await target.pool.write(WRITE, insert_two) == "written"
    count, seconds = timed(target.instruments, WRITE)
    assert (count, seconds > 0) == (1, True)
    assert await ids(target) == [1, 2]


async def test_a_violated_rule_is_named(target: Opened) -> None:
    """Its SQLSTATE and its name; nothing of the transaction stays, and PostgreSQL is up."""
    await target.pool.write(WRITE, lambda each: each.execute("INSERT INTO rows VALUES (2)"))
    with pytest.raises(ConstraintViolated) as violated:
        await target.pool.write(WRITE, insert_two)
    assert (violated.value.sqlstate, violated.value.constraint) == ("23505", "rows_once")
    assert violated.value.operation == WRITE
    assert "(2)" not in f"{violated.value} {violated.value.__cause__!r}"
    assert await ids(target) == [2]
    assert target.measures().up.value == 1
    assert target.measures().error(WRITE, "23505").value == 1


async def test_an_error_of_its_own_rolls_back_and_goes_on(target: Opened) -> None:
    """It reaches the caller unchanged and counts as no failure of PostgreSQL."""

    async def work(connection: Connection) -> None:
        await connection.execute("INSERT INTO rows VALUES (1)")
        raise LookupError("not so")

    with pytest.raises(LookupError, match="not so"):
        await target.pool.write(WRITE, work)
    assert await ids(target) == []


async def test_a_wrong_statement_is_a_bug(target: Opened) -> None:
    """Ours to mend, and not the caller's to repeat."""
    await target.pool.compatible()
    with pytest.raises(QueryFailed) as failed:
        await target.pool.write(WRITE, lambda each: each.execute("INSERT INTO nowhere VALUES (1)"))
    assert (type(failed.value), failed.value.sqlstate) == (QueryFailed, "42P01")


async def test_a_caller_that_leaves_stops_nothing(target: Opened) -> None:
    """The transaction is finished and committed without it."""
    between, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: Connection) -> None:
        await connection.execute("INSERT INTO rows VALUES (1)")
        between.set()
        await go_on.wait()
        await connection.execute("INSERT INTO rows VALUES (2)")

    caller = asyncio.create_task(target.pool.write(WRITE, work))
    await between.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()

    async def is_written() -> bool:
        return await ids(target) == [1, 2]

    await until(is_written)


async def test_closing_waits_for_a_write_without_a_caller(rows: Database) -> None:
    """A drain that cancelled the request does not undo it."""
    settings = settings_for(rows, pool_size=1)
    async with opened(settings, operations=(READ, WRITE)) as target:
        began = asyncio.Event()

        async def work(connection: Connection) -> None:
            began.set()
            await connection.execute("SELECT pg_sleep(0.3)")
            await connection.execute("INSERT INTO rows VALUES (1)")

        caller = asyncio.create_task(target.pool.write(WRITE, work))
        await began.wait()
        caller.cancel()
    async with opened(settings, operations=(READ, WRITE)) as target:
        assert await ids(target) == [1]


async def test_a_write_is_begun_again_if_its_connection_was_dead(rows: Database) -> None:
    """Before BEGIN is answered nothing can have been done, so nobody need know."""
    async with linked(rows) as (target, link):
        link.cut()
        assert await target.pool.write(WRITE, insert_two) == "written"
        assert await ids(target) == [1, 2]


async def test_a_connection_lost_in_the_work_means_that_nothing_was_done(rows: Database) -> None:
    """It is refused and not begun again, though that would be safe: work may have effects."""
    runs = 0
    async with linked(rows) as (target, link):

        async def work(connection: Connection) -> None:
            nonlocal runs
            runs += 1
            await connection.execute("INSERT INTO rows VALUES (1)")
            link.cut()
            await connection.execute("INSERT INTO rows VALUES (2)")

        with pytest.raises(DatabaseUnavailable, match="lost"):
            await target.pool.write(WRITE, work)
        assert (runs, await ids(target)) == (1, [])


async def test_a_commit_without_an_answer_is_unknown(rows: Database) -> None:
    """Nobody can tell; it is neither repeated nor called undone."""
    async with linked(rows) as (target, link):

        async def work(connection: Connection) -> None:
            await insert_two(connection)
            link.silence()
            asyncio.get_running_loop().call_later(0.1, link.cut)

        with pytest.raises(OutcomeUnknown) as unknown:
            await target.pool.write(WRITE, work)
        assert (unknown.value.operation, unknown.value.sqlstate) == (WRITE, None)
        link.resume()
        await until(lambda: answers(target))
        assert await ids(target) in ([], [1, 2])


@pytest.mark.slow
async def test_a_commit_into_a_black_hole_is_unknown_after_a_command_s_time(
    rows: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And from then on everybody else is refused at once."""
    monkeypatch.setattr(timeouts, "COMMAND", 0.5)
    async with linked(rows) as (target, link):

        async def work(connection: Connection) -> None:
            await insert_two(connection)
            link.silence()

        with pytest.raises(OutcomeUnknown):
            await target.pool.write(WRITE, work)
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            await target.pool.write(WRITE, insert_two)


async def test_a_read_only_server_refuses_and_is_left(
    target: Opened,
) -> None:
    """25006: after a failover the old primary answers still; its connections are renewed."""
    await target.pool.write(WRITE, insert_two)
    before = await _backend(target)
    with pytest.raises(DatabaseUnavailable, match="no writes"):
        await target.pool.write(WRITE, _write_read_only)
    assert await _backend(target) != before


async def test_a_lock_that_is_held_is_a_refusal(
    target: Opened,
) -> None:
    """55P03 after PostgreSQL's own lock_timeout of a second; nothing was done."""
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def hold(connection: Connection) -> None:
        await connection.execute("LOCK TABLE rows IN EXCLUSIVE MODE")
        locked.set()
        await go_on.wait()

    holder = asyncio.create_task(target.pool.write(WRITE, hold))
    await locked.wait()
    with pytest.raises(DatabaseUnavailable, match="too busy"):
        await target.pool.write(WRITE, insert_two)
    go_on.set()
    await holder
    assert await ids(target) == []


async def _write_read_only(connection: Connection) -> None:
    await connection.execute("SET TRANSACTION READ ONLY")
    await connection.execute("INSERT INTO rows VALUES (3)")


async def _backend(target: Opened) -> int:
    row = await target.pool.fetchrow(READ, "SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])
