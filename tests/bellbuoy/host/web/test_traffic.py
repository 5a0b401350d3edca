"""Deadlines: one sweep, each request cancelled once, the answer undisturbed."""

import asyncio
from typing import cast

import structlog.testing

from bellbuoy.host.web.traffic import Traffic


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        """Start at an odd time."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Unstoppable:
    """A task that a bug keeps from being cancelled."""

    def cancel(self) -> None:
        """Fail."""
        raise RuntimeError("bug")


async def handle(traffic: Traffic, ends: asyncio.Event) -> str:
    """Behave like a request; tell how it ended."""
    task = asyncio.current_task()
    assert task is not None
    traffic.enter(task)
    try:
        await ends.wait()
    except asyncio.CancelledError:
        if not traffic.verdict(task):
            raise
        # Whoever writes the answer under a timeout must not take this one for its own.
        assert task.cancelling() == 0
        return "too late"
    finally:
        traffic.leave(task)
    return "in time"


async def test_who_overruns_is_cancelled_and_may_still_answer() -> None:
    """The young ones go on."""
    clock, ends = Clock(), asyncio.Event()
    traffic = Traffic(deadline=15, clock=clock)
    old = asyncio.ensure_future(handle(traffic, ends))
    await asyncio.sleep(0)
    clock.now += 10
    young = asyncio.ensure_future(handle(traffic, ends))
    await asyncio.sleep(0)
    clock.now += 5
    traffic.expire()
    traffic.expire()
    assert await old == "too late"
    assert traffic.in_flight == 1
    ends.set()
    assert await young == "in time"
    assert traffic.in_flight == 0


async def test_another_cancellation_is_not_mistaken_for_the_deadline() -> None:
    """An aborted drain cancels too."""
    traffic = Traffic()
    task = asyncio.ensure_future(handle(traffic, asyncio.Event()))
    await asyncio.sleep(0)
    traffic.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert traffic.in_flight == 0


async def test_the_sweep_keeps_the_deadlines() -> None:
    """By itself, as long as it runs."""
    traffic = Traffic(deadline=0.01)
    sweep = asyncio.ensure_future(traffic.sweep())
    assert await asyncio.wait_for(handle(traffic, asyncio.Event()), 10) == "too late"
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)


async def test_a_deadline_that_fails_takes_no_other_with_it() -> None:
    """The sweep goes on; one line tells of it, however many fail."""
    traffic = Traffic(deadline=0.01)
    tasks = [cast("asyncio.Task[object]", Unstoppable()) for _ in range(100)]
    for task in tasks:
        traffic.enter(task)
    sweep = asyncio.ensure_future(traffic.sweep())
    with structlog.testing.capture_logs() as logs:
        assert await asyncio.wait_for(handle(traffic, asyncio.Event()), 10) == "too late"
    assert not sweep.done()
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)
    assert {(each["event"], each["requests"]) for each in logs} == {("deadlines failed", 100)}
    assert len(logs) <= 2


async def test_who_swallows_the_deadline_gets_another_one() -> None:
    """A connection has one task for all its requests: the next one has a deadline again."""
    clock = Clock()
    traffic = Traffic(deadline=15, clock=clock)
    task = asyncio.ensure_future(asyncio.sleep(60))
    traffic.enter(task)
    for _ in range(2):
        clock.now += 15
        traffic.expire()
        assert task.cancelling() == 1
        traffic.leave(task)
        assert task.cancelling() == 0
        assert not traffic.verdict(task)
        traffic.enter(task)
    await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_has_no_deadline_but_ends_with_everything_else() -> None:
    """It counts as in flight; who came after it keeps the deadline."""
    clock = Clock()
    traffic = Traffic(deadline=15, clock=clock)

    async def stream() -> None:
        task = asyncio.current_task()
        assert task is not None
        traffic.enter(task)
        traffic.endure(task)
        try:
            await asyncio.Event().wait()
        finally:
            traffic.leave(task)

    streaming = asyncio.ensure_future(stream())
    handling = asyncio.ensure_future(handle(traffic, asyncio.Event()))
    await asyncio.sleep(0)
    assert traffic.in_flight == 2
    clock.now += 16
    traffic.expire()
    await handling
    assert not streaming.done()
    assert traffic.in_flight == 1
    traffic.cancel()
    await asyncio.wait({streaming}, timeout=20)
    assert streaming.cancelled()
    assert traffic.in_flight == 0
