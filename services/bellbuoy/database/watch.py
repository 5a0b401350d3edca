"""The watch: finds out that PostgreSQL is back, and which schema it has.

While PostgreSQL is down it is the only one that asks, on a connection of its own: however many
requests come, a server that is starting sees one attempt a moment from each worker.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog

from bellbuoy.database import faults, schema
from bellbuoy.database.availability import Availability, State
from bellbuoy.database.connections import Connections
from bellbuoy.database.measures import CONNECT, Measures
from bellbuoy.database.schema import Schema
from bellbuoy.errors import DatabaseUnavailable, QueryFailed
from bellbuoy.monitor import AsyncMonitor

FIRST_PROBE = 0.1
"""Seconds from the outage to the first probe: a restart may be over already."""

PROBE = 0.5
"""Seconds between later probes, less up to half so that many workers do not probe in step. With
a probe's own 1.5 s, two seconds after PostgreSQL returns everybody knows."""

CHECK = 5.0
"""Seconds between two looks at a PostgreSQL that is up; an idle service notices outages so."""

WAIT_FOR_SCHEMA = 0.5
"""Seconds between two looks until the schema is compatible."""

LIFETIME = 600.0
"""Seconds after which all connections are replaced. After a failover the name may stand for a
new primary while the old one still answers reads."""

_log = structlog.get_logger("bellbuoy.database")


class Watch:
    """Watches one database.

    Attributes:
        compatible: Set once the schema has been seen to be one the program can work with.

    Args:
        read: Returns the schema through the pool.
        arguments: What ``asyncpg.connect`` takes.
        availability: What it finds out.
        connections: What it renews.
        measures: Where the schema's version is shown.
        program: The schema version that the program was written for.
        jitter: A random number from 0 to 1.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Schema]],
        arguments: dict[str, Any],
        availability: Availability,
        connections: Connections,
        measures: Measures,
        program: int,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Know nothing yet."""
        self.compatible = asyncio.Event()
        self._read = read
        self._arguments = arguments
        self._availability = availability
        self._connections = connections
        self._measures = measures
        self._program = program
        self._jitter = jitter
        self._alarm = asyncio.Event()
        self._warned: Schema | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, monitor: AsyncMonitor) -> None:
        """Begin."""
        self._task = monitor.create_task(self._run(monitor), name="database.watch")

    async def stop(self) -> None:
        """End; idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def alarm(self) -> None:
        """Look soon: there is an outage."""
        self._alarm.set()

    async def _run(self, monitor: AsyncMonitor) -> None:
        renewed = time.monotonic()
        while True:
            self._alarm.clear()
            try:
                with monitor.span("database.look"):
                    self._saw(await self._look())
            except (DatabaseUnavailable, QueryFailed):
                pass  # counted, and an outage was logged
            except Exception:  # noqa: BLE001 - see below
                # A dead watch would leave the circuit open for ever.
                _log.exception("looking at the database failed")
            if time.monotonic() - renewed > LIFETIME * (1 - self._jitter() / 2):
                renewed = time.monotonic()
                await self._connections.expire()
            await self._rest()

    async def _look(self) -> Schema:
        if self._availability.state is not State.DOWN:
            return await self._read()
        found = await self._probe()
        if not self._availability.recovered():
            return found
        _log.info("database available")
        # The pool has a connection again, whose end tells at once of the next outage.
        return await self._read()

    async def _probe(self) -> Schema:
        """Ask on a connection that nobody else has had."""
        try:
            connection = await asyncpg.connect(**self._arguments)
            try:
                async with asyncio.timeout(self._arguments["timeout"]):
                    return Schema(*await connection.fetchrow(schema.READ))
            finally:
                connection.terminate()
        except asyncpg.UndefinedTableError:
            return schema.EMPTY
        except Exception as error:
            self._measures.error(CONNECT, faults.sqlstate(error)).inc()
            _log.debug("database still unavailable", reason=faults.describe(error))
            raise DatabaseUnavailable("The database cannot be reached.", PROBE) from error

    def _saw(self, found: Schema) -> None:
        self._measures.schema_version.set(found.version)
        if found.serves(self._program):
            self.compatible.set()
        elif found != self._warned:
            self._warned = found
            _log.warning(
                "database schema does not fit",
                schema=found.version,
                compatible_from=found.compatible_from,
                program=self._program,
            )

    async def _rest(self) -> None:
        if self._availability.state is State.DOWN:
            await asyncio.sleep(PROBE * (1 - self._jitter() / 2))
            return
        wait = CHECK if self.compatible.is_set() else WAIT_FOR_SCHEMA
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._alarm.wait()
                await asyncio.sleep(FIRST_PROBE)
