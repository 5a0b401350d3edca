"""What is asked of the contestants, and what the right answer is."""

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.api.contestants import (
    BARE,
    FASTAPI,
    GO,
    NAIVE,
    NODE,
    OURS,
    OURS_ASYNCIO,
    Entry,
)
from bench.api.postgres import USERS, Postgres
from bench.echo.contestants import Running

CONNECTIONS = 64
PAGE = 50

COLUMNS = "id, name, email, created_at, updated_at, version"
TIMES = ("created_at", "updated_at")

Ask = Callable[[str, str, bytes], tuple[int, str, bytes]]
Check = Callable[[Ask, Postgres], None]


@dataclass(frozen=True)
class Scenario:
    """One kind of request.

    Args:
        name: What the tables call it.
        what: The script's arguments; ``PREFIX`` becomes a text that no other run has.
        connections: Requests in flight.
        contestants: Who takes part, if there.
        check: Stops the bench when a contestant answers wrongly.
    """

    name: str
    what: tuple[str, str]
    connections: int
    contestants: tuple[str, ...]
    check: Check


def verify(scenario: Scenario, server: Running, entry: Entry, postgres: Postgres) -> None:
    """Return if the contestant answers this scenario's requests rightly.

    Raises:
        AssertionError: It does not.
    """

    def ask(method: str, path: str, body: bytes = b"") -> tuple[int, str, bytes]:
        return _ask(server.port, method, path, body, entry.headers)

    try:
        scenario.check(ask, postgres)
    except AssertionError as error:
        raise AssertionError(f"{server.contestant.name}, {scenario.name}: {error}") from error


def greets(ask: Ask, _: Postgres) -> None:
    """Check the greeting."""
    status, kind, body = ask("GET", "/", b"")
    assert (status, body) == (200, b"Hello, World!"), (status, body)
    assert kind.startswith("text/plain"), kind


def finds(ask: Ask, postgres: Postgres) -> None:
    """Check a few users, each with all fields as they are in the database; and one who is not."""
    for number in (1, USERS // 2, USERS):
        status, kind, body = ask("GET", f"/users/{number}", b"")
        assert (status, kind) == (200, "application/json"), (status, kind, body)
        _same([json.loads(body)], _rows(postgres, f"id = {number}"))
    status, _, body = ask("GET", f"/users/{10**12}", b"")
    assert status == http.client.NOT_FOUND, (status, body)


def lists(ask: Ask, postgres: Postgres) -> None:
    """Check the first page: its users in their order, and that there is another one."""
    status, kind, body = ask("GET", f"/users?limit={PAGE}", b"")
    assert (status, kind) == (200, "application/json"), (status, kind, body)
    page = json.loads(body)
    assert sorted(page) == ["next", "users"], sorted(page)
    assert page["next"], page
    _same(page["users"], _rows(postgres, f"id <= {PAGE}"))


def creates(ask: Ask, postgres: Postgres) -> None:
    """Check that a user is created, and the answer is what the database has."""
    count = postgres.ask("SELECT count(*) FROM users")
    email = f"check{count}@example.com"
    wanted = json.dumps({"name": "Ada Lovelace", "email": email})
    status, kind, body = ask("POST", "/users", wanted.encode())
    assert (status, kind) == (201, "application/json"), (status, kind, body)
    _same([json.loads(body)], _rows(postgres, f"email = '{email}'"))


SCENARIOS = (
    Scenario(
        "greeting", ("get", "/"), CONNECTIONS, (BARE, OURS, OURS_ASYNCIO, FASTAPI, GO, NODE), greets
    ),
    Scenario(
        f"user by id, {CONNECTIONS} connections",
        ("users", str(USERS)),
        CONNECTIONS,
        (OURS, OURS_ASYNCIO, NAIVE, FASTAPI),
        finds,
    ),
    Scenario("user by id, 1 connection", ("users", str(USERS)), 1, (OURS, NAIVE, FASTAPI), finds),
    Scenario(
        f"list of {PAGE}",
        ("get", f"/users?limit={PAGE}"),
        CONNECTIONS,
        (OURS, NAIVE, FASTAPI),
        lists,
    ),
    Scenario("create", ("create", "PREFIX"), CONNECTIONS, (OURS, NAIVE, FASTAPI), creates),
)


def _ask(
    port: int, method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, str, bytes]:
    """Return the status, the content type and the body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = dict(headers) | ({"Content-Type": "application/json"} if body else {})
    try:
        connection.request(method, path, body or None, sent)
        response = connection.getresponse()
        kind = (response.getheader("Content-Type") or "").partition(";")[0]
        return response.status, kind, response.read()
    finally:
        connection.close()


def _rows(postgres: Postgres, condition: str) -> list[dict[str, Any]]:
    query = f"SELECT {COLUMNS} FROM users WHERE {condition} ORDER BY id"  # noqa: S608 - ours
    rows = postgres.ask(f"SELECT row_to_json(shown) FROM ({query}) AS shown")  # noqa: S608
    return [json.loads(line) for line in rows.splitlines()]


def _same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare users; one moment may be written in several ways."""
    shown, wanted = [_moments(user) for user in found], [_moments(user) for user in expected]
    assert shown == wanted, f"{shown} instead of {wanted}"


def _moments(user: dict[str, Any]) -> dict[str, Any]:
    return {**user, **{name: datetime.fromisoformat(user[name]) for name in TIMES}}
