"""Writes of one statement on a real PostgreSQL: committed, refused, or unknown."""

import asyncio

import pytest

from bellbuoy.errors import ConstraintViolated, OutcomeUnknown
from tests.bellbuoy.database.pools import Opened, timed
from tests.integration.asking import answers, until
from tests.integration.test_database_writes import WRITE, ids, linked, rows, target
from tests.postgres import Database, database, postgres

__all__ = ["database", "postgres", "rows", "target"]

INSERT = "INSERT INTO rows VALUES ($1) RETURNING id"
SLOW = "INSERT INTO rows SELECT $1 FROM pg_sleep(0.3) RETURNING id"


async def test_a_statement_returns_its_row_committed(target: Opened) -> None:
    """Another connection sees it at once; it is timed under its name."""
    row = await target.pool.write_row(WRITE, INSERT, 7)
    assert timed(target.instruments, WRITE)[0] == 1
    assert row is not None
    assert (row["id"], await ids(target)) == (7, [7])


async def test_a_statement_that_breaks_a_rule_names_it_and_does_nothing(target: Opened) -> None:
    """As a transaction does; and its connection goes on."""
    await target.pool.write_row(WRITE, INSERT, 7)
    with pytest.raises(ConstraintViolated) as broken:
        await target.pool.write_row(WRITE, INSERT, 7)
    assert (broken.value.sqlstate, broken.value.constraint) == ("23505", "rows_once")
    await target.pool.write_row(WRITE, INSERT, 8)
    assert await ids(target) == [7, 8]


async def test_a_caller_that_leaves_does_not_stop_its_statement(target: Opened) -> None:
    """It is finished and committed without it, and its whole time is counted."""
    caller = asyncio.create_task(target.pool.write_row(WRITE, SLOW, 7))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    async def is_written() -> bool:
        return timed(target.instruments, WRITE)[0] == 1 and await ids(target) == [7]

    await until(is_written)
    assert timed(target.instruments, WRITE)[1] >= 0.3


async def test_a_statement_without_an_answer_is_unknown_and_not_repeated(rows: Database) -> None:
    """It may have been done: another row would be the second."""
    async with linked(rows) as (target, link):
        link.silence()
        asyncio.get_running_loop().call_later(0.1, link.cut)
        with pytest.raises(OutcomeUnknown) as unknown:
            await target.pool.write_row(WRITE, INSERT, 7)
        assert (unknown.value.operation, unknown.value.sqlstate) == (WRITE, None)
        link.resume()
        await until(lambda: answers(target))
        assert await ids(target) in ([], [7])
