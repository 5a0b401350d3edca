"""Plain answers: they are what aiohttp would write, and what is not plain is left to it."""

import asyncio
import re
from collections.abc import Callable

import pytest
from aiohttp import web

from bellbuoy.host.web import protocol
from bellbuoy.host.web.plain import serialize
from tests.api.serving import Served, served_app

Make = Callable[[], web.Response]

PLAIN: dict[str, Make] = {
    "text": lambda: web.Response(text="ñ · 漢字"),
    "empty": lambda: web.Response(body=b"", content_type="text/plain"),
    "created": lambda: web.Response(
        body=b"{}", status=201, headers={"Content-Type": "application/json", "Location": "/1"}
    ),
    "twice": lambda: web.Response(text="x", headers=[("Vary", "Accept"), ("Vary", "Origin")]),
    "reason": lambda: web.Response(text="x", status=418, reason="I'm a teapot"),
    "large": lambda: web.Response(body=bytes(1_000_000), content_type="image/png"),
}


def compressed() -> web.Response:
    """Return an answer that goes as short as the client understands."""
    response = web.Response(text="x" * 1000)
    response.enable_compression()
    return response


def with_cookie() -> web.Response:
    """Return an answer that sets a cookie."""
    response = web.Response(text="x")
    response.set_cookie("a", "b")
    return response


OTHER: dict[str, Make] = {
    "no body": lambda: web.Response(status=204),
    "not modified": lambda: web.Response(body=b"x", status=304, headers={"ETag": '"1"'}),
    "no type": lambda: web.Response(body=b"x"),
    "length": lambda: web.Response(text="abc", headers={"content-length": "3"}),
    "date": lambda: web.Response(text="x", headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}),
    "server": lambda: web.Response(text="x", headers={"Server": "other"}),
    "compressed": compressed,
    "cookie": with_cookie,
}

LENGTH = re.compile(rb"\ncontent-length: (\d+)", re.IGNORECASE)
GET = b"GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: deflate\r\nX-Request-Id: id\r\n\r\n"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return whether the short way was taken, for each answer."""
    ways: list[bool] = []

    def watched(*given: object) -> bytes | None:
        data = serialize(*given)  # type: ignore[arg-type]  # whatever the protocol gives
        ways.append(data is not None)
        return data

    monkeypatch.setattr(protocol, "serialize", watched)
    return ways


def application(make: Make) -> web.Application:
    """Return an application that answers what is made."""

    async def answer(_: web.Request) -> web.Response:
        return make()

    app = web.Application()
    app.router.add_get("/", answer)
    return app


async def wire(served: Served, request: bytes) -> list[bytes]:
    """Return what the answer to a request is on the wire: its head's lines in order, its body."""
    async with served.client() as client, asyncio.timeout(20):
        client.writer.write(request)
        head = (await client.reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
        length = LENGTH.search(head)
        has_body = length is not None and not request.startswith(b"HEAD")
        body = await client.reader.readexactly(int(length[1]) if length and has_body else 0)
    status, *fields = head.split(b"\r\n")
    return [status, *sorted(fields), body]


async def both(make: Make, request: bytes, monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """Return an answer as it is, and as aiohttp alone would write it."""
    monkeypatch.setattr("aiohttp.web_response.rfc822_formatted_time", lambda: "now")
    monkeypatch.setattr("bellbuoy.host.web.plain.rfc822_formatted_time", lambda: "now")
    async with served_app(application(make)) as served:
        first = await wire(served, request)
        monkeypatch.setattr(protocol, "serialize", lambda *_: None)
        return [first, await wire(served, request)]


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
async def test_a_plain_answer_is_what_aiohttp_would_write(
    make: Make, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line of its head and every byte of its body."""
    ours, theirs = await both(make, GET, monkeypatch)
    assert taken == [True]
    assert ours == theirs
    assert {b"X-Request-Id: id", b"Server: bellbuoy", b"Date: now"} <= set(ours)


@pytest.mark.parametrize("make", OTHER.values(), ids=OTHER)
async def test_any_other_answer_is_left_to_aiohttp(
    make: Make, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is signed all the same."""
    ours, theirs = await both(make, GET, monkeypatch)
    assert taken == [False]
    assert ours == theirs
    assert {b"X-Request-Id: id", b"Server: bellbuoy"} <= set(ours)


@pytest.mark.parametrize(
    "request_",
    [
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    ],
    ids=["HEAD", "HTTP/1.0", "close"],
)
async def test_so_is_the_answer_to_an_unusual_request(
    request_: bytes, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a body, in another version, and the last one of its connection."""
    ours, theirs = await both(PLAIN["text"], request_, monkeypatch)
    assert taken == [False]
    assert ours == theirs


async def test_so_is_an_answer_that_an_application_wants_to_see(taken: list[bool]) -> None:
    """Its signal is sent for each answer."""

    async def see(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Seen"] = "yes"

    app = application(PLAIN["text"])
    app.on_response_prepare.append(see)
    async with served_app(app) as served:
        assert b"Seen: yes" in await wire(served, GET)
    assert taken == [False]


async def test_a_header_cannot_smuggle_another_one() -> None:
    """The connection ends without an answer, as with aiohttp alone."""

    def forged() -> web.Response:
        return web.Response(text="x", headers={"Location": "/\r\nSet-Cookie: a=b"})

    async with served_app(application(forged)) as served, served.client() as client:
        client.writer.write(GET)
        assert await client.is_closed()


async def test_connections_go_on_after_it(taken: list[bool]) -> None:
    """Two requests in one packet have two answers, each with its own name."""
    second = GET.replace(b"id\r\n", b"other\r\n")
    async with served_app(application(PLAIN["text"])) as served, served.client() as client:
        client.writer.write(GET + second)
        names = [(await client.receive()).headers["x-request-id"] for _ in range(2)]
    assert names == ["id", "other"]
    assert taken == [True, True]
