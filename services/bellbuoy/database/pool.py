"""The pool: PostgreSQL for a worker, with every wait bounded.

Law of this file: a statement gets its answer, or one of two errors that callers understand.
:class:`~bellbuoy.errors.DatabaseUnavailable` is for now, and nothing was done;
:class:`~bellbuoy.errors.QueryFailed` is for good, or its outcome is unknown.
"""

import dataclasses
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import asyncpg
import structlog

from bellbuoy.database import faults, schema
from bellbuoy.database.availability import Availability, State
from bellbuoy.database.connections import RETRY_AFTER, Connection, Connections, is_gone
from bellbuoy.database.faults import Fault, Kind
from bellbuoy.database.measures import CONNECT, SCHEMA_READ, Measures
from bellbuoy.database.schema import Schema
from bellbuoy.database.session import connect_arguments
from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.database.watch import Watch
from bellbuoy.errors import DatabaseUnavailable, QueryFailed
from bellbuoy.instruments import Instruments
from bellbuoy.monitor import AsyncMonitor

R = TypeVar("R")

_UNREACHABLE = "The database cannot be reached."
_REFUSALS = {
    Kind.OUTAGE: _UNREACHABLE,
    Kind.DEMOTED: "The database takes no writes at the moment.",
    Kind.BUSY: "The database is too busy.",
}

# A worker that has not asked yet knows nothing, and takes no part in the minimum of all.
_UP = {State.UNKNOWN: math.nan, State.UP: 1.0, State.DOWN: 0.0}

FULL_EPISODE = 60.0
"""Seconds without a refusal after which a full PostgreSQL is news again."""

_log = structlog.get_logger("bellbuoy.database")


class _LostError(Exception):
    """The connection was lost under a statement; nothing is known of its outcome."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class DatabasePool:
    """Bounded access to one database; an async context manager that never waits for PostgreSQL.

    Args:
        settings: Where the database is, as whom, how many connections.
        instruments: Where it counts; they have the ``families(operations)``.
        monitor: Where its watch is tracked.
        application: The name that ``pg_stat_activity`` shows.
        operations: The name of every statement that will be asked; metrics are labelled by it.
        schema: The schema version that the program was written for.

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
        self._instruments = instruments
        self._was_full = -math.inf

    async def __aenter__(self) -> Self:
        """Begin to watch PostgreSQL; connections are opened when they are needed."""
        await self._connections.open()
        self._instruments.before_flush(self._collect)
        self._watch.start(self._monitor)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection; bounded even when PostgreSQL is silent."""
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
        return await self._serve(operation, lambda connection: connection.fetch(sql, *values))

    async def fetchrow(self, operation: str, sql: str, *values: object) -> asyncpg.Record | None:
        """Return the first row of a statement that reads, or ``None``; see :meth:`fetch`."""
        return await self._serve(operation, lambda connection: connection.fetchrow(sql, *values))

    async def _serve(self, operation: str, ask: Callable[[Connection], Awaitable[R]]) -> R:
        """Read; before the schema fits, a missing table is a matter of time and no bug."""
        try:
            return await self._read(operation, ask)
        except QueryFailed as error:
            if self._watch.compatible.is_set() or not schema.is_mismatch(error.sqlstate):
                raise
            raise DatabaseUnavailable("The database is not set up yet.", RETRY_AFTER) from error

    async def _read(self, operation: str, ask: Callable[[Connection], Awaitable[R]]) -> R:
        """Ask, and once more if the connection was lost: reading twice does no harm."""
        try:
            return await self._ask(operation, ask)
        except _LostError:
            self._measures.retries.inc()
        epoch = self._availability.epoch
        try:
            return await self._ask(operation, ask)
        except _LostError as error:
            # Twice in a row is no accident: behind a balancer a dead server looks like this.
            await self._suffer(dataclasses.replace(error.fault, kind=Kind.OUTAGE), epoch)
            raise DatabaseUnavailable(_UNREACHABLE, RETRY_AFTER) from error

    async def _ask(self, operation: str, ask: Callable[[Connection], Awaitable[R]]) -> R:
        start = time.monotonic()
        self._refuse_while_down()
        await self._connections.wait_for_turn()
        try:
            self._refuse_while_down()
            connection = await self._connect()
            self._measures.acquire.observe(time.monotonic() - start)
            try:
                return await self._ask_on(connection, operation, ask)
            finally:
                await self._connections.give_back(connection)
        finally:
            self._connections.end_turn()

    def _refuse_while_down(self) -> None:
        if self._availability.state is State.DOWN:
            self._measures.refused.inc()
            raise DatabaseUnavailable(_UNREACHABLE, RETRY_AFTER)

    async def _connect(self) -> Connection:
        epoch = self._availability.epoch
        try:
            return await self._connections.take()
        except asyncpg.InterfaceError as error:
            # Closing: the last requests of a drain that was cut short.
            raise DatabaseUnavailable(_UNREACHABLE, RETRY_AFTER) from error
        except Exception as error:
            fault = faults.while_connecting(error)
            self._measures.error(CONNECT, fault.sqlstate).inc()
            if fault.kind is Kind.BUSY:
                self._note_full(fault)
            await self._suffer(fault, epoch)
            raise _translate(CONNECT, fault) from error

    async def _ask_on(
        self, connection: Connection, operation: str, ask: Callable[[Connection], Awaitable[R]]
    ) -> R:
        epoch, start = self._availability.epoch, time.monotonic()
        try:
            answer = await ask(connection)
        except Exception as error:
            fault = faults.while_asking(error, closed=is_gone(connection))
            faults.strip(error)
            self._measures.error(operation, fault.sqlstate).inc()
            if fault.kind is Kind.OUTAGE:
                self._connections.cut(connection)
            await self._suffer(fault, epoch)
            raise _translate(operation, fault) from error
        finally:
            self._measures.durations[operation].observe(time.monotonic() - start)
        self._answered()
        return answer

    def _note_full(self, fault: Fault) -> None:
        """Log it once an episode; other connections go on working meanwhile, so none ends it."""
        now = time.monotonic()
        if now - self._was_full > FULL_EPISODE:
            _log.warning("database full", reason=fault.reason, sqlstate=fault.sqlstate)
        self._was_full = now

    def _answered(self) -> None:
        if self._availability.answered():
            _log.info("database available")

    async def _suffer(self, fault: Fault, epoch: int) -> None:
        """Draw the consequences of a fault for everybody else."""
        if fault.kind is Kind.OUTAGE and self._availability.failed(epoch):
            _log.warning("database unavailable", reason=fault.reason, sqlstate=fault.sqlstate)
            self._watch.alarm()
        if fault.kind in {Kind.OUTAGE, Kind.LOST, Kind.DEMOTED}:
            await self._connections.expire()
        else:
            self._answered()  # a refusal is an answer

    async def _read_schema(self) -> Schema:
        try:
            row = await self._read(SCHEMA_READ, lambda connection: connection.fetchrow(schema.READ))
        except QueryFailed as error:
            if error.sqlstate == schema.UNDEFINED_TABLE:
                return schema.EMPTY
            raise
        return Schema(*row) if row else schema.EMPTY

    def _collect(self) -> None:
        self._measures.up.set(_UP[self._availability.state])
        self._connections.collect()


def _translate(operation: str, fault: Fault) -> Exception:
    if fault.kind is Kind.LOST:
        return _LostError(fault)
    if fault.kind is Kind.WRONG:
        return QueryFailed(operation, fault.sqlstate)
    return DatabaseUnavailable(_REFUSALS[fault.kind], RETRY_AFTER)
