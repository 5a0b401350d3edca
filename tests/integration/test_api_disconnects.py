"""Clients that leave in the middle: a read nobody waits for is cancelled, a write is whole."""

import asyncio
import json
import os
import random
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.users import OPERATIONS
from bellbuoy.database import direct
from onebox import roles
from tests.api.serving import AUTHORIZED, Client, Served
from tests.bellbuoy.database.pools import settings_for
from tests.integration.test_api_users import USERS, api, until_status
from tests.integration.test_api_writes import JSON, rows
from tests.postgres import Database, Server, database, postgres
from tests.proxy import proxy
from tests.waiting import PATIENCE, soon

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.slow

WRITERS = int(os.environ.get("BELLBUOY_RESETS", "1500")) // 2
"""And as many readers. Case 43 of the project's catalogue of faults has 10,000 clients, and so has
`make test-faults`; a thousand take three seconds."""

AT_ONCE = 125
KEYED = range(1, WRITERS, 2)
AGAIN = KEYED[::20]
POOL = 4


def email(number: int) -> str:
    """Return the address that one writer gives."""
    return f"writer.{number}@example.org"


def body(number: int) -> bytes:
    """Return what one writer sends."""
    return json.dumps({"name": f"Writer {number}", "email": email(number)}).encode()


def key(number: int) -> Mapping[str, str]:
    """Return the headers of one writer; every other one has a key."""
    return {**JSON, "Idempotency-Key": f"writer-{number}"} if number % 2 else JSON


