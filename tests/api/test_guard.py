"""The guard, before the users and the greeting; PostgreSQL is not there."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api.serving import AUTHORIZED, READER, TOKEN, api_settings, served_api

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
