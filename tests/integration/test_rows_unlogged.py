"""What a row holds is in no log: real errors of PostgreSQL and its driver, with tracebacks."""

import io
import logging

import asyncpg
import pytest

from bellbuoy import logs
from bellbuoy.database import direct
from bellbuoy.errors import QueryFailed
from onebox import roles
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for
from tests.bellbuoy.test_logs import restored
from tests.integration.asking import answers, until
from tests.postgres import Database, Server, database, postgres

__all__ = ["database", "postgres", "restored"]

WRITE = "test.write"
ADA = "ada@example.org"
TABLE = "CREATE TABLE people (email text UNIQUE); GRANT ALL ON people TO bellbuoy_app"
INSERT = "INSERT INTO people VALUES ($1)"

_log = logging.getLogger("test")


@pytest.fixture
def written() -> io.StringIO:
    """What is logged from now on."""
    stream = io.StringIO()
    logs.configure("info", stream)
    return stream


@pytest.fixture
def people(database: Database, postgres: Server) -> Database:
    """A database with a table whose rows are nobody's business."""
    postgres.psql(TABLE, database.name)
    return database


async def log_failure(target: Opened, operation: str, sql: str, value: object) -> None:
    """Run what fails, and log the error as whoever has no use for it does."""
    run = target.pool.write_row if operation == WRITE else target.pool.fetch
    with pytest.raises(QueryFailed) as failed:
        await run(operation, sql, value)
    _log.error("failed", exc_info=failed.value)


async def test_an_error_of_the_pool_is_logged_without_values(
    people: Database, written: io.StringIO
) -> None:
    """A row that is there already, a value nobody can read, one that the driver cannot send."""
    settings = settings_for(people)
    async with opened(settings, operations=(READ, WRITE), schema=0) as target:
        await until(lambda: answers(target))
        await target.pool.write_row(WRITE, INSERT, ADA)
        await log_failure(target, WRITE, INSERT, ADA)
        await log_failure(target, READ, "SELECT $1::text::bigint", ADA)
        await log_failure(target, READ, "SELECT $1::bigint", ADA)
    text = written.getvalue()
    for error in ("UniqueViolationError", "InvalidTextRepresentationError", "DataError"):
        assert error in text
    assert ADA not in text


async def test_an_error_of_the_driver_is_logged_without_rows(
    people: Database, written: io.StringIO
) -> None:
    """As a job meets it, which uses a connection of its own."""
    async with direct(settings_for(people, role=roles.APP), "test") as connection:
        await connection.execute(INSERT, ADA)
        with pytest.raises(asyncpg.UniqueViolationError) as failed:
            await connection.execute(INSERT, ADA)
    assert ADA in str(failed.value)
    _log.error("failed", exc_info=failed.value)
    assert "duplicate key value" in written.getvalue()
    assert ADA not in written.getvalue()
