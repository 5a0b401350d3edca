"""Concurrency: what a limiter refuses is told and counted, and what it holds is shown."""

import asyncio

from aiohttp import web

from bellbuoy.host.web import measure
from bellbuoy.host.web.telemetry import (
    CONCURRENCY_IN_USE,
    CONCURRENCY_LIMIT,
    CONCURRENCY_WAITING,
)
from bellbuoy.limiter import ConcurrencyLimiter
from tests.api.serving import served_app
from tests.waiting import soon


def waiting_app(limiter: ConcurrencyLimiter, release: asyncio.Event) -> web.Application:
    """Return an application with a route that needs a turn and an event, and one that does not."""

    async def work() -> web.Response:
        await release.wait()
        return web.Response()

    async def wait(_: web.Request) -> web.Response:
        return await limiter.execute(work)

    async def greet(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/users", wait)
    app.router.add_get("/", greet)
    return app


async def test_who_has_no_turn_is_refused_and_the_others_are_served() -> None:
    """503 with Retry-After, counted; the limiter shows what it holds."""
    release, limiter = asyncio.Event(), ConcurrencyLimiter(1, 1, timeout=60)
    async with (
        served_app(waiting_app(limiter, release)) as served,
        served.client() as first,
        served.client() as second,
    ):
        measure(limiter, served.instruments)
        first.send("/users")
        second.send("/users")
        await soon(lambda: limiter.statistics().waiting == 1)
        refused = await served.ask("/users")
        assert (await served.ask("/")).status == 200
        served.instruments.flush()
        gauges = (CONCURRENCY_LIMIT, CONCURRENCY_IN_USE, CONCURRENCY_WAITING)
        assert [served.instruments.gauge(each).value for each in gauges] == [1, 1, 1]
        release.set()
        assert [(await each.receive()).status for each in (first, second)] == [200, 200]
        assert served.rejected("full") == 1
        assert (await served.ask("/users")).status == 200
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"


async def test_a_client_that_leaves_gives_its_turn_back() -> None:
    """Waiting or served."""
    limiter = ConcurrencyLimiter(1, 1, timeout=60)
    async with served_app(waiting_app(limiter, asyncio.Event())) as served:
        async with served.client() as first, served.client() as second:
            first.send("/users")
            await soon(lambda: limiter.statistics().in_use == 1)
            second.send("/users")
            await soon(lambda: limiter.statistics().waiting == 1)
        await soon(lambda: limiter.statistics().in_use == 0)
    assert limiter.statistics().waiting == 0
