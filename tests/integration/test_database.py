"""The pool against a real PostgreSQL that restarts, vanishes, fills up and falls silent."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from bellbuoy import timeouts
from bellbuoy.database import connections, watch
from bellbuoy.errors import DatabaseUnavailable, QueryFailed
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for
from tests.postgres import Database, Server, database, own_postgres, postgres
from tests.proxy import proxy, round_trips

__all__ = ["database", "own_postgres", "postgres"]

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


async def test_rows_come_back(database: Database) -> None:
    """All of them; for fetchrow the first one, or None."""
    async with opened(settings_for(database)) as target:
        rows = await target.pool.fetch(READ, "SELECT n FROM generate_series(1, $1::int) AS n", 3)
        first = await target.pool.fetchrow(READ, "SELECT $1::text AS word", "ä")
        nothing = await target.pool.fetchrow(READ, "SELECT 1 WHERE false")
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
            await until(lambda: _is_quiet(target))
            before = round_trips(link.sent[0])
            for _ in range(10):
                await target.pool.fetch(READ, "SELECT 7")
            looks = target.measures()
            after = round_trips(link.sent[0])
    assert looks is not None
    assert len(link.sent) == 1
    # A look of the watch may fall in between; a reset would make it twenty.
    assert 10 <= after - before <= 12


async def _is_quiet(target: Opened) -> bool:
    return target.monitor.get_stats().tasks["database.look"].running == 0


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


@pytest.mark.slow
async def test_exhaustion_is_a_refusal_and_no_outage(database: Database) -> None:
    """Who finds no free connection in a second is refused; the circuit stays closed."""
    async with opened(settings_for(database, pool_size=2)) as target:
        await until(lambda: answers(target))
        busy = [
            asyncio.create_task(target.pool.fetch(READ, "SELECT pg_sleep(2.5)")) for _ in range(2)
        ]
        await until(lambda: _is_used(target, 2))
        waited = await refusal(target.pool.fetch(READ, "SELECT 1"))
        measures = target.measures()
        assert (measures.up.value, measures.refused.value) == (1, 0)
        assert measures.acquire_timeouts.value >= 1
        await asyncio.gather(*busy)
        assert await answers(target)
        assert target.measures().pending.value == 0
    assert 0.5 < waited < SOON


async def _is_used(target: Opened, count: int) -> bool:
    return target.measures().used.value == count


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


async def test_a_lost_connection_costs_a_read_nothing(database: Database, postgres: Server) -> None:
    """Every connection terminated, idle or busy: no error, and no connection leaks."""
    async with opened(settings_for(database, pool_size=3)) as target:
        await until(lambda: answers(target))
        reading = [
            asyncio.create_task(target.pool.fetch(READ, "SELECT pg_sleep(0.5)")) for _ in range(3)
        ]
        await until(lambda: _is_used(target, 3))
        killed = await asyncio.to_thread(
            postgres.psql,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608
            f"WHERE datname = '{database.name}' AND application_name = 'test'",
        )
        await asyncio.gather(*reading)
        assert await answers(target)
        assert target.measures().retries.value == 3
        assert target.measures().up.value == 1
        assert await backends(target) <= 3
    assert killed == "3"


@pytest.mark.slow
async def test_a_restart_costs_errors_only_while_the_server_is_away(own_postgres: Server) -> None:
    """Down: refused at once. Back: healed by itself, and then no statement fails any more."""
    async with opened(settings_for(own_postgres.database())) as target:
        await until(lambda: answers(target))
        await asyncio.gather(*(target.pool.fetch(READ, "SELECT 1") for _ in range(5)))
        await asyncio.to_thread(own_postgres.stop)
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < 2
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < 2
        assert target.measures().up.value == 0
        await asyncio.to_thread(own_postgres.start)
        healed = await until(lambda: answers(target))
        assert [await answers(target) for _ in range(50)] == [True] * 50
        assert target.measures().up.value == 1
    assert healed < SOON


@pytest.mark.slow
async def test_a_killed_server_heals_the_same_way(own_postgres: Server) -> None:
    """SIGKILL and crash recovery: connections are replaced, nobody has to be restarted."""
    async with opened(settings_for(own_postgres.database())) as target:
        await until(lambda: answers(target))
        await asyncio.to_thread(own_postgres.kill)
        # Its sessions outlive it by a moment, and answer.
        await until(lambda: _is_down(target))
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < 2
        await asyncio.to_thread(own_postgres.start)
        assert await until(lambda: answers(target)) < SOON


async def _is_down(target: Opened) -> bool:
    return not await answers(target)


@pytest.mark.slow
async def test_in_a_black_hole_only_the_first_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked before it was known waits for the command timeout; after that nobody does.

    When the link works again everybody is answered, and the stale connections are gone.
    """
    # Waiting for a dead connection to confirm a cancellation takes as long again, and would show.
    monkeypatch.setattr(connections, "RELEASE", 2 * PATIENCE)
    async with proxy(("127.0.0.1", database.port)) as link:
        settings = settings_for(database, address=link.address, pool_size=3)
        async with opened(settings) as target:
            await until(lambda: answers(target))
            link.silence()
            first = await asyncio.gather(
                *(refusal(target.pool.fetch(READ, "SELECT 1")) for _ in range(3))
            )
            later = [await refusal(target.pool.fetch(READ, "SELECT 1")) for _ in range(100)]
            assert target.measures().up.value == 0
            assert target.measures().refused.value >= 100
            link.resume()
            healed = await until(lambda: answers(target))
            assert await backends(target) <= 3
    assert max(first) < timeouts.COMMAND * 1.8
    assert sum(later) < 1
    assert healed < SOON + 1


