"""Vital signs: the loop's lag, its tasks, the collector, and what nobody handled."""

import asyncio
import gc

import pytest
from structlog.testing import capture_logs

from bellbuoy.host.families import BLOCKED, FAMILIES, LAG, LOOP_EXCEPTIONS, TASKS_ALIVE
from bellbuoy.host.vitals import Unhandled, Vitals
from bellbuoy.instruments import Instruments
from bellbuoy.scoreboard import COLLECTOR, Scoreboard, Slot


@pytest.fixture
def slot() -> Slot:
    """A worker's."""
    slot = Scoreboard(FAMILIES, 2).workers[0]
    slot.take(admin=False)
    return slot


@pytest.fixture
def instruments(slot: Slot) -> Instruments:
    """Its."""
    return slot.instruments()


async def test_lag_is_a_histogram_and_the_longest_of_a_second(
    slot: Slot, instruments: Instruments
) -> None:
    """A beat is never early: clocks are not that exact."""
    vitals = Vitals(slot, instruments, threshold=0.5)
    for seconds in (-1e-6, 0.0002, 0.02, 0.3):
        vitals.late(seconds)
    start = instruments.layout.starts[LAG.name]
    cells = instruments.cells[start : start + LAG.width]
    assert sum(cells[:-1]) == 4
    assert cells[-1] == pytest.approx(0.3202)
    vitals.each_second()
    assert slot.lag == 0.3
    vitals.each_second()
    assert slot.lag == 0.0


async def test_a_beat_that_is_too_late_was_blocked(slot: Slot, instruments: Instruments) -> None:
    """From the threshold on; the log says how long."""
    vitals = Vitals(slot, instruments, threshold=0.5)
    with capture_logs() as events:
        vitals.late(0.499)
        assert events == []
        vitals.late(0.5)
    assert [event["seconds"] for event in events] == [0.5]
    assert instruments.counter(BLOCKED).value == 1


async def test_tasks_and_collections_are_shown_once_a_second(
    slot: Slot, instruments: Instruments
) -> None:
    """As asyncio and the collector tell them, each generation by itself."""
    vitals = Vitals(slot, instruments, threshold=0.5)
    sleeping = asyncio.ensure_future(asyncio.sleep(60))
    gc.collect()
    gc.disable()
    try:
        vitals.each_second()
        stats = gc.get_stats()
    finally:
        gc.enable()
    assert instruments.gauge(TASKS_ALIVE).value == len(asyncio.all_tasks()) > 1
    expected = [float(stats[generation][what]) for what, generation in COLLECTOR]
    assert list(slot.collections) == expected
    assert slot.collections[6] >= 1  # full collections
    sleeping.cancel()


async def test_what_nobody_handles_is_counted_and_logged(instruments: Instruments) -> None:
    """With its traceback, and without the arguments that asyncio would show."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(Unhandled(instruments))

    def fail(secret: str) -> None:
        raise RuntimeError(len(secret))

    try:
        with capture_logs() as events:
            loop.call_soon(fail, "s3cret")
            await asyncio.sleep(0.01)
    finally:
        loop.set_exception_handler(before)
    (event,) = events
    assert event["log_level"] == "error"
    assert isinstance(event["exc_info"], RuntimeError)
    assert "s3cret" not in str(event)
    assert instruments.counter(LOOP_EXCEPTIONS).value == 1


async def test_a_flood_of_exceptions_is_counted_and_not_logged(instruments: Instruments) -> None:
    """The first ten; then, in another minute, one more that tells of the others."""
    unhandled = Unhandled(instruments)
    loop = asyncio.get_running_loop()
    with capture_logs() as events:
        for _ in range(1000):
            unhandled(loop, {"message": "no", "exception": RuntimeError()})
        assert len(events) == Unhandled.MOST
        unhandled._began -= Unhandled.WINDOW
        unhandled(loop, {"message": "no"})
    assert events[-1]["unlogged_before"] == 990
    assert instruments.counter(LOOP_EXCEPTIONS).value == 1001
