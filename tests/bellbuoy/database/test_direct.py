"""A job's connection: patient, up to a point."""

import dataclasses
import time
from pathlib import Path

import pytest

from bellbuoy.database.direct import Deadline, direct
from bellbuoy.errors import EnvironmentFault, SettingsError
from onebox import roles
from tests.bellbuoy.database.pools import nowhere, settings_for
from tests.postgres import Database, database, postgres
from tests.proxy import proxy

__all__ = ["database", "postgres"]


async def test_who_cannot_connect_is_told_where_and_why(tmp_path: Path) -> None:
    """When the patience is over."""
    start = time.monotonic()
    with pytest.raises(EnvironmentFault, match=r"127\.0\.0\.1, port 1: ConnectionRefusedError"):
        async with direct(nowhere(tmp_path), "test", Deadline(0.3)):
            pass
    assert time.monotonic() - start < 10


async def test_what_fails_for_a_while_is_tried_again() -> None:
    """One deadline holds for everything that a job waits for."""
    failures = [OSError("one"), OSError("two")]

    async def attempt() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert await Deadline(10).retry(attempt, (OSError,), "") == "done"


async def test_a_role_that_may_not_log_in_is_not_tried_again(database: Database) -> None:
    """A wrong password does not become right by waiting."""
    settings = settings_for(database)
    wrong = settings_for(database, role=roles.OWNER)
    crossed = type(settings)(
        db_host=settings.db_host,
        db_port=settings.db_port,
        db_name=settings.db_name,
        db_user=settings.db_user,
        db_password_file=wrong.db_password_file,
    )
    with pytest.raises(EnvironmentFault, match="password authentication failed"):
        async with direct(crossed, "test"):
            pass


@pytest.mark.slow
async def test_a_goodbye_that_fails_is_no_failure_of_the_job(database: Database) -> None:
    """The server may be gone, or slow, by then."""
    async with (
        proxy(("127.0.0.1", database.port)) as link,
        direct(settings_for(database, address=link.address), "test") as connection,
    ):
        assert await connection.fetchval("SELECT 1") == 1
        link.silence()


async def test_a_job_has_no_statement_timeout(database: Database) -> None:
    """The role's limits are those of requests; waiting for a lock stays short all the same."""
    async with direct(settings_for(database), "test") as connection:
        assert await connection.fetchval("SHOW statement_timeout") == "0"
        assert await connection.fetchval("SHOW lock_timeout") == "2s"


async def test_a_job_whose_machine_vanished_holds_its_locks_for_half_a_minute(
    database: Database,
) -> None:
    """PostgreSQL asks whether it is still there; by default it would for two hours."""
    over_tcp = settings_for(database, address=("127.0.0.1", database.port))
    async with direct(over_tcp, "test") as connection:
        idle, interval, count = [
            int(await connection.fetchval(f"SHOW tcp_keepalives_{what}"))
            for what in ("idle", "interval", "count")
        ]
        assert 0 < idle + interval * count <= 30
        assert await connection.fetchval("SHOW client_connection_check_interval") == "1s"


async def test_a_job_refuses_a_pooler(tmp_path: Path) -> None:
    """Its advisory lock would stay with a session that others use next."""
    settings = dataclasses.replace(nowhere(tmp_path), db_pooler="transaction")
    with pytest.raises(SettingsError, match="BUOY_DB_POOLER"):
        async with direct(settings, "test", Deadline(0)):
            pass
