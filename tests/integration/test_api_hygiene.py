"""Errors: what a client learns of them, and what it does not."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from api import users
from bellbuoy.database import direct
from onebox import roles
from tests.api.serving import AUTHORIZED, Reply
from tests.bellbuoy.database.pools import settings_for
from tests.integration.test_api_users import api
from tests.integration.test_api_writes import ADA, JSON, write
from tests.postgres import Database, database, postgres
from tests.proxy import proxy

__all__ = ["database", "postgres"]

LEAKS = re.compile(
    r"Traceback|File \"|\.py|asyncpg|aiohttp|uvloop|msgspec|SELECT|INSERT|constraint|users_|"
    r"sqlstate|0x[0-9a-f]{6}|Python|DETAIL:|/services/|<html|\b23505\b",
    re.IGNORECASE,
)
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def assert_clean(reply: Reply) -> None:
    """Fail unless a reply is a problem that tells nothing of the inside."""
    text = reply.body.decode() + "".join(
        f"{name}: {value}" for name, value in reply.headers.items()
    )
    assert LEAKS.findall(text) == []
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["server"] == "bellbuoy"
    assert reply.content["status"] == reply.status
    assert reply.content["request_id"] == reply.headers["x-request-id"]
    assert reply.body.endswith(b"\n")


REQUESTS: tuple[tuple[str, str, Mapping[str, str], bytes | None, int], ...] = (
    ("GET", "/users/1", {}, None, 401),
    ("GET", "/users/999", AUTHORIZED, None, 404),
    ("GET", "/a/b", {}, None, 404),
    ("DELETE", "/health", {}, None, 405),
    ("POST", "/users", JSON, b"x" * 70_000, 413),
    ("POST", "/users", JSON, b"{", 400),
    ("POST", "/users", JSON, b"{}", 422),
    ("POST", "/users", AUTHORIZED, b"{}", 415),
    ("GET", "/%FF", {}, None, 400),
    ("GET", "/" + "a" * 200, {}, None, 414),
    ("GET", "/users?limit=x", AUTHORIZED, None, 400),
    ("PUT", "/users/1", JSON, b"{}", 428),
)


TARGETS = (
    "GET //evil.example/",
    "GET //evil.example/%2e%2e",
    "GET /users/",
    "GET /docs/",
    "GET http://evil.example/users/1",
    "POST /users",
)
"""Some frameworks answer the like with a redirect, and take the host from the request."""


async def test_no_refusal_tells_of_the_inside(tmp_path: Path, database: Database) -> None:
    """Not to a browser either: it is a problem whatever is asked for."""
    async with api(tmp_path, database) as served:
        for method, path, headers, body, status in REQUESTS:
            reply = await served.ask(path, method, {**headers, **BROWSER}, body)
            assert (reply.status, method, path) == (status, method, path)
            assert_clean(reply)
        assert_clean(
            await write(served, "POST", "/users", ADA | {"email": "ada.allen.1@example.com"})
        )


async def test_no_answer_leads_to_a_host_that_the_client_named(
    tmp_path: Path, database: Database
) -> None:
    """Whatever it calls us or pretends that a proxy does: a place is a path, and of a new user."""
    body = json.dumps(ADA).encode()
    common = {**JSON, "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    common |= {"Forwarded": "host=evil.example", "Content-Length": str(len(body))}
    fields = "".join(f"{name}: {value}\r\n" for name, value in common.items())
    places = {}
    async with api(tmp_path, database) as served:
        for request in TARGETS:
            reply = await served.tell(f"{request} HTTP/1.1\r\n{fields}\r\n".encode() + body)
            assert "evil" not in "".join(reply.headers.values())
            places[request] = (reply.status, reply.headers.get("location"))
    assert places.pop("POST /users") == (201, "/users/251")
    assert places == {
        "GET //evil.example/": (404, None),
        "GET //evil.example/%2e%2e": (404, None),
        "GET /users/": (404, None),
        "GET /docs/": (404, None),
        "GET http://evil.example/users/1": (200, None),
    }


async def test_a_bug_is_a_500_that_only_the_log_explains(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that is wrong, and a table that has a rule we do not know."""
    monkeypatch.setattr(users, "_GET", "SELECT nonsense FROM users WHERE id = ANY($1::bigint[])")
    async with api(tmp_path, database) as served:
        wrong = await served.ask("/users/1", headers={**AUTHORIZED, **BROWSER})
        async with direct(settings_for(database, role=roles.OWNER), "test") as connection:
            await connection.execute("ALTER TABLE users ADD CONSTRAINT x CHECK (name <> 'Ada')")
        broken = await write(served, "POST", "/users", ADA)
        assert served.bugs() == 2
    for reply in (wrong, broken):
        assert reply.status == 500
        assert_clean(reply)


async def test_a_deadline_is_a_503_that_says_when_to_come_back(
    tmp_path: Path, database: Database
) -> None:
    """A table that somebody has locked: PostgreSQL gives up after a second, and says so."""
    async with api(tmp_path, database) as served:
        owner = settings_for(database, role=roles.OWNER)
        async with direct(owner, "test") as connection, connection.transaction():
            await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            reply = await served.ask("/users/1", headers=AUTHORIZED)
        after = await served.ask("/users/1", headers=AUTHORIZED)
    assert (reply.status, reply.headers["retry-after"], after.status) == (503, "1", 200)
    assert_clean(reply)


@pytest.mark.slow
async def test_a_write_whose_outcome_nobody_knows_says_so(
    tmp_path: Path, database: Database
) -> None:
    """503 without a time to come back: it was sent, and PostgreSQL fell silent. It is no bug."""
    async with proxy(("127.0.0.1", database.port)) as link:
        there = {"BUOY_DB_HOST": link.address[0], "BUOY_DB_PORT": str(link.address[1])}
        async with api(tmp_path, database, **there) as served:
            assert (await served.ask("/users/1", headers=AUTHORIZED)).status == 200
            link.silence()
            reply = await write(served, "POST", "/users", ADA)
            link.resume()
            assert served.bugs() == 0
    assert (reply.status, reply.headers.get("retry-after")) == (503, None)
    assert "not known" in reply.content["detail"]
    assert_clean(reply)
