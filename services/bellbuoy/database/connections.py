"""The connections of a pool: asyncpg's pool behind a queue with a deadline.

Law of this file: who holds a turn may take one connection. There are as many turns as
connections, so waiting for a turn is waiting for others, and whatever comes after it is waiting
for PostgreSQL; the two are never confused.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from bellbuoy import timeouts
from bellbuoy.database.measures import Measures
from bellbuoy.errors import DatabaseUnavailable, Overloaded
from bellbuoy.limiter import ConcurrencyLimiter

IDLE = 60.0
"""Seconds after which an unused connection is closed."""

LINE = 10_000
"""Callers that wait for a turn at most; whoever serves them sets them a narrower bound."""

LEASE = 1.0
"""Seconds for which a connection passes from caller to caller without the driver's pool in between,
whose taking and giving back cost as much as a small query. Once a second it looks at each
connection all the same: whether it is too old, too long unused, or to be replaced."""

RELEASE = 1.0
"""Seconds for giving a connection back; it waits for the end of a cancelled statement."""

CLOSE = 2.0
"""Seconds for closing all connections."""

RETRY_AFTER = 1.0
"""Seconds after which asking again makes sense."""

Connection = asyncpg.pool.PoolConnectionProxy

# The internal one is what a connection raises that ends in the very moment of its release.
_RELEASED = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

_log = structlog.get_logger("bellbuoy.database")


def is_gone(connection: Connection) -> bool:
    """Return whether a taken connection is closed; its place may have been given on already."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


class Connections:
    """At most ``size`` connections; opened when needed, closed when idle.

    Args:
        arguments: What ``asyncpg.connect`` takes.
        size: Connections at most.
        measures: Where they are counted.
    """

    def __init__(self, arguments: dict[str, Any], size: int, measures: Measures) -> None:
        """Open nothing yet."""
        self._arguments = arguments
        self._size = size
        self._turns = ConcurrencyLimiter(size, LINE, timeouts.ACQUIRE)
        self._measures = measures
        self._pool: asyncpg.Pool
        # When each connection came from the pool, and which of them wait for the next caller.
        self._leases: dict[Connection, float] = {}
        self._spare: list[Connection] = []
        self._timer: asyncio.TimerHandle | None = None
        self._returning: set[asyncio.Task[None]] = set()

    async def open(self, lost: Callable[[], None] = lambda: None) -> None:
        """Make the pool; without a floor it connects to nothing.

        Args:
            lost: Called when a connection has ended, for whatever reason: an idle service learns
                of an outage so.
        """

        async def listen(connection: asyncpg.Connection) -> None:
            self._measures.created.inc()
            connection.add_termination_listener(lambda _: lost())

        self._pool = await asyncpg.create_pool(
            init=listen,
            **self._arguments,
            min_size=0,
            max_size=self._size,
            max_inactive_connection_lifetime=IDLE,
        )

    async def close(self) -> None:
        """Close every connection, within :data:`CLOSE` seconds even if PostgreSQL is silent."""
        try:
            async with asyncio.timeout(CLOSE):
                self._end_leases()
                await asyncio.gather(*self._returning)
                await self._pool.close()
        except TimeoutError:
            # The pool has terminated itself when it was cancelled.
            _log.warning("database connections cut", seconds=CLOSE)

    async def wait_for_turn(self) -> None:
        """Take a turn; end it with :meth:`end_turn`.

        Raises:
            DatabaseUnavailable: None got free in time. It says nothing about PostgreSQL.
        """
        try:
            await self._turns.acquire()
        except Overloaded as error:
            self._measures.acquire_timeouts.inc()
            raise DatabaseUnavailable(
                "All database connections are in use.", RETRY_AFTER
            ) from error

    def end_turn(self) -> None:
        """Let the next one have its turn."""
        self._turns.release(0.0)

    async def take(self) -> Connection:
        """Return a connection, opened now if need be; for who has a turn.

        Raises:
            Exception: Whatever asyncpg meets when it connects, within ``timeouts.CONNECT``.
        """
        while self._spare:
            connection = self._spare.pop()
            if not is_gone(connection):
                return connection
            await self._release(connection)
        connection = await self._pool.acquire()
        self._leases[connection] = time.monotonic()
        return connection

    async def give_back(self, connection: Connection, *, is_clean: bool) -> None:
        """Return what was taken; one that cannot be used any more is closed.

        Args:
            connection: What was taken.
            is_clean: Whether its statements were all answered.
        """
        lease = self._leases.get(connection, 0.0)
        if (
            is_clean
            and time.monotonic() - lease < LEASE
            and not is_gone(connection)
            and not connection.is_in_transaction()
        ):
            self._spare.append(connection)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(LEASE, self._return_spare)
        else:
            await self._release(connection)

    async def _release(self, connection: Connection) -> None:
        self._leases.pop(connection, None)
        try:
            await self._pool.release(connection, timeout=RELEASE)
        except _RELEASED as error:
            # asyncpg has closed the connection; its place in the pool is free.
            _log.info("database connection dropped", reason=type(error).__name__)

    def _end_leases(self) -> None:
        """Have every connection go back to the pool, those in use after their statement."""
        self._leases = dict.fromkeys(self._leases, -math.inf)
        self._return_spare()

    def _return_spare(self) -> None:
        """Give the pool what nobody uses at the moment."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        for connection in self._spare:
            task = loop.create_task(self._release(connection))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)
        self._spare.clear()

    def cut(self, connection: Connection) -> None:
        """Close what was taken at once: the server is silent, and would not confirm anything."""
        if not is_gone(connection):
            connection.terminate()

    async def expire(self) -> None:
        """Have every connection that is open now replaced before it is used again."""
        self._end_leases()
        await self._pool.expire_connections()

    def collect(self) -> None:
        """Store the gauges."""
        idle = self._pool.get_idle_size() + len(self._spare)
        self._measures.idle.set(idle)
        self._measures.used.set(self._pool.get_size() - idle)
        self._measures.most.set(self._size)
        self._measures.pending.set(self._turns.statistics().waiting)
