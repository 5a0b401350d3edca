"""Processes of the api that die under load, on a real PostgreSQL: only what they held is lost."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest

from api.schema import migrations
from api.seed import seed
from bellbuoy.database import direct, migrate
from onebox import roles
from tests.api.serving import AUTHORIZED, Client, known_tokens
from tests.bellbuoy.database.pools import settings_for
from tests.integration.test_deaths import SOON, TOLERANCE, Scrapes, replaced, scraping
from tests.postgres import Database, Server, database, postgres
from tests.program import UNMEASURED, Program, loop, ports
from tests.waiting import PATIENCE, eventually

__all__ = ["database", "loop", "postgres"]

pytestmark = pytest.mark.slow

GREETING, USER = "/", "/users/1"
EACH = 8
"""Clients of each path; a worker that gets all of them has a database connection for each."""

USERS_GET = {"task": "users.get"}
LOST = {**USERS_GET, "outcome": "lost"}


class Visitor:
    """A keep-alive client that asks for the same path again and again, until the server ends it.

    Attributes:
        answered: Complete answers.
        statuses: Their distinct statuses.
        port: Where it calls from.
        task: Done when its connection has failed.
    """

    def __init__(self, client: Client, path: str) -> None:
        """Begin."""
        self.answered = 0
        self.statuses: set[int] = set()
        self.path = path
        self.port: int = client.writer.get_extra_info("sockname")[1]
        self._client = client
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while True:
                reply = await self._client.ask(self.path, headers=AUTHORIZED)
                self.answered += 1
                self.statuses.add(reply.status)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._client.writer.close()


@contextmanager
def api(folder: Path, database: Database, loop: str) -> Iterator[Program]:
    """Run the api with two workers, one of whose processes dies; nothing of it is left behind."""
    environ = {
        **known_tokens(folder),
        "BUOY_DB_POOL_SIZE": str(EACH + 1),  # the watch takes one now and then
        "BUOY_LOOP": loop,
        "BUOY_WORKERS": "2",
        **UNMEASURED,
    }
    program = Program([sys.executable, "-m", "api"], ports("api") | database.environ() | environ)
    try:
        yield program
    finally:
        left = program.end()
    assert left == []
    assert [text for text in program.complaints() if "worker died" not in text] == []


@asynccontextmanager
async def visited(program: Program) -> AsyncIterator[list[Visitor]]:
    """Keep the api under load, by clients of both paths on both workers."""
    visitors: list[Visitor] = []
    try:
        for path in (GREETING, USER) * EACH:
            visitors.append(Visitor(await Client.connect(program.address), path))
            await until(lambda: visitors[-1].answered > 0)
        yield visitors
    finally:
        for visitor in visitors:
            visitor.task.cancel()
        await asyncio.gather(*(visitor.task for visitor in visitors), return_exceptions=True)


async def until(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait for what a thread may ask, while the clients go on."""
    await asyncio.to_thread(eventually, condition, within)


async def fill(database: Database) -> None:
    """Migrate, and put a user there."""
    owner = settings_for(database, role=roles.OWNER)
    await migrate(owner, migrations())
    await seed(owner, 1)


def callers(pid: int) -> set[int]:
    """Return the ports from which the connections of a process come."""
    connections = psutil.Process(pid).net_connections("tcp")
    return {each.raddr.port for each in connections if each.status == psutil.CONN_ESTABLISHED}


def doing(program: Program) -> float:
    """Return how many requests wait for a user, by the api's own account."""
    return program.metrics().value("asyncmonitor_tasks_in_progress", **USERS_GET)


async def goes_on(visitors: list[Visitor]) -> None:
    """Return once each of these got 50 answers more."""
    goals = [(visitor, visitor.answered + 50) for visitor in visitors]
    await until(lambda: all(visitor.answered >= goal for visitor, goal in goals))


