"""The users' routes over the wire, PostgreSQL being away: what is wrong is said all the same."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.api.serving import AUTHORIZED, api_settings, served_api

JSON = {**AUTHORIZED, "Content-Type": "application/json"}
ANY = {"If-Match": "*"}
GOOD = b'{"name":"Ada","email":"ada@example.org"}'

# Case by case: what is sent as a user, and the status that it gets.
BODIES: dict[bytes, int] = {
    b"": 400,
    b"\xff\xfe": 400,
    b'{"name":"\xc3\x28","email":"a@b.c"}': 400,
    b"[" * 60_000: 422,
    b'{"a":' * 10_000: 422,
    b'{"name":NaN,"email":"a@b.c"}': 400,
    b'{"name":-Infinity,"email":"a@b.c"}': 400,
    b'{"name":' + b"1" * 60_000 + b',"email":"a@b.c"}': 422,
    b'{"name":' + b"1" * 1_000_000 + b',"email":"a@b.c"}': 413,
    b"[" * 100_000: 413,
    b'{"name":"a","name":"b","email":"a@b.c"}': 400,
    b'{"name":"\\ud800","email":"a@b.c"}': 400,
    b'{"name":"a\\u0000","email":"a@b.c"}': 422,
    b'{"id":9223372036854775808,"name":"a","email":"a@b.c"}': 422,
    b'{"name":[],"email":{}}': 422,
    b'{"name":true,"email":1.5}': 422,
    b"name=a&email=a%40b.c": 400,
    GOOD: 503,
}


async def test_no_body_is_a_bug(tmp_path: Path) -> None:
    """Each is refused with its status, as a problem; only a good one gets to PostgreSQL."""
    async with served_api(api_settings(tmp_path)) as served:
        for body, status in BODIES.items():
            for method, path in (("POST", "/users"), ("PUT", "/users/1")):
                reply = await served.ask(path, method, JSON | ANY, body)
                assert (reply.status, body[:50]) == (status, body[:50])
                assert reply.headers["content-type"] == "application/problem+json"
                assert reply.content["status"] == status
        assert served.bugs() == 0


@pytest.mark.parametrize(
    "declared, method",
    [
        ("text/plain", "POST"),
        ("application/json; charset=nope", "POST"),
        ("application/x-www-form-urlencoded", "PUT"),
        ("multipart/form-data; boundary=x", "POST"),
        ("application/json", "PATCH"),
        ("", "POST"),
        (";;;", "POST"),
    ],
)
async def test_another_type_is_refused(tmp_path: Path, declared: str, method: str) -> None:
    """415 that says which is taken."""
    path = "/users" if method == "POST" else "/users/1"
    async with served_api(api_settings(tmp_path)) as served:
        headers = {**AUTHORIZED, **ANY, "Content-Type": declared}
        reply = await served.ask(path, method, headers, GOOD)
    assert reply.status == 415
    taken = ("accept-patch", "application/merge-patch+json")
    assert reply.headers[taken[0] if method == "PATCH" else "accept"] == (
        taken[1] if method == "PATCH" else "application/json"
    )


async def test_bytes_in_a_header_that_are_no_text_are_no_bug(tmp_path: Path) -> None:
    """Whichever header it is."""
    names = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key")
    async with served_api(api_settings(tmp_path)) as served:
        for name in names:
            lines = [f"{key}: {value}" for key, value in (JSON | ANY).items() if key != name]
            head = "\r\n".join(["PUT /users/1 HTTP/1.1", "Host: test", *lines]).encode()
            data = head + b"\r\n%s: \xff\xfe\xc3\r\nContent-Length: 2\r\n\r\n{}" % name.encode()
            assert (await served.tell(data)).status in (400, 401, 415, 422)
        assert served.bugs() == 0


@pytest.mark.parametrize(
    "headers, body, status, pointer",
    [
        ({}, GOOD, 428, None),
        ({"If-Match": "x"}, GOOD, 400, None),
        (ANY, b"{}", 422, "#/name"),
        (ANY, b'{"name":"a","email":"a@b.c","version":7}', 422, "#/version"),
    ],
)
async def test_what_is_wrong_with_a_change_is_pointed_at(
    tmp_path: Path, headers: Mapping[str, str], body: bytes, status: int, pointer: str | None
) -> None:
    """The condition first, then the body."""
    async with served_api(api_settings(tmp_path)) as served:
        reply = await served.ask("/users/1", "PUT", {**JSON, **headers}, body)
    assert reply.status == status
    assert [error["pointer"] for error in reply.content.get("errors", [])] == (
        [pointer] if pointer else []
    )


async def test_an_id_that_nobody_can_have_is_not_looked_for(tmp_path: Path) -> None:
    """404 without PostgreSQL, whatever is to be done with it."""
    async with served_api(api_settings(tmp_path)) as served:
        for user_id in (0, 1 << 63, 10**4000):
            if user_id > 1 << 64:
                continue
            for method in ("GET", "PUT", "DELETE"):
                reply = await served.ask(f"/users/{user_id}", method, JSON | ANY, GOOD)
                assert reply.status == 404


@pytest.mark.parametrize("key", ["", "ä", "a b", '"', '"a', "a" * 129, '""', "a\tb"])
async def test_a_key_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    """It would not protect anybody."""
    async with served_api(api_settings(tmp_path)) as served:
        reply = await served.ask("/users", "POST", JSON | {"Idempotency-Key": key}, GOOD)
    assert reply.status == 400


@pytest.mark.parametrize(
    "method, path, kind",
    [
        ("POST", "/users", "application/json"),
        ("PUT", "/users/1", "application/json"),
        ("PATCH", "/users/1", "application/merge-patch+json"),
        ("DELETE", "/users/1", "application/json"),
    ],
)
@pytest.mark.parametrize(
    "chunks, status", [(b"5\r\n{    XX\r\n", 400), (b"10001\r\n" + b" " * 0x10001, 413)]
)
async def test_nothing_is_written_before_the_body_is_there(
    tmp_path: Path, method: str, path: str, kind: str, chunks: bytes, status: int
) -> None:
    """One that turns out broken or too long is said before PostgreSQL, which is away, is asked."""
    condition = {} if method == "POST" else ANY
    later = {"Transfer-Encoding": "chunked", "Expect": "100-continue"}
    async with served_api(api_settings(tmp_path)) as served, served.client() as client:
        client.send(path, method, {**JSON, **condition, **later, "Content-Type": kind})
        assert (await client.receive()).status == 100
        client.writer.write(chunks)
        assert (await client.receive()).status == status
