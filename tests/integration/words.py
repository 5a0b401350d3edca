"""A table of words, for tests that look up and write rows."""

import pytest

from bellbuoy.database.connections import Connection
from tests.postgres import Database, Server

LOOK = "SELECT id, word FROM words WHERE id = ANY($1::bigint[])"


@pytest.fixture
def words(postgres: Server, database: Database) -> Database:
    """A database with a hundred words."""
    postgres.psql(
        "CREATE TABLE words (id bigint PRIMARY KEY, word text);"
        "INSERT INTO words SELECT n, 'word ' || n FROM generate_series(1, 100) AS n;"
        "GRANT ALL ON words TO bellbuoy_app",
        database.name,
    )
    return database


class Rename:
    """A write: gives row 1 another word."""

    def __init__(self, word: str) -> None:
        """Write ``word``."""
        self._word = word

    async def __call__(self, connection: Connection) -> None:
        """Write it."""
        await connection.execute("UPDATE words SET word = $1 WHERE id = 1", self._word)