@asynccontextmanager
async def locked(database: Database) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Let nobody read users until the block ends; yields a count of the statements that wait."""
    owner = settings_for(database, role=roles.OWNER)
    async with direct(owner, "test") as connection, connection.transaction():
        await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")

        async def waiting() -> int:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_locks "
                    "WHERE relation = 'users'::regclass AND NOT granted"
                )
            )

        yield waiting


async def kill_while_users_wait(program: Program, database: Database, victim: int) -> None:
    """Kill it when every request for a user is in PostgreSQL and published as running."""
    async with locked(database) as waiting:
        async with asyncio.timeout(PATIENCE):
            while not await waiting():  # noqa: ASYNC110 - a lock's queue has no event
                await asyncio.sleep(0.005)
        await until(lambda: doing(program) == EACH)
        os.kill(victim, signal.SIGKILL)


async def is_answered_by(program: Program, pid: int) -> bool:
    """Return whether a new client gets both paths from this process."""
    client = await Client.connect(program.address)
    try:
        replies = [await client.ask(path, headers=AUTHORIZED) for path in (GREETING, USER)]
        assert [reply.status for reply in replies] == [200, 200]
        return client.writer.get_extra_info("sockname")[1] in callers(pid)
    finally:
        client.writer.close()


async def serves(program: Program, pid: int) -> None:
    """Return once a new client was answered by this process."""
    async with asyncio.timeout(PATIENCE):
        while not await is_answered_by(program, pid):
            pass


def assert_unbroken(scrapes: Scrapes) -> None:
    """Fail if a scrape was answered by anything but 200, or a counter went back."""
    assert scrapes.faults == []
    assert scrapes.count > 1


async def test_a_killed_worker_takes_only_its_own_requests_along(
    tmp_path: Path, database: Database, postgres: Server, loop: str
) -> None:
    """Its clients fail, and nobody else's; what waited in PostgreSQL is counted lost.

    Counters never go back, every scrape is answered, and a replacement serves within two seconds.
    """
    await fill(database)
    # A busy machine needs more than the usual second to see that all of them wait.
    postgres.psql(f"ALTER ROLE {roles.APP} IN DATABASE {database.name} SET lock_timeout = '4s'")
    with api(tmp_path, database, loop) as program:
        workers = await asyncio.to_thread(program.await_workers, 2)
        async with visited(program) as visitors:
            user = next(visitor for visitor in visitors if visitor.path == USER)
            victim, survivor = sorted(workers, key=lambda pid: user.port not in callers(pid))
            held = [visitor for visitor in visitors if visitor.port in callers(victim)]
            others = [visitor for visitor in visitors if visitor not in held]
            with scraping(program) as scrapes:
                await kill_while_users_wait(program, database, victim)
                await until(lambda: replaced(program, victim, 2), SOON + TOLERANCE)
                await until(lambda: all(visitor.task.done() for visitor in held))
                await goes_on(others)
            assert_unbroken(scrapes)
            (newcomer,) = {*program.traffic()} - {survivor}
            assert [visitor.path for visitor in others if visitor.task.done()] == []
            # 503: on a slow machine who waits for the lock for too long is refused.
            statuses = {status for visitor in visitors for status in visitor.statuses}
            assert {200} <= statuses <= {200, 503}
            final = await asyncio.to_thread(program.metrics)
            lost = [visitor for visitor in held if visitor.path == USER]
            assert 0 < len(held) < len(visitors)
            assert len(lost) > 0
            assert final.value("asyncmonitor_task_finished_total", **LOST) == len(lost)
            assert final.value("bellbuoy_worker_deaths_total", how="signal") == 1
            await serves(program, newcomer)
        assert await asyncio.to_thread(program.stop) == 0


async def test_traffic_does_not_notice_the_death_of_the_admin_process(
    tmp_path: Path, database: Database, loop: str
) -> None:
    """It is back within two seconds, with every number it had; no request fails meanwhile."""
    await fill(database)
    with api(tmp_path, database, loop) as program:
        workers = await asyncio.to_thread(program.await_workers, 2)
        (victim,) = program.admin()
        async with visited(program) as visitors:
            before = await asyncio.to_thread(program.metrics)
            os.kill(victim, signal.SIGKILL)
            await until(lambda: program.admin() not in ([], [victim]), SOON + TOLERANCE)
            await until(program.is_ready, TOLERANCE)
            after = await asyncio.to_thread(program.metrics)
            await goes_on(visitors)
            assert after.went_backwards(before) == []
            assert after.value("bellbuoy_worker_deaths_total", how="signal") == 1
            assert [visitor.path for visitor in visitors if visitor.task.done()] == []
            assert {status for visitor in visitors for status in visitor.statuses} == {200}
        assert program.traffic() == workers
        assert await asyncio.to_thread(program.stop) == 0
