"""Writing users, from the request to the row: exact, and never by halves."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api.userroutes import CREATED
from bellbuoy.database import direct
from onebox import roles
from tests.api.serving import AUTHORIZED, READER, Reply, Served
from tests.bellbuoy.database.pools import settings_for, timed
from tests.integration.asking import until
from tests.integration.test_api_users import api
from tests.postgres import Database, database, postgres
from tests.waiting import soon

__all__ = ["database", "postgres"]

JSON = {**AUTHORIZED, "Content-Type": "application/json"}
PATCH = {**AUTHORIZED, "Content-Type": "application/merge-patch+json"}
ADA = {"name": "Ada", "email": "ada@example.org"}


async def write(
    served: Served,
    method: str,
    path: str,
    content: object,
    headers: Mapping[str, str] = {},
) -> Reply:
    """Send JSON."""
    base = PATCH if method == "PATCH" else JSON
    return await served.ask(path, method, {**base, **headers}, json.dumps(content).encode())


async def rows(database: Database, sql: str = "SELECT count(*) FROM users") -> Any:
    """Return a number that the database says."""
    async with direct(settings_for(database, role=roles.OWNER), "test") as connection:
        return await connection.fetchval(sql)


async def test_a_user_is_created_and_found_where_it_was_said(
    tmp_path: Path, database: Database
) -> None:
    """201 with the place, the tag and the user; it is counted, and its statement timed."""
    async with api(tmp_path, database) as served:
        reply = await write(served, "POST", "/users", ADA)
        found = await served.ask(reply.headers["location"], headers=AUTHORIZED)
        assert served.instruments.counter(CREATED).value == 1
        assert timed(served.instruments, "users.create")[0] == 1
        by_email = await served.ask("/users?email=ADA%40example.ORG", headers=AUTHORIZED)
    assert (reply.status, reply.body[-1:]) == (201, b"\n")
    assert reply.headers["etag"] == found.headers["etag"] == '"1"'
    assert {**reply.content, **ADA} == reply.content == found.content
    assert reply.content["created_at"] == reply.content["updated_at"]
    assert by_email.content == {"users": [reply.content], "next": None}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_version_that_is_not_meant_is_left_alone(
    tmp_path: Path, database: Database, method: str
) -> None:
    """RFC 9110, 13.1.2: 412 when If-None-Match matches, compared weakly; otherwise it is done."""
    async with api(tmp_path, database) as served:
        conditions = ('"1"', 'W/"1"', '"5", "1"', "*", '"2"')
        replies = [
            await write(
                served, method, "/users/2", ADA, {"If-Match": "*", "If-None-Match": condition}
            )
            for condition in conditions
        ]
        nobody = await write(
            served, method, "/users/999999", ADA, {"If-Match": "*", "If-None-Match": "*"}
        )
    assert [reply.status for reply in replies[:4]] == [412] * 4
    assert replies[4].status == (204 if method == "DELETE" else 200)
    assert nobody.status == 404


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "conditional"}])
@pytest.mark.parametrize(
    "field, value, status",
    [
        ("If-None-Match", "*", 412),
        ("If-None-Match", '"1"', 201),
        ("If-None-Match", "1", 400),
        ("If-Match", "*", 201),
        ("If-Match", '"1"', 412),
        ("If-Match", "", 400),
    ],
)
async def test_what_is_added_is_added_under_its_condition(
    tmp_path: Path,
    database: Database,
    key: Mapping[str, str],
    field: str,
    value: str,
    status: int,
) -> None:
    """RFC 9110, 13.1: the list is there and has no tag; what it rules out is not done."""
    async with api(tmp_path, database) as served:
        reply = await write(served, "POST", "/users", ADA, {**key, field: value})
        made = await rows(database, "SELECT count(*) FROM users WHERE name = 'Ada'")
    assert (reply.status, made) == (status, int(status == 201))


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "left"}])
async def test_a_user_is_counted_though_its_client_has_left(
    tmp_path: Path, database: Database, key: Mapping[str, str]
) -> None:
    """When it is there, once; the answer that is told again counts nothing."""
    async with api(tmp_path, database) as served:
        created, aborted = served.instruments.counter(CREATED), served.metrics.aborted
        owner = settings_for(database, role=roles.OWNER)
        async with direct(owner, "test") as connection, connection.transaction():
            await connection.execute("LOCK TABLE users IN SHARE MODE")
            async with served.client() as client:
                client.send("/users", "POST", {**JSON, **key}, json.dumps(ADA).encode())
                await until(lambda: is_waited_for(connection))
            await soon(lambda: aborted.value == 1)
            assert created.value == 0
        await soon(lambda: created.value == 1)
        again = await write(served, "POST", "/users", ADA, key)
        assert created.value == 1
        assert await rows(database, "SELECT count(*) FROM users WHERE name = 'Ada'") == 1
    assert again.status == (201 if key else 409)


async def is_waited_for(connection: asyncpg.Connection) -> bool:
    """Return whether somebody waits for a lock of this connection."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND "
        "pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
    )
    return bool(found)