@pytest.mark.slow
async def test_a_link_that_is_dead_from_the_start_is_refused_within_two_seconds(
    database: Database,
) -> None:
    """Connecting has a deadline of its own, and closing the pool does not wait for the dead."""
    async with proxy(("127.0.0.1", database.port)) as link:
        link.silence()
        async with opened(settings_for(database, address=link.address)) as target:
            waited = await refusal(target.pool.fetch(READ, "SELECT 1"))
            start = time.monotonic()
        closed = time.monotonic() - start
    assert waited < SOON
    assert closed < SOON


@pytest.mark.slow
async def test_closing_does_not_wait_for_a_silent_server(database: Database) -> None:
    """Its goodbye never comes."""
    async with proxy(("127.0.0.1", database.port)) as link:
        async with opened(settings_for(database, address=link.address)) as target:
            await until(lambda: answers(target))
            await until(lambda: _is_quiet(target))
            link.silence()
            start = time.monotonic()
        assert time.monotonic() - start < SOON + 1


async def test_a_closed_pool_refuses(database: Database) -> None:
    """The last requests of a drain that was cut short get an answer too."""
    async with opened(settings_for(database)) as target:
        await until(lambda: answers(target))
    assert not await answers(target)


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


async def test_cut_connections_are_replaced(database: Database) -> None:
    """A middlebox that resets connections costs a read nothing."""
    async with (
        proxy(("127.0.0.1", database.port)) as link,
        opened(settings_for(database, address=link.address)) as target,
    ):
        await until(lambda: answers(target))
        for _ in range(3):
            # A read is repeated once; the watch's must not be cut twice.
            await until(lambda: _is_quiet(target))
            link.cut()
            assert await answers(target)
        assert target.measures().up.value == 1


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
        await until(lambda: _is_used(target, 0))
        assert target.measures().pending.value == 0
        assert await backends(target) <= 3


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


async def test_a_full_server_is_no_outage(own_postgres: Server) -> None:
    """53300 refuses the statement that needs a new connection; the circuit stays closed."""
    own_postgres.psql("ALTER ROLE bellbuoy_app CONNECTION LIMIT 1")
    async with opened(settings_for(own_postgres.database(), pool_size=2)) as target:
        await until(lambda: answers(target))
        busy = asyncio.create_task(target.pool.fetch(READ, "SELECT pg_sleep(0.5)"))
        await until(lambda: _is_used(target, 1))
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < SOON
        assert target.measures().up.value == 1
        await busy
        assert await answers(target)
