"""The pool: PostgreSQL for a worker, with every wait bounded.

Law of this file: a statement gets its answer, or one of two errors that callers understand.
:class:`~bellbuoy.errors.DatabaseUnavailable` is for now, and nothing was done;
:class:`~bellbuoy.errors.QueryFailed` is for good, or its outcome is unknown, which
:class:`~bellbuoy.errors.OutcomeUnknown` says.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import asyncpg

from bellbuoy.batching import Batcher
from bellbuoy.database import schema
from bellbuoy.database.access import REFUSALS, Access
from bellbuoy.database.availability import Availability
from bellbuoy.database.connections import RETRY_AFTER, Connection, Connections
from bellbuoy.database.faults import Fault, FaultError, Kind
from bellbuoy.database.measures import SCHEMA_READ, Measures
from bellbuoy.database.schema import Schema
from bellbuoy.database.session import connect_arguments
from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.database.transaction import Statement, Step, Transaction
from bellbuoy.database.watch import Watch
from bellbuoy.database.writes import Done, Writes, ignore
from bellbuoy.errors import ConstraintViolated, DatabaseUnavailable, OutcomeUnknown, QueryFailed
from bellbuoy.instruments import Instruments
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.retrybudget import RetryBudget

R = TypeVar("R")

Work = Callable[[Connection], Awaitable[R]]


class DatabasePool:
    """Bounded access to one database; an async context manager that never waits for PostgreSQL.

    Args:
        settings: Where the database is, as whom, how many connections.
        instruments: Where it counts; they have the ``families(operations)``.
        monitor: Where its watch is tracked.
        application: The name that ``pg_stat_activity`` shows.
        operations: The name of every statement that will be asked; metrics are labelled by it.
        schema: The schema version that the program was written for.
        callers: How many wait for it at once, at most; with the connections, which may be busy for
            callers that have left, it bounds the writes under way.

    Raises:
        SettingsError: The password or the certificates cannot be read.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        instruments: Instruments,
        monitor: AsyncMonitor,
        *,
        application: str,
        operations: Sequence[str],
        schema: int,
        callers: int = 256,
    ) -> None:
        """Open nothing yet."""
        arguments = connect_arguments(settings, application)
        self._monitor = monitor
        self._measures = Measures(instruments, operations)
        self._availability = Availability()
        self._connections = Connections(arguments, settings.db_pool_size, self._measures)
        self._watch = Watch(
            self._read_schema,
            arguments,
            self._availability,
            self._connections,
            self._measures,
            schema,
        )
        self._access = Access(
            self._connections, self._availability, self._measures, self._watch.alarm
        )
        self._writes = Writes(
            monitor, callers + settings.db_pool_size, self._measures.writes_refused
        )
        self._budget = RetryBudget()
        self._instruments = instruments
        self._batchers: list[Batcher[int, Any]] = []

    async def __aenter__(self) -> Self:
        """Begin to watch PostgreSQL; connections are opened when they are needed."""
        await self._connections.open(self._watch.alarm)
        self._instruments.before_flush(self._collect)
        self._watch.start(self._monitor)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish the writes, close every connection; bounded even when PostgreSQL is silent."""
        for batcher in self._batchers:
            await batcher.aclose()
        await self._writes.close()
        await self._watch.stop()
        await self._connections.close()

    async def compatible(self) -> None:
        """Return once the database has been seen with a schema that the program can work with."""
        await self._watch.compatible.wait()

    async def fetch(self, operation: str, sql: str, *values: object) -> list[asyncpg.Record]:
        """Return the rows of a statement that reads.

        Args:
            operation: The statement's name, one of those declared.
            sql: The statement, with ``$1`` for the first value.
            values: What stands for ``$1`` and so on.

        Raises:
            DatabaseUnavailable: PostgreSQL cannot answer now.
            QueryFailed: The statement is wrong.

        Cancellation: the statement is cancelled in PostgreSQL too; its connection comes back.
        """
        return await self._read(operation, lambda connection: connection.fetch(sql, *values))

    async def fetchrow(self, operation: str, sql: str, *values: object) -> asyncpg.Record | None:
        """Return the first row of a statement that reads, or ``None``; see :meth:`fetch`."""
        return await self._read(operation, lambda connection: connection.fetchrow(sql, *values))

    def batcher(
        self, operation: str, sql: str, make: Callable[[asyncpg.Record], R]
    ) -> Batcher[int, R]:
        """Return what looks rows up by their id, those of one turn of the loop in one query.

        Args:
            operation: The query's name, one of those declared.
            sql: It takes the ids as ``$1`` and returns a row for each that is there, the id first.
            make: Makes of a row what those get who asked for it.
        """

        async def load(ids: Sequence[int]) -> dict[int, R]:
            return {row[0]: make(row) for row in await self.fetch(operation, sql, ids)}

        batcher = Batcher(load, accepts=_is_bigint, observe=self._measures.batch_keys.observe)
        self._batchers.append(batcher)
        return batcher

    async def write(self, operation: str, work: Work[R], done: Done[R] = ignore) -> R:
        """Do ``work`` in one transaction and return what it returned, committed.

        It is never repeated once it has begun, so give it a key that makes it idempotent if its
        caller may ask again. What it may do: statements on the connection it is given
        (``SAVEPOINT`` as a statement too), and raise an error of its own, which rolls back and
        reaches the caller unchanged. What it may not: wait for anything else, or hide a statement
        that failed.

        Args:
            operation: The name of the transaction, one of those declared.
            work: The statements; all of them within ``timeouts.TRANSACTION``.
            done: Called with the result once it is committed, whoever still waits for it.

        Raises:
            DatabaseUnavailable: PostgreSQL cannot do it now; nothing was done.
            Overloaded: Too many writes are under way; nothing was done.
            ConstraintViolated: It breaks a named rule of a table; nothing was done.
            OutcomeUnknown: COMMIT was sent and not answered: all was done, or nothing.
            QueryFailed: The statements are wrong; nothing was done.

        Cancellation: ends the waiting; the transaction is finished all the same.

        Shutdown: closing the pool waits ``writes.FINISH`` seconds for it, then cuts it.
        """
        return await self._writes.run(operation, lambda: self._transact(operation, work), done)

    async def write_row(
        self,
        operation: str,
        sql: str,
        *values: object,
        done: Done[asyncpg.Record | None] = ignore,
    ) -> asyncpg.Record | None:
        """Run one statement that writes and return its first row, committed.

        A statement is a transaction of its own: one round trip to PostgreSQL, where :meth:`write`
        takes two more for BEGIN and COMMIT. The price is that a connection that breaks under it
        leaves the outcome unknown, where BEGIN would have found out in time.

        Args:
            operation: Its name, one of those declared.
            sql: The statement, with ``$1`` for the first value.
            values: What stands for ``$1`` and so on.
            done: As for :meth:`write`.

        Raises:
            Exception: As :meth:`write`.

        Cancellation, shutdown: as :meth:`write`.
        """
        return await self._writes.run(operation, lambda: self._state(operation, sql, values), done)

    async def _state(
        self, operation: str, sql: str, values: tuple[object, ...]
    ) -> asyncpg.Record | None:
        """Run the statement, once."""
        statement = Statement(sql, values)
        try:
            return await self._access.ask(operation, statement.run)
        except FaultError as error:
            if statement.is_unknown(error.fault):
                raise OutcomeUnknown(operation, error.fault.sqlstate) from error.__cause__
            raise self._translate(operation, error.fault) from error.__cause__

    async def _transact(self, operation: str, work: Work[R]) -> R:
        """Run the transaction, and once more if the connection was lost before BEGIN was done."""
        transaction = Transaction(work)
        try:
            result = await self._ask(
                operation, transaction.run, lambda: transaction.step is Step.BEGIN
            )
        except FaultError as error:
            if transaction.is_unknown(error.fault):
                raise OutcomeUnknown(operation, error.fault.sqlstate) from error.__cause__
            raise self._translate(operation, error.fault) from error.__cause__
        if transaction.own is not None:
            raise transaction.own
        return cast("R", result)

    async def _read(self, operation: str, ask: Work[R]) -> R:
        """Ask, and once more if the connection was lost: reading twice does no harm."""
        try:
            return await self._ask(operation, ask, _always)
        except FaultError as error:
            raise self._translate(operation, error.fault) from error.__cause__

    async def _ask(self, operation: str, ask: Work[R], is_safe: Callable[[], bool]) -> R:
        """Ask, and once more if the connection was lost, ``is_safe`` and the budget allow it.

        Not by ``async_retry``: the second attempt comes at once, on another connection, and the
        first must cost nothing, because nearly all of them succeed.
        """
        self._budget.call()
        try:
            return await self._access.ask(operation, ask)
        except FaultError as error:
            if error.fault.kind is not Kind.LOST or not is_safe():
                raise
            if not self._budget.withdraw():
                self._measures.budget_exhausted.inc()
                raise
        self._measures.retries.inc()
        epoch = self._availability.epoch
        try:
            return await self._access.ask(operation, ask)
        except FaultError as error:
            if error.fault.kind is Kind.LOST:
                # Twice in a row is no accident: behind a balancer a dead server looks like this.
                outage = dataclasses.replace(error.fault, kind=Kind.OUTAGE)
                await self._access.suffer(outage, epoch)
            raise

    def _translate(self, operation: str, fault: Fault) -> Exception:
        """Return what the caller understands; nothing was done."""
        if fault.kind is not Kind.WRONG:
            return DatabaseUnavailable(REFUSALS[fault.kind], RETRY_AFTER)
        if fault.constraint is not None:
            return ConstraintViolated(operation, fault.sqlstate, fault.constraint)
        if schema.is_mismatch(fault.sqlstate) and not self._watch.compatible.is_set():
            # Before the schema fits, a missing table is a matter of time and no bug.
            return DatabaseUnavailable("The database is not set up yet.", RETRY_AFTER)
        return QueryFailed(operation, fault.sqlstate)

    async def _read_schema(self) -> Schema:
        try:
            row = await self._ask(SCHEMA_READ, lambda each: each.fetchrow(schema.READ), _always)
        except FaultError as error:
            if error.fault.sqlstate == schema.UNDEFINED_TABLE:
                return schema.EMPTY
            raise self._translate(SCHEMA_READ, error.fault) from error.__cause__
        return Schema(*row) if row else schema.EMPTY

    def _collect(self) -> None:
        self._measures.tell(self._availability.state)
        self._connections.collect()


def _always() -> bool:
    return True


def _is_bigint(key: int) -> bool:
    """Return whether the driver can send it; one that it cannot would fail its whole batch."""
    return -1 << 63 <= key < 1 << 63
