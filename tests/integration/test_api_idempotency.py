"""Requests with a key: done once, whoever asks how often, and whatever dies meanwhile."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from bellbuoy.database import direct
from onebox import roles
from tests.api.serving import READER, Client, Reply, Served, known_tokens
from tests.bellbuoy.database.pools import settings_for
from tests.integration.test_api_users import api, fill
from tests.integration.test_api_writes import ADA, JSON, rows, write
from tests.postgres import Database, database, postgres
from tests.program import Program, ports
from tests.waiting import PATIENCE

__all__ = ["database", "postgres"]

KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
ADAS = "SELECT count(*) FROM users WHERE email = 'ada@example.org'"
BODY = json.dumps(ADA).encode()

FEW = {
    "BUOY_DB_POOL_SIZE": "2",
    "BUOY_CONCURRENCY_LIMIT": "2",
    "BUOY_CONCURRENCY_WAITING": "0",
}
"""One turn for who asks for a key, one for everybody else."""

PAUSE = """
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pause();
"""
WAITING = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND objid = 7 AND NOT granted AND database = (
    SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def process(folder: Path, database: Database, workers: int) -> Iterator[Program]:
    """Run ``python -m api`` until the block ends."""
    environ = {**known_tokens(folder), "BUOY_WORKERS": str(workers)}
    program = Program([sys.executable, "-m", "api"], ports("api") | database.environ() | environ)
    try:
        program.await_workers(workers)
        yield program
    finally:
        program.end()


async def ask(program: Program, body: bytes = BODY) -> Reply:
    """Ask for Ada with the key, on a connection of its own."""
    client = await Client.connect(program.address)
    try:
        return await client.ask("/users", "POST", JSON | KEY, body)
    finally:
        await client.close()


def one_answer(replies: list[Reply]) -> bytes:
    """Return the body of the one row's answer; all have it, or were told to ask again."""
    statuses = Counter(reply.status for reply in replies)
    assert statuses.keys() <= {201, 409}
    assert statuses[201] > 0
    answers = {
        (reply.body, reply.headers["location"], reply.headers["etag"])
        for reply in replies
        if reply.status == 201
    }
    assert len(answers) == 1
    assert {reply.headers["retry-after"] for reply in replies if reply.status == 409} <= {"1"}
    fresh = [
        reply
        for reply in replies
        if reply.status == 201 and "idempotency-replayed" not in reply.headers
    ]
    assert len(fresh) == 1
    return fresh[0].body


async def test_fifty_at_once_make_one_row(tmp_path: Path, database: Database) -> None:
    """Each gets that row's answer; one is counted as created."""
    async with api(tmp_path, database) as served:
        replies = await asyncio.gather(
            *(write(served, "POST", "/users", ADA, KEY) for _ in range(50))
        )
        later = await write(served, "POST", "/users", dict(reversed(ADA.items())), KEY)
        used = await rows(database, ADAS)
    assert (later.status, later.body) == (201, one_answer(replies))
    assert later.headers["idempotency-replayed"] == "true"
    assert used == 1


@pytest.mark.slow
async def test_fifty_at_once_at_two_workers_make_one_row(
    tmp_path: Path, database: Database
) -> None:
    """They share nothing but the table."""
    await fill(settings_for(database, role=roles.OWNER))
    with process(tmp_path, database, 2) as program:
        replies = await asyncio.gather(*(ask(program) for _ in range(50)))
        assert await asyncio.to_thread(program.stop) == 0
    assert one_answer(replies)
    assert await rows(database, ADAS) == 1
    assert await rows(database, "SELECT count(*) FROM idempotency_keys") == 1


async def test_a_key_belongs_to_one_request(tmp_path: Path, database: Database) -> None:
    """422 for another one; the first stays as it is."""
    async with api(tmp_path, database) as served:
        first = await write(served, "POST", "/users", ADA, KEY)
        other = await write(served, "POST", "/users", ADA | {"name": "Eve"}, KEY)
        again = await write(served, "POST", "/users", ADA, KEY)
    assert (first.status, other.status, again.status) == (201, 422, 201)
    assert again.content == first.content


async def test_what_failed_may_be_tried_again(tmp_path: Path, database: Database) -> None:
    """A conflict did nothing, so it is not kept: the same key works once the address is free."""
    async with api(tmp_path, database) as served:
        taken = {"name": "x", "email": "ada.allen.1@example.com"}
        refused = await write(served, "POST", "/users", taken, KEY)
        await served.ask("/users/1", "DELETE", {**JSON, "If-Match": "*"})
        done = await write(served, "POST", "/users", taken, KEY)
    assert (refused.status, done.status) == (409, 201)


async def test_an_answer_is_given_for_a_day(tmp_path: Path, database: Database) -> None:
    """Also when the user was changed meanwhile; a day later the key is new."""
    async with api(tmp_path, database) as served:
        first = await write(served, "POST", "/users", ADA, KEY)
        await write(served, "PATCH", first.headers["location"], {"name": "x"}, {"If-Match": "*"})
        await age(database, "23 hours 59 minutes")
        again = await write(served, "POST", "/users", ADA, KEY)
        await age(database, "24 hours")
        other = ADA | {"email": "other@example.org"}
        new = await write(served, "POST", "/users", other, KEY)
    assert again.body == first.body
    assert new.status == 201
    assert new.content["id"] != first.content["id"]


