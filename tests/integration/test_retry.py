"""Trying again against a real HTTP server that fails: what it brings, and what it costs."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from bellbuoy import RetryBudget, async_retry
from bellbuoy.retry import Attempt

CALLS = 600
AT_ONCE = 30


class Source:
    """Answers 200, or 503 with the probability that it is given."""

    def __init__(self, failing: float) -> None:
        """Fail ``failing`` of the requests; always the same ones."""
        self.failing = failing
        self.requests = 0
        self._chance = random.Random(7)  # noqa: S311 - a test's luck is no secret

    async def answer(self, _: web.Request) -> web.Response:
        """Answer, or not."""
        self.requests += 1
        return web.Response(status=503 if self._chance.random() < self.failing else 200)


@asynccontextmanager
async def served(source: Source) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """Serve ``source`` on loopback; yield a client and the address."""
    app = web.Application()
    app.router.add_get("/", source.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as client:
            yield client, f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


def is_unavailable(error: Exception) -> bool:
    """Return whether a status may pass by itself."""
    return isinstance(error, aiohttp.ClientResponseError) and error.status == 503


async def call_all(source: Source, budget: RetryBudget | None, told: list[Attempt]) -> int:
    """Make all calls, some at once; return how many succeeded."""
    async with served(source) as (client, url):

        @async_retry(
            4,
            delay=0.005,
            on=aiohttp.ClientResponseError,
            when=is_unavailable,
            budget=budget,
            observe=told.append,
        )
        async def fetch() -> None:
            async with client.get(url) as response:
                response.raise_for_status()

        async def some() -> int:
            succeeded = 0
            for _ in range(CALLS // AT_ONCE):
                try:
                    await fetch()
                except aiohttp.ClientResponseError:
                    continue
                succeeded += 1
            return succeeded

        return sum(await asyncio.gather(*(some() for _ in range(AT_ONCE))))


@pytest.mark.slow
async def test_a_source_that_fails_three_times_in_ten_hardly_shows() -> None:
    """Without trying again 70 % succeed; with four attempts 99.2 % do."""
    source, told = Source(0.3), list[Attempt]()
    succeeded = await call_all(source, None, told)
    assert succeeded / CALLS > 0.97
    # 1 + 0.3 + 0.09 + 0.027 attempts a call.
    assert 1.3 < source.requests / CALLS < 1.55
    assert len(told) == source.requests


@pytest.mark.slow
async def test_a_source_that_is_down_is_not_asked_much_more_than_it_is_called() -> None:
    """Without a budget four times as often; with one of 10 % at most 1.1 times."""
    unbounded, bounded = Source(1.0), Source(1.0)
    assert await call_all(unbounded, None, []) == 0
    assert unbounded.requests == 4 * CALLS
    budget = RetryBudget(ratio=0.1, minimum=0, window=600)
    assert await call_all(bounded, budget, []) == 0
    assert 1.05 < bounded.requests / CALLS <= 1.1


@pytest.mark.slow
async def test_who_failed_together_does_not_come_back_together() -> None:
    """Full jitter: a hundred waits fill the whole range, and no part of it holds most of them."""
    waits = list[float]()
    source = Source(1.0)
    async with served(source) as (client, url):

        @async_retry(
            2,
            delay=0.2,
            on=aiohttp.ClientResponseError,
            observe=lambda attempt: waits.append(attempt.wait) if attempt.wait else None,
        )
        async def fetch() -> None:
            async with client.get(url) as response:
                response.raise_for_status()

        start = time.monotonic()
        await asyncio.gather(*(fetch() for _ in range(100)), return_exceptions=True)
    assert time.monotonic() - start < 20
    assert len(waits) == 100
    parts = [sum(part / 20 <= wait < (part + 1) / 20 for wait in waits) for part in range(4)]
    assert sum(parts) == 100
    assert min(parts) >= 8  # 25 each, give or take; one in a billion is less than 8
    assert max(parts) <= 50
