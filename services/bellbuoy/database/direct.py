"""A direct connection: for a job, which has no request's limits, and waits for PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import asyncpg

from bellbuoy.database import faults
from bellbuoy.database.session import connect_arguments
from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.errors import EnvironmentFault, SettingsError

PATIENCE = 60.0
"""Seconds of waiting in all: for PostgreSQL to accept connections, and for others to finish."""

LOOK = 0.25
"""Seconds between two tries."""

CLOSE = 1.0
"""Seconds for saying goodbye."""

R = TypeVar("R")

_SESSION = {
    # A job may take long, but must not make others wait: whoever wants a table that it waits for
    # queues up behind it.
    "statement_timeout": "0",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "0",
    # A job that was killed would otherwise hold its locks until its statement ends, and one whose
    # machine vanished for two hours.
    "client_connection_check_interval": "1000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_NOT_YET = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.TooManyConnectionsError,
)
"""What connecting fails with while PostgreSQL starts, or is full."""


class Deadline:
    """One deadline for all the waiting of one job.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float = PATIENCE) -> None:
        """Start the clock."""
        self._end = time.monotonic() + seconds

    async def retry(
        self,
        attempt: Callable[[], Awaitable[R]],
        errors: tuple[type[Exception], ...],
        complaint: str,
    ) -> R:
        """Return what ``attempt`` returns once it raises none of ``errors``.

        Raises:
            EnvironmentFault: It still raises one when the time is over.
        """
        while True:
            try:
                return await attempt()
            except errors as error:
                if time.monotonic() > self._end:
                    raise EnvironmentFault(f"{complaint}: {faults.describe(error)}") from error
            await asyncio.sleep(LOOK)


@asynccontextmanager
async def direct(
    settings: DatabaseSettings, application: str, deadline: Deadline | None = None
) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection of its own for a job.

    Args:
        settings: Where the database is, and as whom.
        application: The name that ``pg_stat_activity`` shows.
        deadline: Until when to try; by default for :data:`PATIENCE` seconds.

    Raises:
        SettingsError: A secret or a certificate cannot be read, or a pooler is between.
        EnvironmentFault: PostgreSQL cannot be reached, or does not let this role in.
    """
    if settings.db_pooler != "none":
        # A lock that outlasts its transaction would stay with a session that others use next.
        raise SettingsError(["BUOY_DB_POOLER: a job needs PostgreSQL's own address, and none here"])
    arguments = connect_arguments(settings, application)
    arguments["server_settings"] |= _SESSION
    arguments["command_timeout"] = None
    complaint = f"cannot connect to PostgreSQL at {settings.db_host}, port {settings.db_port}"
    try:
        connection: asyncpg.Connection = await (deadline or Deadline()).retry(
            lambda: asyncpg.connect(**arguments), _NOT_YET, complaint
        )
    except (asyncpg.PostgresError, asyncpg.InternalClientError) as error:
        raise EnvironmentFault(f"{complaint}: {faults.describe(error)}") from error
    try:
        yield connection
    finally:
        # What the job did is done; a goodbye that fails must not make it look undone.
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=CLOSE)