async def age(database: Database, by: str) -> None:
    """Make what is kept this old."""
    async with direct(settings_for(database, role=roles.OWNER), "test") as connection:
        await connection.execute(
            f"UPDATE idempotency_keys SET created_at = now() - interval '{by}'"  # noqa: S608
        )


async def test_who_waits_for_another_process_waits_a_second(
    tmp_path: Path, database: Database
) -> None:
    """409 that says to retry; no connection and no turn is held, so others are served."""
    async with api(tmp_path, database, **FEW) as served:
        owner = settings_for(database, role=roles.OWNER)
        async with direct(owner, "test") as connection, connection.transaction():
            name = "test\n" + KEY["Idempotency-Key"].strip('"')
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)
            waiting = [asyncio.create_task(ask_for_ada(served)) for _ in range(8)]
            others = [await write(served, "GET", "/users/1", None) for _ in range(4)]
            assert not all(task.done() for task in waiting)
            refused = await asyncio.gather(*waiting)
        done = await write(served, "POST", "/users", ADA, KEY)
    assert {reply.status for reply in others} == {200}
    replies = [reply for reply, _ in refused]
    assert {(reply.status, reply.headers["retry-after"]) for reply in replies} == {(409, "1")}
    waits = [wait for _, wait in refused]
    assert 0.8 < min(waits) <= max(waits) < 3, waits
    assert done.status == 201


async def ask_for_ada(served: Served) -> tuple[Reply, float]:
    """Ask with the key; return what is answered after how many seconds."""
    start = time.monotonic()
    reply = await write(served, "POST", "/users", ADA, KEY)
    return reply, time.monotonic() - start


async def test_a_client_that_leaves_leaves_all_or_nothing(
    tmp_path: Path, database: Database
) -> None:
    """However early it leaves: a row has its answer, and asking again gets it."""
    async with api(tmp_path, database) as served:
        for n in range(40):
            await leave(served, n)
        async with asyncio.timeout(10):
            while served.monitor.get_stats().tasks["users.create"].running:  # noqa: ASYNC110 - nothing to wait on
                await asyncio.sleep(0.01)
        halves = await rows(
            database,
            "SELECT count(*) FROM users FULL JOIN idempotency_keys ON location = '/users/' || id "
            "WHERE (email LIKE 'left%' OR users.id IS NULL) AND (key IS NULL OR users.id IS NULL)",
        )
        replies = [
            await write(served, "POST", "/users", person(n), {"Idempotency-Key": f"left{n}"})
            for n in range(40)
        ]
        made = await rows(database, "SELECT count(*) FROM users WHERE email LIKE 'left%'")
    assert halves == 0
    assert {reply.status for reply in replies} == {201}
    assert made == 40


def person(n: int) -> dict[str, str]:
    """Return a user like no other."""
    return {"name": "x", "email": f"left{n}@example.org"}


async def leave(served: Served, n: int) -> None:
    """Ask for a user and reset the connection a moment later."""
    client = await Client.connect(served.address)
    body = json.dumps(person(n)).encode()
    client.send("/users", "POST", JSON | {"Idempotency-Key": f"left{n}"}, body)
    await client.writer.drain()
    await asyncio.sleep(n * 0.0003)
    client.writer.transport.abort()


@pytest.mark.slow
async def test_after_a_kill_between_commit_and_answer_the_answer_is_there(
    tmp_path: Path, database: Database
) -> None:
    """The row is committed, the worker is killed before it can say so: asking again tells."""
    await fill(settings_for(database, role=roles.OWNER))
    owner = settings_for(database, role=roles.OWNER)
    with process(tmp_path, database, 1) as program:
        (victim,) = program.traffic()
        async with direct(owner, "test") as connection:
            asking = asyncio.ensure_future(ask(program))
            await stop_at_commit(connection, victim)
            os.kill(victim, signal.SIGKILL)
            lost = await asyncio.gather(asking, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):
            while program.traffic() in ([], [victim]):  # noqa: ASYNC110 - nothing to wait on
                await asyncio.sleep(0.05)
            # A busy machine may take longer for a connection than a request waits.
            while (reply := await ask(program)).status in {409, 503}:
                assert reply.headers["retry-after"]
    assert isinstance(lost[0], Exception)
    assert (reply.status, reply.headers["idempotency-replayed"]) == (201, "true")
    assert await rows(database, ADAS) == 1


async def stop_at_commit(connection: asyncpg.Connection, victim: int) -> None:
    """Stop the worker while its COMMIT is being done, and return when that is done.

    A trigger makes the COMMIT wait for a lock.
    """
    await connection.execute(PAUSE)
    await connection.execute("SELECT pg_advisory_lock(7)")
    async with asyncio.timeout(PATIENCE):
        while not await connection.fetchval(WAITING):  # noqa: ASYNC110 - a lock has no event
            await asyncio.sleep(0.005)
        os.kill(victim, signal.SIGSTOP)
        await connection.execute("SELECT pg_advisory_unlock(7)")
        while not await connection.fetchval(ADAS):  # noqa: ASYNC110 - a row has no event
            await asyncio.sleep(0.005)


async def test_another_client_may_use_the_same_key(tmp_path: Path, database: Database) -> None:
    """Keys belong to tokens; one that only reads gets nowhere with it."""
    async with api(tmp_path, database) as served:
        await write(served, "POST", "/users", ADA, KEY)
        headers = {**KEY, "Authorization": f"Bearer {READER}"}
        assert (await write(served, "POST", "/users", ADA, headers)).status == 403
        owners = await rows(database, "SELECT string_agg(owner, ',') FROM idempotency_keys")
    assert owners == "test"
