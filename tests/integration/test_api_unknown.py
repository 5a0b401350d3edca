"""Writes whose outcome is not known when they are answered: the key finds out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.userroutes import CREATED
from bellbuoy import timeouts
from bellbuoy.database import direct
from onebox import roles
from tests.api.serving import Reply, Served
from tests.bellbuoy.database.pools import settings_for
from tests.integration.test_api_idempotency import ADAS, KEY, PAUSE, WAITING
from tests.integration.test_api_users import api, until_status
from tests.integration.test_api_writes import ADA, rows, write
from tests.postgres import Database, database, postgres
from tests.proxy import Proxy, proxy
from tests.waiting import PATIENCE

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.slow


@asynccontextmanager
async def behind_a_link(folder: Path, database: Database) -> AsyncIterator[tuple[Served, Proxy]]:
    """Serve the api; its way to PostgreSQL can be cut."""
    async with proxy(("127.0.0.1", database.port)) as link:
        there = {"BUOY_DB_HOST": link.address[0], "BUOY_DB_PORT": str(link.address[1])}
        async with api(folder, database, **there) as served:
            await until_status(served, 200)
            yield served, link


@asynccontextmanager
async def committing(served: Served, database: Database) -> AsyncIterator["asyncio.Task[Reply]"]:
    """Ask for Ada with the key; her COMMIT waits until the block is over, and then she is there.

    A trigger makes it wait for a lock.
    """
    owner = settings_for(database, role=roles.OWNER)
    async with direct(owner, "test") as connection, asyncio.timeout(PATIENCE):
        await connection.execute(PAUSE)
        await connection.execute("SELECT pg_advisory_lock(7)")
        asking = asyncio.create_task(write(served, "POST", "/users", ADA, KEY))
        while not await connection.fetchval(WAITING):  # noqa: ASYNC110 - a lock has no event
            await asyncio.sleep(0.005)
        yield asking
        await connection.execute("SELECT pg_advisory_unlock(7)")
        while not await connection.fetchval(ADAS):  # noqa: ASYNC110 - a row has no event
            await asyncio.sleep(0.005)


async def ask_and_lose_the_answer(
    served: Served, database: Database, link: Proxy
) -> "asyncio.Task[Reply]":
    """Ask for Ada; return when she is there and the link has fallen silent before."""
    async with committing(served, database) as asking:
        link.silence()
    return asking


async def test_a_write_that_outlasts_its_request_does_not_pass_for_undone(
    tmp_path: Path, database: Database
) -> None:
    """The deadline ends the waiting and not the write: 503 without a time to come back."""
    async with api(tmp_path, database) as served:
        await until_status(served, 200)
        async with committing(served, database) as asking:
            served.server._traffic._deadline = 0.0
            late = await asking
            served.server._traffic._deadline = timeouts.REQUEST
        again = await write(served, "POST", "/users", ADA, KEY)
    assert (late.status, late.headers.get("retry-after")) == (503, None)
    assert "not known" in late.content["detail"]
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")


@pytest.mark.parametrize("is_back_at_once", [True, False])
async def test_a_user_whose_commit_was_not_answered_is_counted_once(
    tmp_path: Path, database: Database, *, is_back_at_once: bool
) -> None:
    """When it is found out: in the same request if PostgreSQL can be asked again, else later."""
    async with behind_a_link(tmp_path, database) as (served, link):
        created = served.instruments.counter(CREATED)
        asking = await ask_and_lose_the_answer(served, database, link)
        link.cut()
        if is_back_at_once:
            link.resume()
        first = await asking
        assert created.value == (first.status == 201)
        assert is_back_at_once or first.status == 503
        link.resume()
        await until_status(served, 200)
        again = [await write(served, "POST", "/users", ADA, KEY) for _ in range(3)]
        assert created.value == 1
        assert served.bugs() == 0
    assert {reply.status for reply in again} == {201}
    assert {reply.headers["idempotency-replayed"] for reply in again} == {"true"}
    assert await rows(database, ADAS) == 1
