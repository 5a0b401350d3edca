"""A DatabasePool as the host would open it, and what it counted."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bellbuoy.database import DatabasePool, DatabaseSettings, families
from bellbuoy.database.measures import Measures
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from onebox import roles
from tests.postgres import Database

READ = "test.read"
OPERATIONS = (READ,)


def whole(row: asyncpg.Record) -> asyncpg.Record:
    """Return a row as it came: for batchers."""
    return row


def settings_for(
    database: Database,
    *,
    address: tuple[str, int] | None = None,
    role: str = roles.APP,
    pool_size: int = 5,
) -> DatabaseSettings:
    """Return the settings that lead to ``database``, by ``address`` or else by its socket."""
    return DatabaseSettings(
        db_host=address[0] if address else str(database.socket),
        db_port=address[1] if address else database.port,
        db_name=database.name,
        db_user=role,
        db_password_file=database.password_file(role),
        db_pool_size=pool_size,
    )


def nowhere(folder: Path, port: int = 1) -> DatabaseSettings:
    """Return settings that lead to a port where nobody listens."""
    password = folder / "password"
    password.write_text("secret\n")
    return DatabaseSettings(db_host="127.0.0.1", db_port=port, db_password_file=password)


def timed(instruments: Instruments, operation: str) -> tuple[int, float]:
    """Return how many statements of an operation were timed, and their seconds in all."""
    families = instruments.layout.families
    (family,) = (each for each in families if each.name == "db_query_duration_seconds")
    start = instruments.cell(family, {"operation": operation})
    *counts, seconds = instruments.cells[start : start + family.width]
    return int(sum(counts)), seconds


@dataclass
class Opened:
    """An open pool, with its instruments and its monitor."""

    pool: DatabasePool
    instruments: Instruments
    monitor: AsyncMonitor
    operations: Sequence[str]

    def measures(self) -> Measures:
        """Return what the pool counted so far."""
        self.instruments.flush()
        return Measures(self.instruments, self.operations)


@asynccontextmanager
async def opened(
    settings: DatabaseSettings, *, operations: Sequence[str] = OPERATIONS, schema: int = 1
) -> AsyncIterator[Opened]:
    """Open a pool until the block ends."""
    instruments = Instruments(Layout(families(operations)))
    monitor = AsyncMonitor()
    pool = DatabasePool(
        settings,
        instruments,
        monitor,
        application="test",
        operations=operations,
        schema=schema,
    )
    async with pool:
        yield Opened(pool, instruments, monitor, operations)
