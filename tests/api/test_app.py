"""The routes, PostgreSQL being away: greetings go on."""

from pathlib import Path

import pytest

from tests.api.serving import AUTHORIZED, Reply, api_settings, served_api


def is_problem(reply: Reply) -> bool:
    """Return whether a reply is a problem that knows its own status."""
    return (
        reply.headers["content-type"] == "application/problem+json"
        and reply.content["status"] == reply.status
    )


@pytest.mark.parametrize(
    "path, body",
    [
        ("/", "Hello, World!"),
        ("/Ada", "Hello, Ada!"),
        ("/J%C3%BCrgen", "Hello, Jürgen!"),
        ("/%F0%9F%90%A7", "Hello, 🐧!"),
        ("/a%2Fb", "Hello, a/b!"),
        ("/%7Bname%7D", "Hello, {name}!"),
        ("/%3Cscript%3E", "Hello, <script>!"),
        ("/Ada?x=1", "Hello, Ada!"),
    ],
)
async def test_greetings(tmp_path: Path, path: str, body: str) -> None:
    """Plain text in UTF-8, which no browser takes for something else."""
    async with served_api(api_settings(tmp_path)) as served:
        reply = await served.ask(path)
        head = await served.ask(path, "HEAD")
    assert (reply.status, reply.body.decode()) == (200, body)
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert (head.status, head.headers["content-length"]) == (200, str(len(reply.body)))


@pytest.mark.parametrize(
    "path, method, status",
    [
        ("/a/b", "GET", 404),
        ("/users/1/2", "GET", 404),
        ("//", "GET", 404),
        ("/", "POST", 405),
        ("/Ada", "DELETE", 405),
        ("/users", "PUT", 405),
        ("/health", "DELETE", 405),
        ("/%FF", "GET", 400),
        ("/" + "a" * 200, "GET", 414),
        ("/users/1", "GET", 401),
        ("/users", "GET", 401),
        ("/users", "HEAD", 401),
    ],
)
async def test_every_error_is_a_problem(
    tmp_path: Path, path: str, method: str, status: int
) -> None:
    """With what its status demands."""
    async with served_api(api_settings(tmp_path)) as served:
        reply = await served.ask(path, method)
    assert reply.status == status
    assert method == "HEAD" or is_problem(reply)
    assert ("allow" in reply.headers) == (status == 405)
    assert ("www-authenticate" in reply.headers) == (status == 401)


async def test_without_postgresql_users_are_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    """503 that says when to come back; the greeting does not notice."""
    async with served_api(api_settings(tmp_path)) as served:
        one = await served.ask("/users/1", headers=AUTHORIZED)
        many = await served.ask("/users?limit=3", headers=AUTHORIZED)
        unknown = await served.ask("/users/9999999999999999999", headers=AUTHORIZED)
        greeting = await served.ask("/")
        health = await served.ask("/health")
        version = await served.ask("/version")
    assert (one.status, many.status) == (503, 503)
    assert one.headers["retry-after"] == "1"
    assert is_problem(one)
    assert unknown.status == 404
    assert (greeting.status, health.content) == (200, {"status": "healthy"})
    assert version.content["service"] == "api"
