"""A storm of retries: PostgreSQL is down and clients ask again and again; it still comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.service import OPERATIONS
from bellbuoy import RetryBudget, async_retry
from bellbuoy.database import watch
from bellbuoy.database.measures import Measures
from tests.api.serving import AUTHORIZED, Client, Served
from tests.integration.test_api_users import api, until_status
from tests.postgres import Server, own_postgres
from tests.proxy import Proxy, proxy
from tests.waiting import soon

__all__ = ["own_postgres"]

pytestmark = pytest.mark.slow

CLIENTS = 60
PAUSE = 0.02
"""Seconds between two calls of a client, so that they leave the server's process some time."""

OUTAGE = 2_000
"""Statements that are refused while it lasts: some seconds, more of them on a busy machine."""

WELL = 2 * CLIENTS
"""Calls that succeed one after the other, and none fails, when all is well again."""

RETRIES = 3
POOL = 5


class Unavailable(Exception):
    """A 503."""


class Storm:
    """Clients that call for users again and again, and what became of their calls.

    Attributes:
        calls: What they wanted.
        requests: What they sent for it.
        refusals: How long each 503 took, in seconds.
        outcomes: For each call its end, by the monotonic clock, and whether it succeeded.
        statuses: What came back.
    """

    def __init__(self, served: Served, budget: RetryBudget | None) -> None:
        """Be calm."""
        self.calls = self.requests = 0
        self.refusals: list[float] = []
        self.outcomes: list[tuple[float, bool]] = []
        self.statuses: set[int] = set()
        self._served = served
        self._budget = budget

    @asynccontextmanager
    async def raging(self) -> AsyncIterator[None]:
        """Rage until the block ends."""
        tasks = [asyncio.ensure_future(self._rage(number)) for number in range(CLIENTS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []

    def is_well(self) -> bool:
        """Return whether the last calls all succeeded."""
        last = self.outcomes[-WELL:]
        return len(last) == WELL and all(succeeded for _, succeeded in last)

    def last_failure(self) -> float:
        """Return when a call failed last, by the monotonic clock."""
        return max(when for when, succeeded in self.outcomes if not succeeded)

    async def _rage(self, number: int) -> None:
        async with self._served.client() as client:

            @async_retry(RETRIES + 1, delay=0.02, on=Unavailable, budget=self._budget)
            async def call() -> None:
                await self._ask(client, f"/users?limit={1 + number}")

            while True:
                self.calls += 1
                try:
                    await call()
                except Unavailable:
                    self.outcomes.append((time.monotonic(), False))
                else:
                    self.outcomes.append((time.monotonic(), True))
                await asyncio.sleep(PAUSE)

    async def _ask(self, client: Client, path: str) -> None:
        self.requests += 1
        start = time.monotonic()
        reply = await client.ask(path, headers=AUTHORIZED)
        self.statuses.add(reply.status)
        if reply.status == 503:
            self.refusals.append(time.monotonic() - start)
            raise Unavailable


@asynccontextmanager
async def behind_a_link(folder: Path, server: Server) -> AsyncIterator[tuple[Served, Proxy]]:
    """Serve the api; its way to PostgreSQL counts connections."""
    database = server.database()
    async with proxy(("127.0.0.1", database.port)) as link:
        environ = {
            "BUOY_DB_HOST": link.address[0],
            "BUOY_DB_PORT": str(link.address[1]),
            "BUOY_DB_POOL_SIZE": str(POOL),
        }
        async with api(folder, database, **environ) as served:
            await until_status(served, 200)
            yield served, link


async def outlast(storm: Storm, served: Served, server: Server, link: Proxy) -> tuple[float, float]:
    """Take PostgreSQL away and bring it back in the midst of a storm.

    Returns:
        How many connections were tried once it was known to be away, beyond what the watch may,
        and how many seconds after it was back the last call failed.
    """
    async with storm.raging():
        before, start = len(link.sent), time.monotonic()
        await asyncio.to_thread(server.stop)
        refused = Measures(served.instruments, OPERATIONS).refused
        await soon(lambda: refused.value > CLIENTS)
        # Whoever has a connection finds out, once more than once, and then only the watch asks.
        looks = (time.monotonic() - start) / (watch.PROBE / 2)
        assert len(link.sent) - before <= 4 * POOL + looks
        before, known, goal = len(link.sent), time.monotonic(), refused.value + OUTAGE
        await soon(lambda: refused.value > goal)
        # A probe in half of PROBE at the earliest.
        probes = (time.monotonic() - known) / (watch.PROBE / 2)
        tried = len(link.sent) - before - probes
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        await soon(storm.is_well)
        return tried, storm.last_failure() - back


async def test_a_storm_of_retries_does_not_keep_postgresql_down(
    tmp_path: Path, own_postgres: Server
) -> None:
    """Clients without any budget: each is refused at once, and only the watch asks PostgreSQL.

    When it is back the storm ends by itself, while the clients go on as before.
    """
    async with behind_a_link(tmp_path, own_postgres) as (served, link):
        storm = Storm(served, None)
        tried, recovery = await outlast(storm, served, own_postgres, link)
        assert served.bugs() == 0
    assert storm.statuses == {200, 503}
    assert storm.requests > 1.5 * storm.calls
    assert len(storm.refusals) > OUTAGE / 2
    # What was on its way.
    assert tried <= POOL + 1
    assert sorted(storm.refusals)[len(storm.refusals) // 2] < 1
    assert recovery < 10


async def test_clients_with_a_budget_send_hardly_more_than_they_are_called(
    tmp_path: Path, own_postgres: Server
) -> None:
    """At most 1.2 requests a call, all through the outage, and then all is well."""
    budget = RetryBudget(ratio=0.2, minimum=0, window=60)
    async with behind_a_link(tmp_path, own_postgres) as (served, link):
        storm = Storm(served, budget)
        _, recovery = await outlast(storm, served, own_postgres, link)
    assert storm.statuses == {200, 503}
    assert len(storm.refusals) > CLIENTS
    assert storm.calls < storm.requests <= 1.2 * storm.calls
    assert recovery < 10
