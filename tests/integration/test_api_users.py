"""The users API from the request to the row, PostgreSQL's absences included."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.schema import migrations
from api.seed import seed
from bellbuoy.database import direct, migrate
from bellbuoy.database.settings import DatabaseSettings
from onebox import roles
from tests.api.serving import AUTHORIZED, TOKEN, Served, api_settings, known_tokens, served_api
from tests.bellbuoy.database.pools import settings_for, timed
from tests.clients import visit
from tests.postgres import Database, Server, database, own_postgres, postgres
from tests.program import Program, loop
from tests.proxy import proxy
from tests.waiting import eventually

__all__ = ["database", "loop", "own_postgres", "postgres"]

PATIENCE = 60.0
USERS = 250


async def fill(owner: DatabaseSettings) -> None:
    """Migrate, and put demo users there."""
    await migrate(owner, migrations())
    await seed(owner, USERS)


@asynccontextmanager
async def api(folder: Path, database: Database, **environ: str) -> AsyncIterator[Served]:
    """Serve the api on a database with users."""
    await fill(settings_for(database, role=roles.OWNER))
    settings = api_settings(folder, {**database.environ(), **environ})
    async with served_api(settings) as served:
        await asyncio.wait_for(served.server.ready(), PATIENCE)
        yield served


async def until_status(served: Served, status: int) -> float:
    """Return after how many seconds the first user is answered with ``status``."""
    start = time.monotonic()
    while (await served.ask("/users/1", headers=AUTHORIZED)).status != status:
        assert time.monotonic() - start < PATIENCE
        await asyncio.sleep(0.01)
    return time.monotonic() - start


async def test_a_user_is_shown_as_it_stands_in_the_table(
    tmp_path: Path, database: Database
) -> None:
    """JSON that ends with a newline, times in UTC, not to be stored."""
    async with api(tmp_path, database) as served:
        reply = await served.ask("/users/1", headers=AUTHORIZED)
        head = await served.ask("/users/1", "HEAD", headers=AUTHORIZED)
        async with direct(settings_for(database, role=roles.OWNER), "test") as connection:
            row = await connection.fetchrow("SELECT * FROM users WHERE id = 1")
        assert served.answered("GET", "/users/{id}", 200) == 1
        assert served.monitor.get_stats().tasks["users.get"].completed == 2
        assert timed(served.instruments, "users.get")[0] == 2
    assert row is not None
    user = reply.content
    assert (reply.status, reply.body[-1:]) == (200, b"\n")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "private, no-cache"
    assert list(user) == ["id", "name", "email", "created_at", "updated_at", "version"]
    assert (user["id"], user["name"], user["email"]) == (1, row["name"], row["email"])
    assert user["created_at"].endswith("Z")
    created = datetime.fromisoformat(user["created_at"])
    assert created == row["created_at"]
    assert datetime.now(UTC) - created < timedelta(hours=1)
    assert head.headers["content-length"] == reply.headers["content-length"]


@pytest.mark.parametrize(
    "path, status",
    [
        ("/users/251", 404),
        ("/users/0", 404),
        ("/users/9223372036854775807", 404),
        ("/users/9223372036854775808", 404),
        ("/users/" + "9" * 1000, 404),
        ("/users/x", 400),
        ("/users/-1", 400),
        ("/users/%00", 400),
        ("/users/%ED%A0%80", 400),
        ("/users/1%2F2", 400),
        ("/users?limit=0", 400),
        ("/users?limit=101", 400),
        ("/users?limit=1&limit=2", 400),
        ("/users?after=%00", 400),
        ("/users?after=%FF", 400),
        ("/users?after=zzz", 400),
    ],
)
async def test_no_request_is_a_bug(
    tmp_path: Path, database: Database, path: str, status: int
) -> None:
    """What PostgreSQL could not parse does not get there."""
    async with api(tmp_path, database) as served:
        reply = await served.ask(path, headers=AUTHORIZED)
        assert served.bugs() == 0
    assert (reply.status, reply.content["status"]) == (status, status)


async def test_pages_lead_through_all_users_once(tmp_path: Path, database: Database) -> None:
    """By rising id, whatever is inserted meanwhile; the last page says that it is the last."""
    seen: list[int] = []
    async with api(tmp_path, database) as served:
        after = ""
        while True:
            reply = await served.ask(f"/users?limit=100{after}", headers=AUTHORIZED)
            seen += [user["id"] for user in reply.content["users"]]
            if reply.content["next"] is None:
                break
            after = f"&after={reply.content['next']}"
        default = await served.ask("/users", headers=AUTHORIZED)
        assert timed(served.instruments, "users.list")[0] == 4
    assert seen == list(range(1, USERS + 1))
    assert [user["id"] for user in default.content["users"]] == list(range(1, 21))


async def test_a_page_that_ends_with_the_last_user_has_no_next(
    tmp_path: Path, database: Database
) -> None:
    """Nobody is led to an empty page."""
    async with api(tmp_path, database) as served:
        first = await served.ask("/users?limit=100", headers=AUTHORIZED)
        second = await served.ask(
            f"/users?limit=100&after={first.content['next']}", headers=AUTHORIZED
        )
        third = await served.ask(
            f"/users?limit=50&after={second.content['next']}", headers=AUTHORIZED
        )
    assert (len(third.content["users"]), third.content["next"]) == (50, None)


async def test_an_email_has_one_account_whatever_its_case(database: Database) -> None:
    """The database says so."""
    owner = settings_for(database, role=roles.OWNER)
    await fill(owner)
    async with direct(owner, "test") as connection:
        status = await connection.execute(
            "INSERT INTO users (name, email) SELECT name, upper(email) FROM users "
            "ON CONFLICT DO NOTHING"
        )
    assert status == "INSERT 0 0"


async def test_users_need_the_token(tmp_path: Path, database: Database) -> None:
    """The greeting does not."""
    async with api(tmp_path, database) as served:
        statuses = [
            (await served.ask(path, headers=headers)).status
            for path in ("/users", "/users/1", "/")
            for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, AUTHORIZED)
        ]
    assert statuses == [401, 401, 200, 401, 401, 200, 200, 200, 200]


async def test_it_is_not_ready_before_the_schema_is_there(
    tmp_path: Path, database: Database
) -> None:
    """It serves all the same; then it becomes ready by itself."""
    async with served_api(api_settings(tmp_path, database.environ())) as served:
        ready = asyncio.ensure_future(served.server.ready())
        early = await served.ask("/users/1", headers=AUTHORIZED)
        assert served.bugs() == 0
        assert not ready.done()
        await fill(settings_for(database, role=roles.OWNER))
        await asyncio.wait_for(ready, PATIENCE)
        assert (await served.ask("/users/1", headers=AUTHORIZED)).status == 200
    assert (early.status, early.headers["retry-after"]) == (503, "1")


@pytest.mark.slow
async def test_while_postgresql_is_away_greetings_go_on(
    tmp_path: Path, own_postgres: Server
) -> None:
    """Users are refused within 2 s, and both recover by themselves."""
    async with api(tmp_path, own_postgres.database()) as served:
        await until_status(served, 200)
        await asyncio.to_thread(own_postgres.stop)
        start = time.monotonic()
        refused = await served.ask("/users/1", headers=AUTHORIZED)
        waited = time.monotonic() - start
        greeting = await served.ask("/")
        await asyncio.wait_for(served.server.ready(), 1)
        await asyncio.to_thread(own_postgres.start)
        healed = await until_status(served, 200)
        after = [(await served.ask("/users/2", headers=AUTHORIZED)).status for _ in range(20)]
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert greeting.status == 200
    # Two seconds is the promise; a machine that stalls is none of ours.
    assert waited < 5
    assert healed < 10
    assert after == [200] * 20


@pytest.mark.slow
async def test_a_silent_postgresql_is_answered_for(tmp_path: Path, database: Database) -> None:
    """503 at the command timeout, well before the request's; then at once."""
    async with proxy(("127.0.0.1", database.port)) as link:
        there = {"BUOY_DB_HOST": link.address[0], "BUOY_DB_PORT": str(link.address[1])}
        async with api(tmp_path, database, **there) as served:
            await until_status(served, 200)
            link.silence()
            start = time.monotonic()
            first = await served.ask("/users/1", headers=AUTHORIZED)
            known = time.monotonic()
            second = await served.ask("/users/1", headers=AUTHORIZED)
            told = time.monotonic()
            link.resume()
            healed = await until_status(served, 200)
    assert (first.status, second.status) == (503, 503)
    assert known - start < 12
    assert told - known < 3  # no command's time once more
    assert healed < 10


