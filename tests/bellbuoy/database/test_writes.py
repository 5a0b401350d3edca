"""Writes under way outlive their callers, and closing waits for them."""

import asyncio

import pytest
import structlog

from bellbuoy.database import writes
from bellbuoy.database.measures import WRITES_REFUSED
from bellbuoy.database.writes import TASK, Writes
from bellbuoy.errors import OutcomeUnknown, Overloaded
from bellbuoy.instruments import Counter, Instruments
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from tests.waiting import soon

MOST = 20


def refusals() -> Counter:
    """Return a counter of its own."""
    return Instruments(Layout((WRITES_REFUSED,))).counter(WRITES_REFUSED)


def begin(monitor: AsyncMonitor) -> Writes:
    """Return writes of which none is under way."""
    return Writes(monitor, MOST, refusals())


async def test_the_caller_gets_the_result() -> None:
    """And the work is counted."""
    monitor = AsyncMonitor()

    async def work() -> str:
        return "done"

    assert await begin(monitor).run("test", work) == "done"
    assert monitor.get_stats().tasks[TASK].completed == 1


async def test_the_caller_gets_the_error() -> None:
    """And it is counted as one."""
    monitor = AsyncMonitor()

    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await begin(monitor).run("test", work)
    assert monitor.get_stats().tasks[TASK].failed == 1


async def test_a_cancelled_caller_does_not_stop_the_work() -> None:
    """It is finished, and closing waits for it."""
    open_writes = begin(AsyncMonitor())
    began, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await go_on.wait()
        done.set()

    caller = asyncio.create_task(open_writes.run("test", work))
    await began.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    closing = asyncio.create_task(open_writes.close())
    go_on.set()
    await closing
    assert done.is_set()


async def test_what_is_done_is_told_once_whoever_waits() -> None:
    """With its result; what failed is not."""
    open_writes, told = begin(AsyncMonitor()), list[str]()
    began, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        began.set()
        await go_on.wait()
        return "alone"

    async def fail() -> str:
        raise LookupError

    caller = asyncio.create_task(open_writes.run("test", work, told.append))
    await began.wait()
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    await open_writes.close()
    with pytest.raises(LookupError):
        await open_writes.run("test", fail, told.append)
    assert told == ["alone"]


async def test_callers_that_leave_do_not_pile_up_writes() -> None:
    """So many are under way and no more: who comes then is refused at once, nothing is begun."""
    monitor, refused = AsyncMonitor(), refusals()
    open_writes = Writes(monitor, MOST, refused)
    go_on = asyncio.Event()
    before = len(asyncio.all_tasks())

    async def give_up() -> None:
        caller = asyncio.create_task(open_writes.run("test", go_on.wait))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])

    for _ in range(MOST):
        await give_up()
    for _ in range(1000):
        with pytest.raises(Overloaded) as error:
            await open_writes.run("test", go_on.wait)
        assert error.value.reason == "full"
    assert len(asyncio.all_tasks()) - before == MOST
    assert refused.value == 1000
    go_on.set()
    await open_writes.close()
    assert await open_writes.run("test", go_on.wait)
    assert monitor.get_stats().tasks[TASK].completed == MOST + 1


async def test_a_failure_that_nobody_waits_for_is_logged() -> None:
    """It would be lost otherwise."""
    open_writes = begin(AsyncMonitor())
    began, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await go_on.wait()
        raise LookupError("why")

    caller = asyncio.create_task(open_writes.run("test", work))
    await began.wait()
    caller.cancel()
    await asyncio.wait([caller])
    with structlog.testing.capture_logs() as events:
        go_on.set()
        await open_writes.close()
    assert [(each["event"], each["reason"]) for each in events] == [
        ("write failed without its caller", "why")
    ]


async def test_closing_ends_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller learns that nobody knows."""
    monkeypatch.setattr(writes, "FINISH", 0.01)
    open_writes = begin(AsyncMonitor())
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    caller = asyncio.create_task(open_writes.run("test", work))
    await began.wait()
    await open_writes.close()
    with pytest.raises(OutcomeUnknown):
        await caller


async def test_closing_is_bounded_even_if_the_work_resists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not wait for what ignores its cancellation."""
    monkeypatch.setattr(writes, "FINISH", 0.01)
    monkeypatch.setattr(writes, "ABORT", 0.01)
    open_writes = begin(AsyncMonitor())
    began, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await go_on.wait()
            ended.set()

    caller = asyncio.create_task(open_writes.run("test", work))
    await began.wait()
    await open_writes.close()
    assert not ended.is_set()
    go_on.set()
    await soon(ended.is_set)
    with pytest.raises(OutcomeUnknown):
        await caller