async def reset(client: Client) -> None:
    """End a connection with RST, as a client that dies does."""
    connection: socket.socket = client.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def write_and_leave(served: Served, number: int, chance: random.Random) -> None:
    """Begin to create a user, and be gone after 1 to 50 ms; one in ten does not send all of it."""
    content = body(number)
    lines = [f"{name}: {value}" for name, value in key(number).items()]
    head = ["POST /users HTTP/1.1", "Host: t", *lines, f"Content-Length: {len(content)}", "", ""]
    sent = content[: len(content) // 2] if number % 10 == 0 else content
    await ask_and_leave(served, "\r\n".join(head).encode() + sent, chance)


async def read_and_leave(served: Served, number: int, chance: random.Random) -> None:
    """Begin to read a user or a page, and be gone after 1 to 50 ms."""
    path = f"/users/{1 + number % USERS}" if number % 2 else f"/users?limit={1 + number % 100}"
    lines = (f"{name}: {value}" for name, value in AUTHORIZED.items())
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: t", *lines, "", ""])
    await ask_and_leave(served, head.encode(), chance)


async def ask_and_leave(served: Served, request: bytes, chance: random.Random) -> None:
    """Send it, and reset the connection after 1 to 50 ms."""
    client = await Client.connect(served.address)
    client.writer.write(request)
    await asyncio.sleep(chance.uniform(0.001, 0.05))
    await reset(client)


@pytest.mark.timeout(300)
async def test_a_write_whose_client_resets_is_done_or_not_done(
    tmp_path: Path, database: Database, postgres: Server
) -> None:
    """Hundreds, in every moment of it; who asks again with the key gets one user, whole.

    As many reset reads in between; neither costs a connection or leaves a task behind.
    """
    chance = random.Random(43)  # noqa: S311 - the same moments each time
    async with proxy(("127.0.0.1", database.port)) as link:
        link.delay = 0.005
        there = {"BUOY_DB_HOST": link.address[0], "BUOY_DB_PORT": str(link.address[1])}
        async with api(tmp_path, database, **there, BUOY_DB_POOL_SIZE=str(POOL)) as served:
            await until_status(served, 200)
            for first in range(0, WRITERS, AT_ONCE):
                numbers = range(first, first + AT_ONCE)
                writing = (write_and_leave(served, n, chance) for n in numbers)
                reading = (read_and_leave(served, n, chance) for n in numbers)
                await asyncio.gather(*writing, *reading)
            await until_quiet(served, postgres, database)
            written = await users(database)
            with_key = await rows(database, "SELECT count(*) FROM idempotency_keys")
            assert with_key == sum(email(number) in written for number in KEYED)
            link.delay = 0.0
            again = [
                await served.ask("/users", "POST", key(number), body(number)) for number in AGAIN
            ]
            after = await users(database)
            in_transaction = await backends(postgres, database, "idle in transaction")
            assert await backends(postgres, database) <= POOL
            assert [(await served.ask("/users", headers=AUTHORIZED)).status for _ in range(20)] == [
                200
            ] * 20
            assert served.bugs() == 0
            tasks = served.monitor.get_stats().tasks
            assert {name: tasks[name].running for name in OPERATIONS} == dict.fromkeys(
                OPERATIONS, 0
            )
    assert 0 < len(written) < WRITERS
    assert in_transaction == 0
    whole = {email(number): f"Writer {number}" for number in range(WRITERS)}
    assert written.items() <= whole.items()
    assert not written.keys() & {email(number) for number in range(0, WRITERS, 10)}
    assert {reply.status for reply in again} == {201}
    assert after.items() >= {email(n): whole[email(n)] for n in AGAIN}.items()


async def users(database: Database) -> dict[str, str]:
    """Return the names that were written, by address; each address is there once."""
    async with direct(settings_for(database, role=roles.OWNER), "test") as connection:
        found = await connection.fetch(
            "SELECT name, email FROM users WHERE id > $1 AND version = 1 "
            "AND created_at = updated_at",
            USERS,
        )
        count = await connection.fetchval("SELECT count(*) FROM users WHERE id > $1", USERS)
    assert len(found) == count == len({row["email"] for row in found})
    return {row["email"]: row["name"] for row in found}


async def backends(postgres: Server, database: Database, state: str = "%") -> int:
    """Return how many connections of the api PostgreSQL has in a state."""
    return await counted(postgres, database, f"state LIKE '{state}%'")


async def counted(postgres: Server, database: Database, condition: str) -> int:
    """Return how many connections of the api ``pg_stat_activity`` shows under a condition."""
    found = await asyncio.to_thread(
        postgres.psql,
        "SELECT count(*) FROM pg_stat_activity "  # noqa: S608 - of a test
        f"WHERE datname = '{database.name}' AND usename = '{roles.APP}' AND {condition}",
    )
    return int(found)


async def until_quiet(served: Served, postgres: Server, database: Database) -> None:
    """Return once no request is in flight, and PostgreSQL works on nothing."""
    async with asyncio.timeout(PATIENCE):
        while served.server._traffic.in_flight or await counted(  # noqa: ASYNC110 - another's
            postgres, database, "state <> 'idle'"
        ):
            await asyncio.sleep(0.02)


@asynccontextmanager
async def locked(database: Database) -> AsyncIterator[None]:
    """Hold the table of users, so that whoever reads it waits until the block ends."""
    async with (
        direct(settings_for(database, role=roles.OWNER), "test") as connection,
        connection.transaction(),
    ):
        await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        yield


WAITING = "wait_event_type = 'Lock' AND state = 'active'"


async def until_waiting(postgres: Server, database: Database, count: int) -> None:
    """Return once so many queries of the api wait for the lock."""
    async with asyncio.timeout(3):  # before the driver's 5 s end them
        while await counted(postgres, database, WAITING) != count:  # noqa: ASYNC110 - another's
            await asyncio.sleep(0.01)


async def test_the_query_of_a_client_that_left_is_cancelled(
    tmp_path: Path, database: Database, postgres: Server
) -> None:
    """PostgreSQL stops working on it, long before any timeout."""
    postgres.tolerate(database)
    async with api(tmp_path, database) as served:
        await until_status(served, 200)
        client = await Client.connect(served.address)
        async with locked(database):
            client.send("/users?limit=7", headers=AUTHORIZED)
            await until_waiting(postgres, database, 1)
            await reset(client)
            await until_waiting(postgres, database, 0)
        assert (await served.ask("/users", headers=AUTHORIZED)).status == 200
        assert served.bugs() == 0


async def test_a_query_goes_on_for_whoever_still_waits_for_it(
    tmp_path: Path, database: Database, postgres: Server
) -> None:
    """Two clients share it: the one that leaves takes nothing from the other, the last ends it."""
    postgres.tolerate(database)
    async with api(tmp_path, database) as served:
        await until_status(served, 200)
        async with served.client() as stays:
            leaves = await Client.connect(served.address)
            async with locked(database):
                for client in (leaves, stays):
                    client.send("/users/1", headers=AUTHORIZED)
                await until_waiting(postgres, database, 1)
                await reset(leaves)
                await soon(lambda: len(served.server.connections) == 1)
                assert await counted(postgres, database, WAITING) == 1
            assert (await stays.receive()).status == 200
        both = [await Client.connect(served.address) for _ in range(2)]
        async with locked(database):
            for client in both:
                client.send("/users/1", headers=AUTHORIZED)
            await until_waiting(postgres, database, 1)
            for client in both:
                await reset(client)
            await until_waiting(postgres, database, 0)
        assert await until_status(served, 200) < 5
        assert served.bugs() == 0
