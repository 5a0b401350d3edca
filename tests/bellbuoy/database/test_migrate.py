"""Migrating a real database: once, all or nothing."""

from pathlib import Path

import pytest

from bellbuoy.database.direct import direct
from bellbuoy.database.migrate import migrate
from bellbuoy.database.migrations import Migrations
from bellbuoy.errors import SchemaError
from onebox import roles
from tests.bellbuoy.database.pools import settings_for
from tests.bellbuoy.database.test_migrations import write
from tests.postgres import Database, database, postgres

__all__ = ["database", "postgres"]


async def tables(database: Database) -> list[str]:
    """Return the tables that the database has."""
    async with direct(settings_for(database, role=roles.OWNER), "test") as connection:
        rows = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
    return [row["tablename"] for row in rows]


async def test_what_is_missing_is_applied_and_noted(tmp_path: Path, database: Database) -> None:
    """First everything, then what is new, then nothing."""
    owner = settings_for(database, role=roles.OWNER)
    write(tmp_path, m0001_a="CREATE TABLE a ();")
    first = await migrate(owner, Migrations.load(tmp_path))
    write(tmp_path, m0002_b="-- compatible_from: 2\nCREATE TABLE b (); CREATE TABLE c ();")
    second = await migrate(owner, Migrations.load(tmp_path))
    third = await migrate(owner, Migrations.load(tmp_path))
    assert [[file.name for file in each.applied] for each in (first, second, third)] == [
        ["a"],
        ["b"],
        [],
    ]
    assert [each.version for each in (first, second, third)] == [1, 2, 2]
    assert await tables(database) == ["a", "b", "c", "schema_migrations"]
    async with direct(owner, "test") as connection:
        rows = await connection.fetch(
            "SELECT version, name, compatible_from, applied_at <= now() AS past, "
            "length(checksum) AS digits FROM schema_migrations ORDER BY version"
        )
    assert [tuple(row) for row in rows] == [(1, "a", 1, True, 64), (2, "b", 2, True, 64)]


async def test_a_migration_that_fails_leaves_the_old_schema(
    tmp_path: Path, database: Database
) -> None:
    """What came before it stays, what it began is undone, the message names it."""
    owner = settings_for(database, role=roles.OWNER)
    write(tmp_path, m0001_a="CREATE TABLE a ();", m0002_b="CREATE TABLE b (); SELECT 1 / 0;")
    with pytest.raises(SchemaError, match=r"0002_b failed and was rolled back: .*zero"):
        await migrate(owner, Migrations.load(tmp_path))
    assert await tables(database) == ["a", "schema_migrations"]
    write(tmp_path, m0002_b="CREATE TABLE b ();")
    assert (await migrate(owner, Migrations.load(tmp_path))).version == 2


async def test_a_schema_and_its_row_are_one(tmp_path: Path, database: Database) -> None:
    """A migration that cannot be noted has not happened."""
    owner = settings_for(database, role=roles.OWNER)
    meddling = "CREATE TABLE a (); INSERT INTO schema_migrations VALUES (1, 'a', '', 1);"
    write(tmp_path, m0001_a=meddling)
    with pytest.raises(SchemaError, match=r"0001_a failed and was rolled back: .*duplicate"):
        await migrate(owner, Migrations.load(tmp_path))
    assert await tables(database) == ["schema_migrations"]


async def test_a_newer_database_is_reported_and_left_alone(
    tmp_path: Path, database: Database
) -> None:
    """Rolling a program back runs its migrate again."""
    owner = settings_for(database, role=roles.OWNER)
    write(tmp_path, m0001_a="CREATE TABLE a ();", m0002_b="CREATE TABLE b ();")
    await migrate(owner, Migrations.load(tmp_path))
    (tmp_path / "0002_b.sql").unlink()
    outcome = await migrate(owner, Migrations.load(tmp_path))
    assert (outcome.applied, outcome.version, outcome.program) == ((), 2, 1)


async def test_a_role_without_rights_to_the_schema_changes_nothing(
    tmp_path: Path, database: Database
) -> None:
    """The role that serves requests cannot migrate."""
    write(tmp_path, m0001_a="CREATE TABLE a ();")
    with pytest.raises(SchemaError, match="permission denied"):
        await migrate(settings_for(database), Migrations.load(tmp_path))
    assert await tables(database) == []