@pytest.mark.parametrize("email", ["ada.allen.1@example.com", "ADA.Allen.1@Example.com"])
async def test_an_email_that_somebody_has_is_a_conflict(
    tmp_path: Path, database: Database, email: str
) -> None:
    """However it is written, whoever tries: create, replace, patch. Nothing of it is written."""
    async with api(tmp_path, database) as served:
        before = await rows(database)
        content = {"name": "x", "email": email}
        replies = [
            await write(served, "POST", "/users", content),
            await write(served, "PUT", "/users/2", content, {"If-Match": "*"}),
            await write(served, "PATCH", "/users/2", {"email": email}, {"If-Match": "*"}),
        ]
        assert await rows(database) == before
        assert await rows(database, "SELECT version FROM users WHERE id = 2") == 1
    assert [reply.status for reply in replies] == [409] * 3
    assert replies[0].content["detail"] == "Another user has this e-mail address."


async def test_of_two_who_change_the_same_version_one_is_told(
    tmp_path: Path, database: Database
) -> None:
    """412, and what the first wrote stays."""
    async with api(tmp_path, database) as served:
        had = {"If-Match": (await served.ask("/users/1", headers=AUTHORIZED)).headers["etag"]}
        replies = await asyncio.gather(
            *(write(served, "PATCH", "/users/1", {"name": f"n{n}"}, had) for n in range(8))
        )
        now = await served.ask("/users/1", headers=AUTHORIZED)
    assert sorted(reply.status for reply in replies) == [200] + [412] * 7
    (won,) = (reply for reply in replies if reply.status == 200)
    assert now.content == won.content
    assert now.content["version"] == 2
    assert now.headers["etag"] == won.headers["etag"] == '"2"'
    assert now.content["updated_at"] > now.content["created_at"]


CONDITIONS: dict[str | None, int] = {
    None: 428,
    "*": 200,
    '"1"': 200,
    '"7", "1"': 200,
    '"7","8" , "1",': 200,
    'W/"1"': 412,
    '"7"': 412,
    '"99999999999999999999"': 412,
    '"01"': 412,
    "1": 400,
    '"1': 400,
    '*, "1"': 400,
    "": 400,
}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_change_says_which_version_it_means(
    tmp_path: Path, database: Database, method: str
) -> None:
    """Strongly compared; a list is any of them; without a word nothing is changed."""
    statuses: dict[str | None, tuple[int, int]] = {}
    async with api(tmp_path, database) as served:
        for user, condition in enumerate(CONDITIONS, 1):
            headers = {} if condition is None else {"If-Match": condition}
            content = (
                ADA | {"email": f"ada{user}@example.org"} if method == "PUT" else {"name": "x"}
            )
            reply = await write(served, method, f"/users/{user}", content, headers)
            missing = await write(served, method, "/users/9999", content, headers)
            statuses[condition] = (200 if reply.status == 204 else reply.status, missing.status)
        assert served.bugs() == 0
    assert {condition: status for condition, (status, _) in statuses.items()} == CONDITIONS
    assert {condition: status for condition, (_, status) in statuses.items()} == {
        condition: 404 if status in (200, 412) else status
        for condition, status in CONDITIONS.items()
    }


