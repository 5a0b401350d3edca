"""What the roles may not do. Case 62 of the project's catalogue of faults, without its TLS."""

import asyncpg
import pytest

from onebox import roles
from tests.postgres import Database, Server, database, postgres

__all__ = ["database", "postgres"]

DENIED = "permission denied|must be|only roles with|cannot execute"

FORBIDDEN_TO_ALL = [
    "CREATE TABLE mine ()",
    "CREATE TEMPORARY TABLE mine ()",
    "CREATE SCHEMA mine",
    "CREATE DATABASE mine",
    "CREATE ROLE mine",
    "CREATE EXTENSION pg_stat_statements",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE rows",
    "ALTER TABLE rows ADD COLUMN mine text",
    "TRUNCATE rows",
    "COPY rows FROM PROGRAM 'true'",
    "COPY rows TO '/tmp/mine'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SET ROLE bellbuoy_owner",
    "SET SESSION AUTHORIZATION postgres",
    "ALTER SYSTEM SET fsync = off",
    "ALTER ROLE bellbuoy_owner PASSWORD 'mine'",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_reload_conf()",
]
FORBIDDEN_TO_METRICS = [
    "SELECT * FROM rows",
    "INSERT INTO rows VALUES (1)",
    "UPDATE rows SET n = 1",
    "DELETE FROM rows",
]
MATRIX = [(roles.APP, sql) for sql in FORBIDDEN_TO_ALL] + [
    (roles.METRICS, sql) for sql in (*FORBIDDEN_TO_ALL, *FORBIDDEN_TO_METRICS)
]


@pytest.fixture
async def migrated(database: Database) -> Database:
    """A database with a table that the owner made, as a migration does."""
    owner = await asyncpg.connect(**database.connect_arguments(roles.OWNER))
    try:
        await owner.execute("CREATE TABLE rows (n int)")
    finally:
        await owner.close()
    return database


async def test_what_a_role_may_not_do_is_refused(migrated: Database) -> None:
    """Neither schema nor server, neither files nor programs, nobody else's rights."""
    allowed = []
    for role in (roles.APP, roles.METRICS):
        connection = await asyncpg.connect(**migrated.connect_arguments(role))
        try:
            for sql in [sql for each, sql in MATRIX if each == role]:
                try:
                    await connection.execute(sql)
                except asyncpg.PostgresError as error:
                    assert error.sqlstate in {"42501", "25006"}, (role, sql, error)  # noqa: PT017
                else:
                    allowed.append((role, sql))
        finally:
            await connection.close()
    assert allowed == []


async def test_what_a_role_is_for_is_allowed(migrated: Database) -> None:
    """The app works on rows; metrics see what is going on, text of others' statements included."""
    app = await asyncpg.connect(**migrated.connect_arguments(roles.APP))
    metrics = await asyncpg.connect(**migrated.connect_arguments(roles.METRICS))
    try:
        for sql in ("INSERT INTO rows VALUES (1)", "UPDATE rows SET n = 2", "DELETE FROM rows"):
            await app.execute(sql)
        assert await app.fetch("SELECT * FROM rows") == []
        seen = await metrics.fetchval(
            "SELECT query FROM pg_stat_activity WHERE usename = $1 AND datname = $2",
            roles.APP,
            migrated.name,
        )
        assert seen == "SELECT * FROM rows"
    finally:
        await app.close()
        await metrics.close()


async def test_the_database_is_nobody_else_s(postgres: Server, database: Database) -> None:
    """A role that somebody creates gets in only if it is let in."""
    postgres.psql("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(
                **database.connect_arguments() | {"user": "stranger", "password": "stranger"}
            )
    finally:
        postgres.psql("DROP ROLE stranger")