@contextmanager
def process(environ: dict[str, str]) -> Iterator[Program]:
    """Run ``python -m api`` until the block ends; nothing of it is left behind."""
    ports = {"BUOY_API_PORT": "0", "BUOY_API_ADMIN_PORT": "0", "BUOY_WORKERS": "1"}
    program = Program([sys.executable, "-m", "api"], ports | environ)
    try:
        yield program
    finally:
        left = program.end()
    assert left == []
    assert program.complaints() == []


@pytest.mark.slow
async def test_a_process_that_starts_without_postgresql_waits_for_it(
    tmp_path: Path, own_postgres: Server, loop: str
) -> None:
    """It greets, is not ready, becomes ready when there is a schema, and drains."""
    ways_in = own_postgres.database()
    own_postgres.stop()
    secret = known_tokens(tmp_path) | {"BUOY_LOOP": loop}
    with process(ways_in.environ() | secret) as program:
        going = True
        visitor = asyncio.create_task(visit(program.address, "/", lambda: going))
        await asyncio.to_thread(program.event, "database unavailable", PATIENCE)
        assert not program.is_ready()
        assert program.get("/livez").status == 200
        own_postgres.start()
        await fill(settings_for(ways_in, role=roles.OWNER))
        await asyncio.to_thread(eventually, program.is_ready)
        await asyncio.to_thread(
            eventually,
            lambda: program.metrics().value("db_schema_version") == migrations().latest,
        )
        status = await asyncio.to_thread(program.stop)
        going = False
        seen = await visitor
    assert (status, seen.statuses, seen.unanswered) == (0, {200}, False)
    assert seen.told_to_close


async def test_the_pool_is_as_large_as_it_was_told(tmp_path: Path, database: Database) -> None:
    """However many ask at once; everybody is answered."""
    await fill(settings_for(database, role=roles.OWNER))
    settings = replace(api_settings(tmp_path, database.environ()), db_pool_size=2)
    async with served_api(settings) as served:
        replies = await asyncio.gather(
            *(served.ask(f"/users/{n}", headers=AUTHORIZED) for n in range(1, 101))
        )
        async with direct(settings_for(database, role=roles.OWNER), "test") as connection:
            backends = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE application_name = 'bellbuoy-api' AND datname = current_database()"
            )
    assert {reply.status for reply in replies} == {200}
    assert 0 < backends <= 2
