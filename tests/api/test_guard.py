"""The guard, before the users and the greeting; PostgreSQL is not there."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.settings import ApiSettings
from bellbuoy.limiter import ConcurrencyLimiter
from tests.api.serving import AUTHORIZED, READER, TOKEN, Served, api_settings, served_api
from tests.waiting import soon

NOBODY = "/users/0"
"""A user whom no id can be, so that PostgreSQL is not asked."""


async def test_each_token_has_its_own_allowance(tmp_path: Path) -> None:
    """One too many is 429 with the fields; answers before say what is left, errors too."""
    settings = replace(api_settings(tmp_path), api_token_rate=1.0)
    async with served_api(settings) as served:
        replies = [await served.ask(NOBODY, headers=AUTHORIZED) for _ in range(3)]
        other = await served.ask(NOBODY, headers={"Authorization": f"Bearer {READER}"})
        greeting = await served.ask("/")
    assert [reply.status for reply in replies] == [404, 404, 429]
    assert [reply.headers["ratelimit"][:11] for reply in replies] == [
        '"token";r=1',
        '"token";r=0',
        '"token";r=0',
    ]
    assert int(replies[2].headers["retry-after"]) >= 1
    assert replies[2].content["status"] == 429
    assert (other.status, greeting.status) == (404, 200)


async def test_guessing_tokens_is_limited_by_address(tmp_path: Path) -> None:
    """Before a token is looked at."""
    settings = replace(api_settings(tmp_path), api_address_rate=1.0)
    async with served_api(settings) as served:
        replies = [
            await served.ask(NOBODY, headers={"Authorization": f"Bearer {n}"}) for n in range(4)
        ]
        right = await served.ask(NOBODY, headers=AUTHORIZED)
    assert [reply.status for reply in replies] == [401, 401, 429, 429]
    assert right.status == 429
    assert '"address"' in right.headers["ratelimit-policy"]


@pytest.mark.parametrize(
    "spoofed",
    [
        {"X-Forwarded-For": "192.0.2.{}"},
        {"Forwarded": "for=192.0.2.{}"},
        {"X-Real-IP": "192.0.2.{}"},
        {"X-Forwarded-For": "192.0.2.{}", "Forwarded": "for=192.0.2.{}"},
        {"True-Client-IP": "192.0.2.{}", "CF-Connecting-IP": "192.0.2.{}"},
    ],
)
async def test_nobody_gets_around_the_limit_by_saying_who_he_is(
    tmp_path: Path, spoofed: Mapping[str, str]
) -> None:
    """A field counts only from a trusted proxy."""
    settings = replace(api_settings(tmp_path), api_address_rate=1.0)
    async with served_api(settings) as served:
        statuses = [
            (
                await served.ask(
                    NOBODY,
                    headers={name: text.format(n) for name, text in spoofed.items()} | AUTHORIZED,
                )
            ).status
            for n in range(6)
        ]
    assert statuses == [404, 404, 429, 429, 429, 429]


async def test_behind_a_trusted_proxy_each_client_has_its_own(tmp_path: Path) -> None:
    """Of the list the last hop counts; what its client wrote before does not."""
    settings = replace(api_settings(tmp_path), api_address_rate=1.0, trusted_proxies="127.0.0.0/8")
    async with served_api(settings) as served:
        statuses = [
            (
                await served.ask(
                    NOBODY,
                    headers={"X-Forwarded-For": f"198.51.100.{n}, 192.0.2.{n % 2}"} | AUTHORIZED,
                )
            ).status
            for n in range(6)
        ]
    assert statuses == [404, 404, 404, 404, 429, 429]


async def test_greetings_have_a_limit_only_if_one_is_set(tmp_path: Path) -> None:
    """By default nobody is counted."""
    settings = api_settings(tmp_path)
    async with served_api(settings) as served:
        free = [(await served.ask("/Ada")).status for _ in range(6)]
    async with served_api(replace(settings, api_greeting_rate=1.0)) as served:
        limited = [(await served.ask("/Ada")).status for _ in range(4)]
        health = await served.ask("/health")
    assert (free, limited) == ([200] * 6, [200, 200, 429, 429])
    assert health.status == 200


@pytest.mark.parametrize(
    "credentials, status",
    [(None, 401), (f"Bearer {TOKEN}x", 401), (f"Bearer {READER}", 403), (f"Bearer {TOKEN}", 428)],
)
async def test_who_asks_is_looked_at_before_what_is_asked(
    tmp_path: Path, credentials: str | None, status: int
) -> None:
    """A stranger learns nothing of what would be wrong with the request."""
    headers = {} if credentials is None else {"Authorization": credentials}
    async with served_api(api_settings(tmp_path)) as served:
        reply = await served.ask("/users/1", "PUT", headers, b"nonsense")
    assert reply.status == status


JSON = {**AUTHORIZED, "Content-Type": "application/json"}
GOOD = b'{"name":"Ada","email":"ada@example.org"}'
SLOW = b"POST /users HTTP/1.1\r\nHost: t\r\n" + b"".join(
    f"{name}: {value}\r\n".encode() for name, value in JSON.items()
)


@asynccontextmanager
async def busy_api(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[tuple[Served, ConcurrencyLimiter]]:
    """Serve the api while somebody else has its only turn and nobody may wait for another."""
    limiter = ConcurrencyLimiter(1)
    monkeypatch.setattr(ApiSettings, "limiter", lambda *_: limiter)
    async with limiter, served_api(replace(api_settings(folder), **settings)) as served:
        yield served, limiter


@pytest.mark.parametrize(
    "method, path, headers, body, status",
    [
        ("GET", "/users", {}, None, 401),
        ("GET", "/users/1", {"Authorization": "Bearer x"}, None, 401),
        ("DELETE", "/users/1", {"Authorization": f"Bearer {READER}"}, None, 403),
        ("OPTIONS", "/users", {}, None, 204),
        ("TRACE", "/users", {}, None, 405),
        ("GET", "/users/1/nothing", {}, None, 404),
        ("GET", "/users?limit=x", AUTHORIZED, None, 400),
        ("GET", NOBODY, AUTHORIZED, None, 404),
        ("PUT", "/users/1", JSON, GOOD, 428),
        ("POST", "/users", AUTHORIZED, GOOD, 415),
        ("POST", "/users", JSON, b"{}", 422),
        ("POST", "/users", JSON, bytes(70_000), 413),
    ],
)
async def test_what_does_not_reach_postgresql_needs_no_turn(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
    status: int,
) -> None:
    """It is answered as ever when all turns are taken: it holds up nobody and teaches nothing."""
    async with busy_api(tmp_path, monkeypatch) as (served, limiter):
        assert (await served.ask(path, method, headers, body)).status == status
    assert (limiter.statistics().admitted, limiter.statistics().full) == (1, 0)


async def test_what_reaches_postgresql_needs_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every route of the users, with a key or without."""
    change = JSON | {"If-Match": "*"}
    asked = [
        ("GET", "/users", AUTHORIZED, None),
        ("HEAD", "/users/1", AUTHORIZED, None),
        ("GET", "/users?email=a@b.c", AUTHORIZED, None),
        ("POST", "/users", JSON, GOOD),
        ("POST", "/users", JSON | {"Idempotency-Key": "key"}, GOOD),
        ("PUT", "/users/1", change, GOOD),
        ("PATCH", "/users/1", change | {"Content-Type": "application/merge-patch+json"}, GOOD),
        ("DELETE", "/users/1", change, None),
    ]
    async with busy_api(tmp_path, monkeypatch) as (served, limiter):
        replies = [
            await served.ask(path, method, headers, body) for method, path, headers, body in asked
        ]
    assert [reply.status for reply in replies] == [503] * len(asked)
    assert [reply.headers["retry-after"] for reply in replies] == ["1"] * len(asked)
    assert limiter.statistics().full == len(asked)


