"""Bringing a database to a program's schema: once, whoever else tries at the same time.

Law of this file: one migrator at a time (an advisory lock on a direct connection), each migration
in one transaction with its own row, no wait without a deadline. A migrator that is killed leaves
the schema that was there before its transaction, and the lock goes with its connection.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from bellbuoy.database import faults
from bellbuoy.database.direct import PATIENCE, Deadline, direct
from bellbuoy.database.migrations import Applied, Migration, Migrations
from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.errors import SchemaError

LOCK = 0x62656C6C62756F79
"""The advisory lock's number: "bellbuoy" in ASCII."""

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version         integer PRIMARY KEY CHECK (version > 0),
    name            text NOT NULL,
    checksum        text NOT NULL,
    compatible_from integer NOT NULL,
    applied_at      timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True)
class Outcome:
    """What migrating did.

    Args:
        applied: The migrations that this call applied.
        version: The database's schema version now.
        program: The schema version that the program is written for.
    """

    applied: tuple[Migration, ...]
    version: int
    program: int


async def migrate(
    settings: DatabaseSettings, migrations: Migrations, patience: float = PATIENCE
) -> Outcome:
    """Apply what is missing, and return what was done; a newer database is left alone.

    Args:
        settings: Where the database is; the role must own it.
        migrations: The program's files.
        patience: Seconds of waiting in all, for PostgreSQL and for others.

    Raises:
        SettingsError: The password or the certificates cannot be read.
        EnvironmentFault: PostgreSQL cannot be reached, or others did not finish in time.
        SchemaError: The files and the database do not fit together, or a migration is wrong.
    """
    deadline = Deadline(patience)
    async with direct(settings, "bellbuoy-migrate", deadline) as connection:
        await deadline.retry(
            lambda: _lock(connection), (_LockedError,), "another migrator is at work"
        )
        applied = await _applied(connection)
        pending = migrations.pending(applied)
        for migration in pending:
            await _apply_when_free(connection, migration, deadline)
        return Outcome(pending, len(applied) + len(pending), migrations.latest)


class _LockedError(Exception):
    """Another migrator has the lock."""


async def _lock(connection: asyncpg.Connection) -> None:
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        raise _LockedError


async def _applied(connection: asyncpg.Connection) -> Sequence[Applied]:
    try:
        await connection.execute(_TABLE)
    except asyncpg.InsufficientPrivilegeError as error:
        raise SchemaError(
            f"this role may not change the schema: {faults.describe(error)}"
        ) from error
    rows = await connection.fetch(
        "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
    )
    return [Applied(*row) for row in rows]


async def _apply_when_free(
    connection: asyncpg.Connection, migration: Migration, deadline: Deadline
) -> None:
    """Apply a migration, again and again while others hold the tables it changes."""
    await deadline.retry(
        lambda: _apply(connection, migration),
        (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError),
        f"migration {migration.version:04}_{migration.name} does not get its tables",
    )


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum, compatible_from)"
                " VALUES ($1, $2, $3, $4)",
                migration.version,
                migration.name,
                migration.checksum,
                migration.compatible_from,
            )
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        raise
    except asyncpg.PostgresError as error:
        raise SchemaError(
            f"migration {migration.version:04}_{migration.name} failed and was rolled back: "
            f"{faults.describe(error)}"
        ) from error
