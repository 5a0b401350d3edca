"""Overload: what needs PostgreSQL is bounded, and what does not is not concerned."""

import asyncio
import time
from pathlib import Path

import pytest

from bellbuoy import timeouts
from bellbuoy.host.web.telemetry import CONCURRENCY_IN_USE, CONCURRENCY_WAITING
from tests.api.serving import AUTHORIZED, Reply, Served
from tests.integration.test_api_users import api, until_status
from tests.postgres import Database, database, own_postgres, postgres
from tests.proxy import proxy
from tests.waiting import soon

__all__ = ["database", "own_postgres", "postgres"]

pytestmark = pytest.mark.slow

AT_ONCE = 0.3
"""Seconds, half of the time: nobody waited for PostgreSQL, which takes two, nor for a turn."""

LIMITS = {"BUOY_CONCURRENCY_LIMIT": "10", "BUOY_CONCURRENCY_WAITING": "10"}


async def listed(served: Served) -> Reply:
    """Ask for a page of users, which no other request shares."""
    return await served.ask("/users", headers=AUTHORIZED)


async def timed(served: Served, path: str) -> tuple[int, float]:
    """Return the status of an answer and after how many seconds it came."""
    start = time.monotonic()
    reply = await served.ask(path, headers=AUTHORIZED)
    return reply.status, time.monotonic() - start


async def test_a_silent_postgresql_does_not_touch_the_greeting(
    tmp_path: Path, database: Database
) -> None:
    """Beyond the limit and the line, who needs it is refused at once; afterwards all is well."""
    async with proxy(("127.0.0.1", database.port)) as link:
        there = {"BUOY_DB_HOST": link.address[0], "BUOY_DB_PORT": str(link.address[1])}
        async with api(tmp_path, database, **there, **LIMITS) as served:
            await until_status(served, 200)
            link.silence()
            waiting = [asyncio.ensure_future(listed(served)) for _ in range(100)]
            # Of those in line, some are late already where it takes long to ask.
            await soon(lambda: served.rejected("full") + served.rejected("late") >= 80)
            refused = [await timed(served, "/users/1") for _ in range(20)]
            greeted = [await timed(served, "/") for _ in range(200)]
            link.resume()
            statuses = [reply.status for reply in await asyncio.gather(*waiting)]
            healed = await until_status(served, 200)
            served.instruments.flush()
    assert statuses.count(503) >= 80
    assert {status for status, _ in greeted} == {200}
    assert sorted(seconds for _, seconds in greeted)[100] < AT_ONCE
    assert {status for status, _ in refused} == {503}
    assert sorted(seconds for _, seconds in refused)[10] < AT_ONCE
    assert healed < 10


async def test_a_postgresql_that_answers_late_holds_up_only_who_needs_it(
    tmp_path: Path, database: Database
) -> None:
    """Two seconds for each answer: who needs it has one in time, and no more wait than may."""
    async with proxy(("127.0.0.1", database.port)) as link:
        there = {"BUOY_DB_HOST": link.address[0], "BUOY_DB_PORT": str(link.address[1])}
        pool = {"BUOY_DB_POOL_SIZE": "4"}
        async with api(tmp_path, database, **there, **LIMITS, **pool) as served:
            await until_status(served, 200)
            await asyncio.gather(*(listed(served) for _ in range(4)))  # so that all four are open
            link.delay = 2.0
            in_use = served.instruments.gauge(CONCURRENCY_IN_USE)
            waiting = served.instruments.gauge(CONCURRENCY_WAITING)
            asking = [asyncio.ensure_future(timed(served, "/users")) for _ in range(100)]
            greeted, most = [], 0.0
            while not all(task.done() for task in asking):
                greeted.append(await timed(served, "/"))
                served.instruments.flush()
                most = max(most, in_use.value + waiting.value)
            answers = await asyncio.gather(*asking)
            link.delay = 0.0
            healed = await until_status(served, 200)
            assert served.bugs() == 0
    assert {status for status, _ in answers} == {200, 503}
    # A turn and a connection are waited for, then comes a command; nobody gets as far as a request.
    assert max(seconds for _, seconds in answers) < timeouts.REQUEST / 2
    # Refused for want of a turn, at once or soon, and not after a command's time.
    assert sum(status == 503 and seconds < 5 for status, seconds in answers) >= 80
    assert 0 < most <= 20
    assert {status for status, _ in greeted} == {200}
    assert sorted(seconds for _, seconds in greeted)[len(greeted) // 2] < AT_ONCE
    assert healed < 10


async def test_clients_that_leave_give_everything_back(tmp_path: Path, database: Database) -> None:
    """A thousand resets into reads: no turn, no request and no connection is left behind."""
    async with api(tmp_path, database) as served:
        await until_status(served, 200)
        for _ in range(20):
            clients = [await asyncio.open_connection(*served.address) for _ in range(50)]
            for number, (_, writer) in enumerate(clients):
                head = f"GET /users?limit={1 + number} HTTP/1.1\r\nHost: t\r\n"
                token = AUTHORIZED["Authorization"]
                writer.write(f"{head}Authorization: {token}\r\n\r\n".encode())
            await asyncio.sleep(0.001)
            for _, writer in clients:
                writer.transport.abort()
        await soon(lambda: served.server._traffic.in_flight == 0)
        await soon(lambda: len(served.server.connections) == 0)
        assert [(await listed(served)).status for _ in range(20)] == [200] * 20
        assert served.bugs() == 0
