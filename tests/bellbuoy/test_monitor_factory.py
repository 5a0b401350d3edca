"""The task factory counts what nobody decorated, and nothing twice."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from bellbuoy.inspector import oldest
from bellbuoy.monitor import AsyncMonitor
from tests.bellbuoy.monitoring import monitor, of
from tests.waiting import soon

__all__ = ["monitor"]


async def work() -> int:
    """Come back after a turn of the loop."""
    await asyncio.sleep(0)
    return 42


WORK = "work"


def started(monitor: AsyncMonitor) -> dict[str, int]:
    """Return the starts of each name, but for the task that runs the tests."""
    tasks = monitor.get_stats().tasks
    return {name: task.started for name, task in tasks.items() if "TestRunner" not in name}


@pytest.fixture
async def factory(monitor: AsyncMonitor) -> AsyncIterator[None]:
    """The loop's task factory is the monitor's."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(monitor.task_factory)
    yield
    loop.set_task_factory(before)


@pytest.mark.usefixtures("factory")
async def test_a_task_is_counted_by_its_coroutines_name(monitor: AsyncMonitor) -> None:
    """From before its first step; its own name is for people."""
    task = asyncio.create_task(work(), name="customer 7")
    assert of(monitor, WORK) == {"running": 1}
    assert await task == 42
    await asyncio.sleep(0)
    assert of(monitor, WORK) == {"completed": 1}
    assert task.get_name() == "customer 7"


@pytest.mark.usefixtures("factory")
async def test_gathered_and_grouped_work_is_counted(monitor: AsyncMonitor) -> None:
    """Whoever makes the task."""
    await asyncio.gather(work(), work())
    async with asyncio.TaskGroup() as group:
        group.create_task(work())
    await asyncio.sleep(0)
    assert of(monitor, WORK) == {"completed": 3}


@pytest.mark.usefixtures("factory")
async def test_nothing_is_counted_twice(monitor: AsyncMonitor) -> None:
    """Neither a task of create_task, nor one that runs a decorated function."""
    await monitor.create_task(work(), name="named")
    await asyncio.create_task(monitor.track_task("decorated")(work)())
    await asyncio.sleep(0)
    assert started(monitor) == {"named": 1, "decorated": 1}


@pytest.mark.usefixtures("factory")
async def test_every_outcome_is_told_apart(monitor: AsyncMonitor) -> None:
    """Raised, timed out, cancelled."""

    async def end(error: type[BaseException]) -> None:
        raise error

    name = end.__qualname__
    errors = (ValueError, TimeoutError, asyncio.CancelledError)
    await asyncio.gather(*map(end, errors), return_exceptions=True)
    await asyncio.sleep(0)
    assert of(monitor, name) == {"failed": 1, "timed_out": 1, "cancelled": 1}
    cancelled = asyncio.create_task(end(ValueError))
    cancelled.cancel()
    await asyncio.wait([cancelled])
    await asyncio.sleep(0)
    assert of(monitor, name) == {"failed": 1, "timed_out": 1, "cancelled": 2}


@pytest.mark.usefixtures("factory")
async def test_an_exception_that_nobody_asks_for_is_still_mentioned(monitor: AsyncMonitor) -> None:
    """Asyncio tells of it when the task is collected; counting does not hide it."""
    loop, told = asyncio.get_running_loop(), list[str]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))

    async def fail() -> None:
        raise ValueError

    try:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        await soon(lambda: told)
    finally:
        loop.set_exception_handler(before)
    assert told == ["Task exception was never retrieved"]
    assert of(monitor, fail.__qualname__) == {"failed": 1}


@pytest.mark.usefixtures("factory")
async def test_the_inspector_shows_where_it_waits(monitor: AsyncMonitor) -> None:
    """By coroutine, as for decorated work."""
    event = asyncio.Event()

    async def wait() -> None:
        await event.wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    running = oldest(monitor)[-1]  # the youngest: what runs the tests is a task, too
    assert [place.partition(" ")[0].rpartition(".")[2] for place in running.stack] == [
        "wait",
        "wait",
    ]
    event.set()
    await task


async def test_what_cannot_be_made_never_started(monitor: AsyncMonitor) -> None:
    """A loop that is closed refuses."""
    loop = asyncio.new_event_loop()
    loop.close()
    coroutine = work()
    with pytest.raises(RuntimeError, match="closed"):
        monitor.task_factory(loop, coroutine)
    coroutine.close()
    assert of(monitor, WORK) == {}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="this Python has no eager tasks")
async def test_an_eager_task_is_counted_and_so_are_those_it_makes(monitor: AsyncMonitor) -> None:
    """It may have ended before its creator has it."""
    loop = asyncio.get_running_loop()
    made: list[asyncio.Task[int]] = []

    async def outer() -> None:
        made.append(asyncio.create_task(work()))

    before = loop.get_task_factory()
    loop.set_task_factory(monitor.task_factory)
    try:
        task = monitor.task_factory(loop, outer(), eager_start=True)
        assert task.done()
        await monitor.create_task(outer(), name="named")
        await asyncio.gather(*made)
        await asyncio.sleep(0)
    finally:
        loop.set_task_factory(before)
    assert of(monitor, outer.__qualname__) == {"completed": 1}
    assert of(monitor, "named") == {"completed": 1}
    assert of(monitor, WORK) == {"completed": 2}


def test_an_asynchronous_generator_cannot_be_decorated(monitor: AsyncMonitor) -> None:
    """Its duration would be that of its consumer; the message says what to do."""

    async def numbers() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"numbers is an asynchronous generator: use a span"):
        monitor.track_task()(numbers)  # type: ignore[arg-type]  # that is the mistake


async def test_methods_are_functions(monitor: AsyncMonitor) -> None:
    """Each kind, called on a class and on an object."""

    class Boat:
        @monitor.track_task("sail")
        async def sail(self, knots: int) -> int:
            return knots

        @classmethod
        @monitor.track_task("build")
        async def build(cls) -> "Boat":
            return cls()

        @staticmethod
        @monitor.track_task("count")
        async def count() -> int:
            return 1

    boat = await Boat.build()
    assert await boat.sail(5) + await Boat.sail(boat, 6) + await boat.count() == 12
    assert started(monitor) == {"build": 1, "sail": 2, "count": 1}
