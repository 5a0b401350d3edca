"""The pool against a real PostgreSQL that restarts, vanishes and falls silent."""

import asyncio
import time

import pytest

from bellbuoy import timeouts
from bellbuoy.database import connections, watch
from bellbuoy.errors import DatabaseUnavailable
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for
from tests.integration.asking import (
    PATIENCE,
    SOON,
    answers,
    backends,
    is_down,
    is_quiet,
    is_used,
    refusal,
    until,
)
from tests.postgres import Database, Server, database, own_postgres, postgres
from tests.proxy import proxy

__all__ = ["database", "own_postgres", "postgres"]


async def test_a_lost_connection_costs_a_read_nothing(database: Database, postgres: Server) -> None:
    """Every connection terminated, idle or busy: no error, and no connection leaks."""
    async with opened(settings_for(database, pool_size=3)) as target:
        await until(lambda: answers(target))
        reading = [
            asyncio.create_task(target.pool.fetch(READ, "SELECT pg_sleep(0.5)")) for _ in range(3)
        ]
        await until(lambda: is_used(target, 3))
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
async def test_reads_are_repeated_within_a_budget(database: Database, postgres: Server) -> None:
    """When more is lost than the server may be asked again, the rest is refused and counted."""
    count = 20
    async with opened(settings_for(database, pool_size=count)) as target:
        await until(lambda: answers(target))
        reading = [
            asyncio.create_task(target.pool.fetch(READ, "SELECT pg_sleep(1)")) for _ in range(count)
        ]
        await until(lambda: is_used(target, count))
        await asyncio.to_thread(
            postgres.psql,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608
            f"WHERE datname = '{database.name}' AND application_name = 'test'",
        )
        results = await asyncio.gather(*reading, return_exceptions=True)
        refused = [each for each in results if isinstance(each, DatabaseUnavailable)]
        measures = target.measures()
        assert 0 < len(refused) < count
        assert measures.budget_exhausted.value == len(refused)
        assert measures.retries.value == count - len(refused)
        assert await answers(target)


@pytest.mark.slow
async def test_a_restart_costs_errors_only_while_the_server_is_away(own_postgres: Server) -> None:
    """Down: refused at once. Back: healed by itself, and then no statement fails any more."""
    async with opened(settings_for(own_postgres.database())) as target:
        await until(lambda: answers(target))
        await asyncio.gather(*(target.pool.fetch(READ, "SELECT 1") for _ in range(5)))
        await asyncio.to_thread(own_postgres.stop)
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < SOON
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < SOON
        assert target.measures().up.value == 0
        await asyncio.to_thread(own_postgres.start)
        healed = await until(lambda: answers(target))
        assert [await answers(target) for _ in range(50)] == [True] * 50
        assert target.measures().up.value == 1
    assert healed < PATIENCE / 2


@pytest.mark.slow
async def test_a_killed_server_heals_the_same_way(own_postgres: Server) -> None:
    """SIGKILL and crash recovery: connections are replaced, nobody has to be restarted."""
    async with opened(settings_for(own_postgres.database())) as target:
        await until(lambda: answers(target))
        await asyncio.to_thread(own_postgres.kill)
        # Its sessions outlive it by a moment, and answer.
        await until(lambda: is_down(target))
        assert await refusal(target.pool.fetch(READ, "SELECT 1")) < SOON
        await asyncio.to_thread(own_postgres.start)
        assert await until(lambda: answers(target)) < PATIENCE / 2


@pytest.mark.slow
async def test_an_idle_service_learns_of_an_outage_when_its_connections_end(
    own_postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks, and the next look would be a minute away."""
    for name in ("CHECK", "WAIT_FOR_SCHEMA"):
        monkeypatch.setattr(watch, name, 60.0)

    async def has_looked(target: Opened) -> bool:
        looks = target.monitor.get_stats().tasks.get("database.look")
        return looks is not None and looks.completed == 1

    async def knows(target: Opened) -> bool:
        return target.measures().up.value == 0

    async def has_connected(target: Opened) -> bool:
        return target.measures().idle.value == 1

    async with opened(settings_for(own_postgres.database())) as target:
        await until(lambda: has_looked(target))
        for _ in range(2):  # whoever has healed is ready for the next one
            await asyncio.to_thread(own_postgres.kill)
            assert await until(lambda: knows(target)) < SOON
            await asyncio.to_thread(own_postgres.start)
            await until(lambda: has_connected(target))


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
            await until(lambda: is_quiet(target))
            link.silence()
            start = time.monotonic()
        assert time.monotonic() - start < SOON + 1


async def test_cut_connections_are_replaced(database: Database) -> None:
    """A middlebox that resets connections costs a read nothing."""
    async with (
        proxy(("127.0.0.1", database.port)) as link,
        opened(settings_for(database, address=link.address)) as target,
    ):
        await until(lambda: answers(target))
        for _ in range(3):
            # A read is repeated once; the watch's must not be cut twice.
            await until(lambda: is_quiet(target))
            link.cut()
            assert await answers(target)
        assert target.measures().up.value == 1
