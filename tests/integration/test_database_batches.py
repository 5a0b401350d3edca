"""Batched lookups on a real PostgreSQL: one statement a turn, and never an old answer."""

import asyncio

import pytest

from bellbuoy.database.connections import Connection
from bellbuoy.errors import DatabaseUnavailable
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for
from tests.integration.asking import answers, until
from tests.postgres import Database, Server, database, postgres

__all__ = ["database", "postgres"]

WRITE = "test.write"
LOOK = "SELECT id, word FROM words WHERE id = ANY($1::bigint[])"


def _word(_: int, word: str) -> str:
    return word


@pytest.fixture
def words(postgres: Server, database: Database) -> Database:
    """A database with a table of words."""
    postgres.psql(
        "CREATE TABLE words (id bigint PRIMARY KEY, word text);"
        "INSERT INTO words SELECT n, 'word ' || n FROM generate_series(1, 100) AS n;"
        "GRANT ALL ON words TO bellbuoy_app",
        database.name,
    )
    return database


def asked(target: Opened) -> tuple[float, float]:
    """Return how many lookups' queries there were, and how many keys they had."""
    histogram = target.measures().batch_keys
    cells = histogram._cells[histogram._start : histogram._sum]
    return sum(cells), histogram._cells[histogram._sum]


async def test_lookups_of_one_turn_are_one_statement(words: Database) -> None:
    """A hundred lookups of fifty rows and of one that is missing."""
    async with opened(settings_for(words), schema=0) as target:
        await until(lambda: answers(target))
        batcher = target.pool.batcher(READ, LOOK, _word)
        keys = [*range(1, 51), *range(1, 51), 999]
        found = await asyncio.gather(*(batcher.get(key) for key in keys))
        assert found == [*(f"word {key}" for key in keys[:-1]), None]
        assert asked(target) == (1, 51)


async def test_who_wrote_reads_what_was_written(words: Database) -> None:
    """However many others look the same row up all the time."""
    async with opened(
        settings_for(words, pool_size=4), operations=(READ, WRITE), schema=0
    ) as target:
        await until(lambda: answers(target))
        batcher = target.pool.batcher(READ, LOOK, _word)
        done = asyncio.Event()

        async def look_up() -> None:
            while not done.is_set():
                await batcher.get(1)

        crowd = [asyncio.create_task(look_up()) for _ in range(10)]
        for number in range(50):
            await target.pool.write(WRITE, _rename(f"version {number}"))
            assert await batcher.get(1) == f"version {number}"
        done.set()
        await asyncio.gather(*crowd)


async def test_a_lookup_that_is_given_up_leaves_the_pool_whole(words: Database) -> None:
    """The statement is cancelled in PostgreSQL too, and the connection serves on."""
    slow = "SELECT id, word FROM words, pg_sleep(20) WHERE id = ANY($1::bigint[])"
    async with opened(settings_for(words, pool_size=1), schema=0) as target:
        await until(lambda: answers(target))
        looking = asyncio.create_task(target.pool.batcher(READ, slow, _word).get(1))
        await until(lambda: _is_busy(target))
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        assert await until(lambda: answers(target)) < 5


async def test_a_key_that_does_not_fit_fails_nobody_else(words: Database) -> None:
    """It is refused before it joins."""
    async with opened(settings_for(words), schema=0) as target:
        await until(lambda: answers(target))
        batcher = target.pool.batcher(READ, LOOK, _word, accepts=lambda key: 0 < key < 1 << 63)
        good, bad = await asyncio.gather(
            batcher.get(1), batcher.get(1 << 70), return_exceptions=True
        )
        assert good == "word 1"
        assert isinstance(bad, ValueError)


async def test_without_postgresql_every_lookup_is_refused(words: Database) -> None:
    """A failed batch says the same to all who are in it."""
    async with opened(settings_for(words), schema=0) as target:
        await until(lambda: answers(target))
        batcher = target.pool.batcher(READ, LOOK, _word)
    results = await asyncio.gather(*(batcher.get(key) for key in (1, 2)), return_exceptions=True)
    assert [type(each) for each in results] == [DatabaseUnavailable] * 2


def _rename(word: str) -> "Rename":
    return Rename(word)


class Rename:
    """A write: gives row 1 another word."""

    def __init__(self, word: str) -> None:
        """Write ``word``."""
        self._word = word

    async def __call__(self, connection: Connection) -> None:
        """Write it."""
        await connection.execute("UPDATE words SET word = $1 WHERE id = 1", self._word)


async def _is_busy(target: Opened) -> bool:
    return target.measures().used.value == 1
