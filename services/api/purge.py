"""The purge: forgets the answers that are not replayed any more.

Law of this file: bounded and polite. A round is so many short transactions, one worker is at it at
a time, and what it does not get done waits for the next round, which then comes soon.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from bellbuoy.database import Connection, DatabasePool
from bellbuoy.errors import BellbuoyError
from bellbuoy.monitor import AsyncMonitor

PURGE: Final = "idempotency.purge"

EVERY = 600.0
"""Seconds between two rounds, less up to half so that workers do not come in step."""

SOON = 1.0
"""Seconds to the next round after a full one: more is waiting than the usual rounds get done."""

BATCH = 500
"""Rows of one transaction: some milliseconds, so nobody waits for it."""

BATCHES = 100
"""Transactions of one round."""

_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('idempotency.purge', 0))"
_DELETE = """
WITH gone AS (
    DELETE FROM idempotency_keys WHERE (owner, key) IN (
        SELECT owner, key FROM idempotency_keys
        WHERE created_at <= now() - interval '24 hours'
        ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING 1
)
SELECT count(*) FROM gone
"""

_log = structlog.get_logger("api.purge")


class Purge:
    """Purges one database.

    Args:
        database: Which one.
        monitor: Where each round is tracked, as ``idempotency.purge``.
        batch: Rows of one transaction.
        jitter: A random number from 0 to 1.
        sleep: Waits between two rounds.
    """

    def __init__(
        self,
        database: DatabasePool,
        monitor: AsyncMonitor,
        batch: int = BATCH,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Purge nothing yet."""
        self._database = database
        self._monitor = monitor
        self._batch = batch
        self._jitter = jitter
        self._sleep = sleep
        self.round = monitor.track_task(PURGE)(self._round)

    async def run(self) -> None:
        """Do a round now and then, and soon after one that was full, until cancelled."""
        await self._database.compatible()
        is_full = False
        while True:
            await self._sleep(SOON if is_full else EVERY * (1 - self._jitter() / 2))
            is_full = False
            try:
                is_full = await self.round() == BATCHES * self._batch
            except BellbuoyError as error:
                # Counted by the monitor; the next round is as good.
                _log.warning("purge failed", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever it is, the table must not grow for ever
                _log.exception("purge failed")

    async def _round(self) -> int:
        """Do one round; return how many answers were forgotten."""
        forgotten = 0
        for _ in range(BATCHES):
            gone = await self._database.write(PURGE, self._delete)
            forgotten += gone
            if gone < self._batch:
                break
        return forgotten

    async def _delete(self, connection: Connection) -> int:
        if not await connection.fetchval(_LOCK):
            return 0
        return int(await connection.fetchval(_DELETE, self._batch))
