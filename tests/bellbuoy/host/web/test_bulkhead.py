"""The bulkhead: what is behind it cannot take the worker from the others."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bellbuoy.host.web.bulkhead import Bulkhead
from bellbuoy.limiter import ConcurrencyLimiter
from tests.api.serving import served_app
from tests.waiting import soon


@pytest.mark.parametrize(
    "path, is_held",
    [
        ("/users", True),
        ("/users?limit=1", True),
        ("/users/1", True),
        ("/%75sers/1", True),
        ("http://host/users/1", True),
        ("/", False),
        ("/usersx", False),
        ("/x/users", False),
        ("/?/users", False),
    ],
)
def test_it_holds_its_paths_and_what_is_below_them(path: str, is_held: bool) -> None:  # noqa: FBT001
    """However they are spelt: the router takes any spelling too."""
    bulkhead = Bulkhead(["/users"], ConcurrencyLimiter(1))
    assert bulkhead.holds(make_mocked_request("GET", path)) == is_held


async def test_who_has_no_turn_is_refused_and_the_others_are_served() -> None:
    """503 with Retry-After, counted; the limiter shows what it holds."""
    release = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async def greet(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/users", wait)
    app.router.add_get("/", greet)
    bulkhead = Bulkhead(["/users"], ConcurrencyLimiter(1, 1, timeout=60))
    async with (
        served_app(app, bulkhead=bulkhead) as served,
        served.client() as first,
        served.client() as second,
    ):
        first.send("/users")
        second.send("/users")
        async with asyncio.timeout(10):
            while bulkhead._limiter.statistics().waiting != 1:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.001)
        refused = await served.ask("/users")
        assert (await served.ask("/")).status == 200
        served.instruments.flush()
        release.set()
        assert [(await each.receive()).status for each in (first, second)] == [200, 200]
        assert served.rejected("full") == 1
        assert (await served.ask("/users")).status == 200
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"


async def test_a_client_that_leaves_gives_its_turn_back() -> None:
    """Waiting or served."""
    asked = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/users", wait)
    limiter = ConcurrencyLimiter(1, 1, timeout=60)
    async with served_app(app, bulkhead=Bulkhead(["/users"], limiter)) as served:
        async with served.client() as first, served.client() as second:
            first.send("/users")
            await asked.wait()
            second.send("/users")
            async with asyncio.timeout(10):
                while limiter.statistics().waiting != 1:  # noqa: ASYNC110 - no event for it
                    await asyncio.sleep(0.001)
        async with asyncio.timeout(10):
            while limiter.statistics().in_use:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.001)
    assert limiter.statistics().waiting == 0


@pytest.mark.parametrize("framing", ["Content-Length: 9", "Transfer-Encoding: chunked"])
async def test_who_sends_a_body_slowly_holds_no_turn(framing: str) -> None:
    """It is taken when the body is there; somebody else has it until then."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/users", echo)
    bulkhead = Bulkhead(["/users"], ConcurrencyLimiter(1))
    head = f"POST /users HTTP/1.1\r\nHost: t\r\n{framing}\r\n\r\n".encode()
    sent = b"body body" if "9" in framing else b"9\r\nbody body\r\n0\r\n\r\n"
    async with served_app(app, bulkhead=bulkhead) as served, served.client() as slow:
        slow.writer.write(head + sent[:4])
        await soon(lambda: served.server._traffic.in_flight == 1)
        assert bulkhead._limiter.statistics().in_use == 0
        assert (await served.ask("/users", "POST", body=b"quick")).body == b"quick"
        slow.writer.write(sent[4:])
        assert (await slow.receive()).body == b"body body"


async def test_a_body_that_is_too_large_is_refused_before_it_is_there() -> None:
    """By its length at once, in chunks as soon as it is; nothing waits for the rest."""

    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application(client_max_size=1000)
    app.router.add_post("/users", read)
    bulkhead = Bulkhead(["/users"], ConcurrencyLimiter(1))
    head = b"POST /users HTTP/1.1\r\nHost: t\r\n"
    async with served_app(app, bulkhead=bulkhead) as served:
        for rest in (
            b"Content-Length: 2000\r\n\r\n" + bytes(1500),
            b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + bytes(1500),
        ):
            assert (await served.tell(head + rest)).status == 413
        assert served.answered("POST", "/users", 413) == 2


async def test_who_waits_to_be_told_to_go_on_is_told() -> None:
    """Its body comes only then."""

    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/users", read)
    bulkhead = Bulkhead(["/users"], ConcurrencyLimiter(1))
    async with served_app(app, bulkhead=bulkhead) as served, served.client() as client:
        client.send("/users", "POST", {"Content-Length": "4", "Expect": "100-continue"})
        async with asyncio.timeout(20):
            told = await client.reader.readuntil(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 100 ")
        client.writer.write(b"body")
        assert (await client.receive()).body == b"body"
