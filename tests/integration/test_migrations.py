"""Migrators as processes: many at once, killed in the middle, waiting for tables."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bellbuoy.database.direct import direct
from bellbuoy.database.migrate import LOCK, migrate
from bellbuoy.database.migrations import Migrations
from bellbuoy.errors import EnvironmentFault
from onebox import roles
from tests.bellbuoy.database.pools import settings_for
from tests.bellbuoy.database.test_migrate import tables
from tests.bellbuoy.database.test_migrations import write
from tests.postgres import Database, database, postgres
from tests.repository.tree import ROOT

__all__ = ["database", "postgres"]

PATIENCE = 30.0

MIGRATE = """
import asyncio, os, sys
from pathlib import Path
from bellbuoy.database import DatabaseSettings, Migrations, migrate
from bellbuoy.settings import load
settings = load(DatabaseSettings, os.environ)
outcome = asyncio.run(migrate(settings, Migrations.load(Path(sys.argv[1]))))
print(len(outcome.applied), outcome.version)
"""


@contextmanager
def migrator(folder: Path, database: Database) -> Iterator[subprocess.Popen[str]]:
    """Run a migrator as a process of its own, and see to its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATE, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "services", **database.environ(roles.OWNER)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def is_running(database: Database, statement: str) -> bool:
    """Return whether a session is at a statement that has ``statement`` in it."""
    async with direct(settings_for(database, role=roles.OWNER), "test-look") as connection:
        found: bool = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' "
            "AND datname = current_database() AND query LIKE '%' || $1 || '%' "
            "AND pid <> pg_backend_pid())",
            statement,
        )
    return found


@pytest.mark.slow
async def test_of_ten_at_once_exactly_one_applies(tmp_path: Path, database: Database) -> None:
    """The others wait, find nothing left to do, and say so."""
    write(tmp_path, m0001_a="CREATE TABLE a ();", m0002_b="CREATE TABLE b ();")
    with ExitStack() as stack:
        processes = [stack.enter_context(migrator(tmp_path, database)) for _ in range(10)]
        said = [
            (await asyncio.to_thread(process.communicate, None, PATIENCE))[0].strip()
            for process in processes
        ]
    assert sorted(said) == ["0 2"] * 9 + ["2 2"]
    assert await tables(database) == ["a", "b", "schema_migrations"]


@pytest.mark.slow
async def test_killed_in_the_middle_it_leaves_the_old_schema(
    tmp_path: Path, database: Database
) -> None:
    """Its transaction and its lock end with it, and the next migrator begins again."""
    write(
        tmp_path,
        m0001_a="CREATE TABLE a ();",
        m0002_b="CREATE TABLE b (); SELECT pg_sleep(60);",
    )
    with migrator(tmp_path, database) as process:
        async with asyncio.timeout(PATIENCE):
            while not await is_running(database, "pg_sleep(60)"):
                assert process.poll() is None
        process.kill()
    assert await tables(database) == ["a", "schema_migrations"]
    write(tmp_path, m0002_b="CREATE TABLE b ();")
    owner = settings_for(database, role=roles.OWNER)
    outcome = await migrate(owner, Migrations.load(tmp_path), PATIENCE)
    assert [file.name for file in outcome.applied] == ["b"]


async def test_who_waits_for_another_migrator_waits_so_long(
    tmp_path: Path, database: Database
) -> None:
    """The message says for whom."""
    write(tmp_path, m0001_a="CREATE TABLE a ();")
    owner = settings_for(database, role=roles.OWNER)
    async with direct(owner, "test-holder") as holder:
        await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
        with pytest.raises(EnvironmentFault, match="another migrator is at work"):
            await migrate(owner, Migrations.load(tmp_path), patience=0.3)


@pytest.mark.slow
async def test_a_busy_table_is_waited_for_in_short_turns(
    tmp_path: Path, database: Database
) -> None:
    """Requests that queue behind the migration get their turn in between."""
    owner = settings_for(database, role=roles.OWNER)
    write(tmp_path, m0001_a="CREATE TABLE a ();")
    await migrate(owner, Migrations.load(tmp_path))
    write(tmp_path, m0002_b="ALTER TABLE a ADD COLUMN n integer;")
    async with direct(owner, "test-holder") as holder:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("LOCK TABLE a IN ACCESS SHARE MODE")
        with pytest.raises(EnvironmentFault, match="0002_b does not get its tables"):
            await migrate(owner, Migrations.load(tmp_path), patience=0.5)
        migrating = asyncio.ensure_future(migrate(owner, Migrations.load(tmp_path), PATIENCE))
        async with asyncio.timeout(PATIENCE):
            while not await is_running(database, "ALTER TABLE a"):
                assert not migrating.done()
        await transaction.rollback()
        assert (await migrating).version == 2
