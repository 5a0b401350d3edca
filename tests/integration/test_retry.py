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
    """Make all calls, some at once, with the policy that is the default; return the successes."""
    async with served(source) as (client, url):

        @async_retry(
            on=aiohttp.ClientResponseError, when=is_unavailable, budget=budget, observe=told.append
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
    """Without trying again 70 % succeed; with the default of three attempts 97.3 % do."""
    source, told = Source(0.3), list[Attempt]()
    succeeded = await call_all(source, None, told)
    assert succeeded / CALLS > 0.94
    # 1 + 0.3 + 0.09 attempts a call.
    assert 1.25 < source.requests / CALLS < 1.55
    assert len(told) == source.requests


@pytest.mark.slow
async def test_the_default_budget_bounds_what_such_a_source_is_asked() -> None:
    """Its retries are fewer than the failures: some 85 % succeed, for a fifth more requests."""
    source, told = Source(0.3), list[Attempt]()
    succeeded = await call_all(source, RetryBudget(), told)
    assert succeeded / CALLS > 0.78
    assert 1.1 < source.requests / CALLS < 1.3
    assert "no_budget" in {attempt.outcome for attempt in told}


@pytest.mark.slow
async def test_a_source_that_is_down_is_not_asked_much_more_than_it_is_called() -> None:
    """Without a budget three times as often; with the default one a fifth more."""
    unbounded, bounded = Source(1.0), Source(1.0)
    assert await call_all(unbounded, None, []) == 0
    assert unbounded.requests == 3 * CALLS
    assert await call_all(bounded, RetryBudget(), []) == 0
    # 20 % of the calls, and one a second over its window of ten.
    assert 1.1 < bounded.requests / CALLS < 1.3


@pytest.mark.slow
async def test_who_failed_together_does_not_come_back_together() -> None:
    """Full jitter: the waits fill the whole range, and no part of it holds most of them."""
    waits = list[float]()
    source = Source(1.0)
    async with served(source) as (client, url):

        @async_retry(
            on=aiohttp.ClientResponseError,
            budget=RetryBudget(),
            observe=lambda attempt: waits.append(attempt.wait) if attempt.number == 1 else None,
        )
        async def fetch() -> None:
            async with client.get(url) as response:
                response.raise_for_status()

        start = time.monotonic()
        await asyncio.gather(*(fetch() for _ in range(1000)), return_exceptions=True)
    assert time.monotonic() - start < 20
    granted = [wait for wait in waits if wait]
    assert len(waits) == 1000
    assert 100 < len(granted) < 300  # a fifth, and the reserve
    # A quarter each of the default delay of 0.1 s, give or take.
    parts = [sum(part / 40 <= wait < (part + 1) / 40 for wait in granted) for part in range(4)]
    assert sum(parts) == len(granted)
    assert min(parts) > len(granted) * 0.1
    assert max(parts) < len(granted) * 0.45