async def test_a_patch_changes_what_it_names(tmp_path: Path, database: Database) -> None:
    """A replacement everything; the version grows by one each time."""
    async with api(tmp_path, database) as served:
        first = (await served.ask("/users/1", headers=AUTHORIZED)).content
        patched = await write(served, "PATCH", "/users/1", {"name": "Ä"}, {"If-Match": '"1"'})
        replaced = await write(served, "PUT", "/users/1", ADA, {"If-Match": '"2"'})
        removed = await served.ask("/users/1", "DELETE", {**AUTHORIZED, "If-Match": '"3"'})
        gone = await served.ask("/users/1", headers=AUTHORIZED)
    kept = ("id", "email", "created_at")
    assert [patched.content[name] for name in kept] == [first[name] for name in kept]
    assert (patched.content["name"], patched.content["version"]) == ("Ä", 2)
    assert {**replaced.content, **ADA, "version": 3} == replaced.content
    assert (removed.status, removed.body, gone.status) == (204, b"", 404)


async def test_what_the_client_has_is_not_sent_again(tmp_path: Path, database: Database) -> None:
    """304 for one and for a page, also to HEAD, until something changes."""
    async with api(tmp_path, database) as served:
        for path in ("/users/1", "/users?limit=3", "/users?email=ada.allen.1@example.com"):
            tag = (await served.ask(path, headers=AUTHORIZED)).headers["etag"]
            for known in (tag, f'"x", W/{tag}', "*"):
                headers = {**AUTHORIZED, "If-None-Match": known}
                for method in ("GET", "HEAD"):
                    reply = await served.ask(path, method, headers)
                    assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
            await write(served, "PATCH", "/users/1", {"name": "new"}, {"If-Match": "*"})
            changed = await served.ask(path, headers={**AUTHORIZED, "If-None-Match": tag})
            assert changed.status == 200
        bad = await served.ask("/users/1", headers={**AUTHORIZED, "If-None-Match": "x"})
    assert bad.status == 200


async def test_a_token_that_reads_does_not_write(tmp_path: Path, database: Database) -> None:
    """403 that names the scope, before anything else is looked at."""
    reader = {"Authorization": f"Bearer {READER}"}
    async with api(tmp_path, database) as served:
        replies = [
            await served.ask(path, method, reader, b"{")
            for method, path in (
                ("POST", "/users"),
                ("PUT", "/users/1"),
                ("PATCH", "/users/1"),
                ("DELETE", "/users/1"),
            )
        ]
        assert (await served.ask("/users/1", headers=reader)).status == 200
    assert {reply.status for reply in replies} == {403}
    assert 'scope="users:write"' in replies[0].headers["www-authenticate"]


async def test_who_wrote_reads_what_was_written(tmp_path: Path, database: Database) -> None:
    """However many look the same user up at the same time and share their queries."""
    async with api(tmp_path, database) as served, served.client() as writer:
        looking = [asyncio.create_task(look(served)) for _ in range(8)]
        for n in range(30):
            body = json.dumps({"name": f"n{n}"}).encode()
            await writer.ask("/users/1", "PATCH", {**PATCH, "If-Match": "*"}, body)
            assert (await writer.ask("/users/1", headers=AUTHORIZED)).content["name"] == f"n{n}"
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


async def look(served: Served) -> None:
    """Look the first user up again and again."""
    async with served.client() as client:
        while True:
            await client.ask("/users/1", headers=AUTHORIZED)
