"""A transaction on a real connection: what is certain at each of its ends."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bellbuoy import timeouts
from bellbuoy.database.connections import Connection, is_gone
from bellbuoy.database.faults import Fault, Kind, TransactionFault
from bellbuoy.database.transaction import Statement, Step, Transaction
from onebox import roles
from tests.postgres import Database, database, postgres

__all__ = ["database", "postgres"]


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    """A pool's only connection, to a database with a table."""
    arguments = database.connect_arguments(roles.OWNER)
    pool = await asyncpg.create_pool(**arguments, min_size=0, max_size=1)
    try:
        opened = await pool.acquire()
        await opened.execute("CREATE TABLE marks (n int PRIMARY KEY)")
        yield opened
    finally:
        pool.terminate()


async def marks(connection: Connection) -> list[int]:
    """Return what is in the table."""
    return [row["n"] for row in await connection.fetch("SELECT n FROM marks ORDER BY n")]


async def test_what_returns_is_committed(connection: Connection) -> None:
    """The work's result comes back, and the connection has no transaction any more."""

    async def work(inside: Connection) -> str:
        await inside.execute("INSERT INTO marks VALUES (1)")
        assert inside.is_in_transaction()
        return "done"

    transaction = Transaction(work)
    assert await transaction.run(connection) == "done"
    assert transaction.step is Step.COMMIT
    assert not connection.is_in_transaction()
    assert await marks(connection) == [1]


async def test_an_error_of_its_own_rolls_back_and_is_kept(connection: Connection) -> None:
    """PostgreSQL is fine; who reads the fault's fate is the caller."""

    async def work(inside: Connection) -> None:
        await inside.execute("INSERT INTO marks VALUES (1)")
        raise LookupError

    transaction = Transaction(work)
    await transaction.run(connection)
    assert isinstance(transaction.own, LookupError)
    assert (await marks(connection), connection.is_in_transaction()) == ([], False)


async def test_a_failed_statement_rolls_back(connection: Connection) -> None:
    """What went before it, too."""

    async def work(inside: Connection) -> None:
        await inside.execute("INSERT INTO marks VALUES (1)")
        await inside.execute("INSERT INTO marks VALUES (1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await Transaction(work).run(connection)
    assert (await marks(connection), connection.is_in_transaction()) == ([], False)


async def test_a_hidden_failure_is_not_taken_for_a_success(
    connection: Connection,
) -> None:
    """PostgreSQL answers such a COMMIT with ROLLBACK, which the driver takes for granted."""

    async def work(inside: Connection) -> str:
        await inside.execute("INSERT INTO marks VALUES (1)")
        try:
            await inside.execute("SELECT 1 / 0")
        except asyncpg.DivisionByZeroError:
            return "done"
        raise AssertionError

    transaction = Transaction(work)
    with pytest.raises(TransactionFault) as failed:
        await transaction.run(connection)
    assert (failed.value.kind, failed.value.sqlstate) == (Kind.WRONG, "25P02")
    assert await marks(connection) == []


async def test_what_takes_too_long_is_cut(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All statements together have one deadline; PostgreSQL is busy then, and not away."""
    monkeypatch.setattr(timeouts, "TRANSACTION", 0.1)

    async def work(inside: Connection) -> None:
        for _ in range(100):
            await inside.execute("SELECT pg_sleep(0.05)")

    with pytest.raises(TransactionFault) as failed:
        await Transaction(work).run(connection)
    assert failed.value.kind is Kind.BUSY
    assert is_gone(connection)


async def test_a_cancelled_one_leaves_no_open_transaction(
    connection: Connection,
) -> None:
    """Its connection is closed, and PostgreSQL rolls back."""
    began = asyncio.Event()

    async def work(inside: Connection) -> None:
        began.set()
        await inside.execute("SELECT pg_sleep(20)")

    running = asyncio.create_task(Transaction(work).run(connection))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert is_gone(connection)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("step", list(Step))
def test_only_a_commit_without_an_answer_is_unknown(step: Step, kind: Kind) -> None:
    """PostgreSQL rolls back whatever has no COMMIT."""
    transaction = Transaction(_nothing)
    transaction.step = step
    unknown = step is Step.COMMIT and kind in {Kind.LOST, Kind.OUTAGE}
    assert transaction.is_unknown(Fault(kind, None, "")) is unknown


def test_postgresql_can_say_itself_that_it_does_not_know() -> None:
    """08007, transaction_resolution_unknown."""
    transaction = Transaction(_nothing)
    transaction.step = Step.COMMIT
    assert transaction.is_unknown(Fault(Kind.WRONG, "08007", ""))
    assert not transaction.is_unknown(Fault(Kind.WRONG, "23505", ""))


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_statement_that_was_sent_is_unknown_without_an_answer(
    connection: Connection, kind: Kind
) -> None:
    """A connection that could not be opened took nothing along."""
    statement = Statement("SELECT $1::integer", [7])
    assert not statement.is_unknown(Fault(kind, None, ""))
    row = await statement.run(connection)
    assert row is not None
    assert row[0] == 7
    assert statement.is_unknown(Fault(kind, None, "")) is (kind in {Kind.LOST, Kind.OUTAGE})


async def _nothing(_: Connection) -> None:
    """Do nothing."""
