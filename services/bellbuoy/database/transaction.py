"""A transaction: work between BEGIN and COMMIT, and what is certain when it fails.

Law of this file: what was not committed was not done. PostgreSQL rolls back whatever has no
COMMIT, however the connection ended, so a fault leaves an unknown outcome only if COMMIT was sent
and its answer did not come. Before BEGIN was answered not even the work has run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Generic, TypeVar

import asyncpg

from bellbuoy import timeouts
from bellbuoy.database.connections import Connection, is_gone
from bellbuoy.database.faults import Fault, Kind, TransactionFault

R = TypeVar("R")

_DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises; ``TimeoutError`` is an ``OSError``."""

_ROLLBACK = 1.0
"""Seconds for a rollback; a connection that does not manage it is closed, which is one too."""

_FAILED = "25P02"  # in_failed_sql_transaction
_CANCELLED = "57014"  # query_canceled
_UNRESOLVED = "08007"  # transaction_resolution_unknown


class Step(IntEnum):
    """How far it got."""

    BEGIN = 0
    WORK = 1
    COMMIT = 2


class Transaction(Generic[R]):
    """One run of some work in a transaction.

    Attributes:
        step: How far it got.
        own: The exception that the work raised for its own reasons, after the rollback.

    Args:
        work: What to do on the connection.
    """

    def __init__(self, work: Callable[[Connection], Awaitable[R]]) -> None:
        """Do nothing yet."""
        self.step = Step.BEGIN
        self.own: Exception | None = None
        self._work = work

    async def run(self, connection: Connection) -> R | None:
        """Return what the work returned, committed; ``None`` if it raised something of its own.

        The statements are written out because the driver's own transaction does not look at what
        COMMIT is answered with.

        Raises:
            Exception: What the driver met, or a :class:`TransactionFault`.
        """
        try:
            await connection.execute("BEGIN")
            self.step = Step.WORK
            result = await self._within_time(connection)
        except BaseException as error:
            await _end(connection, error)
            if isinstance(error, (TransactionFault, *_DRIVER)) or not isinstance(error, Exception):
                raise
            self.own = error
            return None
        self.step = Step.COMMIT
        if await connection.execute("COMMIT") == "ROLLBACK":
            raise TransactionFault(Kind.WRONG, _FAILED, "a failed statement was hidden")
        return result

    def is_unknown(self, fault: Fault) -> bool:
        """Return whether nobody can tell if it was done."""
        return self.step is Step.COMMIT and _leaves_open(fault)

    async def _within_time(self, connection: Connection) -> R:
        deadline = asyncio.timeout(timeouts.TRANSACTION)
        try:
            async with deadline:
                return await self._work(connection)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            reason = "the transaction took too long"
            raise TransactionFault(Kind.BUSY, _CANCELLED, reason) from error


class Statement:
    """One run of a statement that is a transaction of its own: sending it is its COMMIT.

    Args:
        sql: The statement.
        values: Its values.
    """

    def __init__(self, sql: str, values: Sequence[object]) -> None:
        """Do nothing yet."""
        self._sql = sql
        self._values = values
        self._is_sent = False

    async def run(self, connection: Connection) -> asyncpg.Record | None:
        """Return the first row.

        Raises:
            Exception: What the driver met.
        """
        self._is_sent = True
        return await connection.fetchrow(self._sql, *self._values)

    def is_unknown(self, fault: Fault) -> bool:
        """Return whether nobody can tell if it was done."""
        return self._is_sent and _leaves_open(fault)


def _leaves_open(fault: Fault) -> bool:
    """Return whether a COMMIT that met this fault may have been done."""
    return fault.kind in {Kind.LOST, Kind.OUTAGE} or fault.sqlstate == _UNRESOLVED


async def _end(connection: Connection, error: BaseException) -> None:
    """Leave the connection without a transaction, or closed."""
    if is_gone(connection):
        return
    if isinstance(error, TimeoutError | TransactionFault) or not isinstance(error, Exception):
        # A statement is under way still; its end is not worth waiting for.
        connection.terminate()
        return
    try:
        async with asyncio.timeout(_ROLLBACK):
            await connection.execute("ROLLBACK")
    except _DRIVER:
        if not is_gone(connection):
            connection.terminate()