async def test_who_comes_too_often_needs_no_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By token and by address."""
    for rate in ("api_token_rate", "api_address_rate"):
        async with busy_api(tmp_path, monkeypatch, **{rate: 1.0}) as (served, limiter):
            statuses = [(await served.ask("/users", headers=AUTHORIZED)).status for _ in range(4)]
        assert statuses == [503, 503, 429, 429]
        assert limiter.statistics().full == 2


@pytest.mark.parametrize("framing", ["Content-Length: 9", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("field", ["", "Expect: 100-continue\r\n"])
async def test_who_sends_a_body_slowly_takes_no_turn_before_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, framing: str, field: str
) -> None:
    """Nor a place in line; also who waits to be told to go on, and is."""
    sent = b"body body" if "9" in framing else b"9\r\nbody body\r\n0\r\n\r\n"
    async with busy_api(tmp_path, monkeypatch) as (served, limiter), served.client() as slow:
        slow.writer.write(SLOW + f"{field}{framing}\r\n\r\n".encode())
        if field:
            assert (await slow.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        slow.writer.write(sent[:4])
        await soon(lambda: served.server._traffic.in_flight == 1)
        assert (await served.ask("/users", headers=AUTHORIZED)).status == 503
        slow.writer.write(sent[4:])
        assert (await slow.receive()).status == 400
    assert limiter.statistics().full == 1


async def test_a_body_that_breaks_its_framing_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """400, and not 408 when its ten seconds are over."""
    async with busy_api(tmp_path, monkeypatch) as (served, _):
        async with asyncio.timeout(5):
            reply = await served.tell(SLOW + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    assert reply.status == 400
