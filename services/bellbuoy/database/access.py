"""Access: one attempt to use one connection, with every wait bounded.

Law of this file: an attempt is made once. What its failure means for everybody else (the circuit,
the connections) is drawn here; what it means for the caller is the caller's to say, because only
that one knows whether something may have been done.
"""

import dataclasses
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog

from bellbuoy.database import faults
from bellbuoy.database.availability import Availability, State
from bellbuoy.database.connections import RETRY_AFTER, Connection, Connections, is_gone
from bellbuoy.database.faults import Fault, FaultError, Kind
from bellbuoy.database.measures import CONNECT, Measures
from bellbuoy.errors import DatabaseUnavailable

R = TypeVar("R")

UNREACHABLE = "The database cannot be reached."

REFUSALS = {
    Kind.OUTAGE: UNREACHABLE,
    Kind.LOST: "The connection to the database was lost.",
    Kind.DEMOTED: "The database takes no writes at the moment.",
    Kind.BUSY: "The database is too busy.",
}
"""What a caller is told, by the kind of fault; nothing was done."""

FULL_EPISODE = 60.0
"""Seconds without a refusal after which a full PostgreSQL is news again."""

_log = structlog.get_logger("bellbuoy.database")


class Access:
    """Takes connections for one statement or one transaction at a time.

    Args:
        connections: Where they come from.
        availability: What is known of PostgreSQL.
        measures: Where it counts.
        alarm: Called when an outage becomes known.
    """

    def __init__(
        self,
        connections: Connections,
        availability: Availability,
        measures: Measures,
        alarm: Callable[[], None],
    ) -> None:
        """Take nothing yet."""
        self._connections = connections
        self._availability = availability
        self._measures = measures
        self._alarm = alarm
        self._was_full = -math.inf
        self._cut_in: int | None = None  # the epoch, if the last connection was cut as it opened

    async def ask(self, operation: str, work: Callable[[Connection], Awaitable[R]]) -> R:
        """Return what ``work`` makes of a connection; it is given back whatever happens.

        Raises:
            DatabaseUnavailable: There was no connection to be had; ``work`` did not begin.
            FaultError: Connecting or ``work`` met a fault.
        """
        start = time.monotonic()
        self._refuse_while_down()
        await self._connections.wait_for_turn()
        try:
            self._refuse_while_down()
            connection = await self._connect()
            asked = time.monotonic()
            self._measures.acquire.observe(asked - start)
            is_clean = False
            try:
                answer = await self._ask_on(connection, operation, work, asked)
                is_clean = True
            finally:
                await self._connections.give_back(connection, is_clean=is_clean)
            return answer
        finally:
            self._connections.end_turn()

    async def suffer(self, fault: Fault, epoch: int) -> None:
        """Draw the consequences of a fault for everybody else.

        Args:
            fault: What happened.
            epoch: The availability's when the attempt began.
        """
        if fault.kind is Kind.OUTAGE and self._availability.failed(epoch):
            _log.warning("database unavailable", reason=fault.reason, sqlstate=fault.sqlstate)
            self._alarm()
        if fault.kind in {Kind.OUTAGE, Kind.LOST, Kind.DEMOTED}:
            await self._connections.expire()
        else:
            self._answered()  # a refusal is an answer

    def _refuse_while_down(self) -> None:
        if self._availability.state is State.DOWN:
            self._measures.refused.inc()
            raise DatabaseUnavailable(UNREACHABLE, RETRY_AFTER)

    async def _connect(self) -> Connection:
        epoch = self._availability.epoch
        is_second = self._cut_in == epoch
        try:
            connection = await self._connections.take()
        except asyncpg.InterfaceError as error:
            # Closing: the last requests of a drain that was cut short.
            raise DatabaseUnavailable(UNREACHABLE, RETRY_AFTER) from error
        except Exception as error:
            fault = faults.while_connecting(error)
            if fault.kind is Kind.LOST:
                self._cut_in = epoch
                if is_second:
                    # Behind a balancer a dead server looks like this. Not everybody in line shall
                    # find it out: one was cut before this one began, and nobody got through since.
                    fault = dataclasses.replace(fault, kind=Kind.OUTAGE)
            self._measures.error(CONNECT, fault.sqlstate).inc()
            if fault.kind is Kind.BUSY:
                self._note_full(fault)
            await self.suffer(fault, epoch)
            raise FaultError(fault) from error
        self._cut_in = None
        return connection

    async def _ask_on(
        self,
        connection: Connection,
        operation: str,
        work: Callable[[Connection], Awaitable[R]],
        start: float,
    ) -> R:
        epoch = self._availability.epoch
        try:
            answer = await work(connection)
        except Exception as error:
            fault = faults.while_asking(error, closed=is_gone(connection))
            faults.strip(error)
            self._measures.error(operation, fault.sqlstate).inc()
            if fault.kind is Kind.OUTAGE:
                self._connections.cut(connection)
            await self.suffer(fault, epoch)
            raise FaultError(fault) from error
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
