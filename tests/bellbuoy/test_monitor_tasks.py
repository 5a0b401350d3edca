"""AsyncMonitor keeps the tasks that it makes, counts them, and logs their failures."""

import asyncio
import gc
import typing
import weakref

import pytest
from structlog.testing import capture_logs

from bellbuoy.monitor import AsyncMonitor
from tests.bellbuoy.monitoring import monitor, of

__all__ = ["monitor"]


async def test_a_task_is_counted_from_its_creation_to_its_end(monitor: AsyncMonitor) -> None:
    """Before the loop has run it, and with its result."""

    async def answer() -> int:
        return 42

    task = monitor.create_task(answer(), name="work")
    assert of(monitor) == {"running": 1}
    typing.assert_type(await task, int)
    await asyncio.sleep(0)
    assert (task.result(), task.get_name()) == (42, "work")
    assert of(monitor) == {"completed": 1}


async def test_a_task_without_a_name_has_its_coroutines(monitor: AsyncMonitor) -> None:
    """On the dashboard as in asyncio's own messages."""

    async def answer() -> None: ...

    task = monitor.create_task(answer())
    await task
    assert task.get_name().endswith("<locals>.answer")
    assert list(monitor.get_stats().tasks) == [task.get_name()]


async def test_a_task_cancelled_before_its_first_step_is_counted(monitor: AsyncMonitor) -> None:
    """The coroutine never ran, so only the task can tell."""

    @monitor.track_task("inner")
    async def work() -> None: ...

    task = monitor.create_task(work(), name="work")
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert of(monitor) == {"cancelled": 1}
    assert of(monitor, "inner") == {}


async def test_a_decorated_coroutine_is_counted_once(monitor: AsyncMonitor) -> None:
    """By its decorator, whose name may be another than the function's."""

    async def work() -> None: ...

    plain, named = monitor.track_task()(work), monitor.track_task("named")(work)
    tasks = [monitor.create_task(each()) for each in (plain, plain, named)]
    await asyncio.wait(tasks)
    await asyncio.sleep(0)
    assert {task.get_name() for task in tasks} == {work.__qualname__}
    assert set(monitor.get_stats().tasks) == {work.__qualname__, "named"}
    assert of(monitor, work.__qualname__) == {"completed": 2}
    assert of(monitor, "named") == {"completed": 1}


async def test_a_decorated_coroutine_that_is_given_a_name_counts_for_both(
    monitor: AsyncMonitor,
) -> None:
    """The one is the task's, the other the call's."""

    @monitor.track_task("inner")
    async def work() -> None: ...

    await monitor.create_task(work(), name="work")
    await asyncio.sleep(0)
    assert of(monitor) == of(monitor, "inner") == {"completed": 1}


async def test_a_decorated_coroutine_cancelled_before_its_first_step_is_not_counted(
    monitor: AsyncMonitor,
) -> None:
    """None of it ran, and the decorator counts what runs."""

    @monitor.track_task("work")
    async def work() -> None: ...

    task = monitor.create_task(work())
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert list(monitor.get_stats().tasks) == ["work"]
    assert of(monitor) == {}


@pytest.mark.parametrize("is_decorated", [False, True])
@pytest.mark.parametrize("error, outcome", [(ValueError, "failed"), (TimeoutError, "timed_out")])
async def test_the_failure_of_a_task_is_logged(
    monitor: AsyncMonitor, error: type[Exception], outcome: str, *, is_decorated: bool
) -> None:
    """With its traceback, since nobody may ever ask for the result; whoever counts it."""

    async def fail() -> None:
        raise error("no")

    work = monitor.track_task()(fail) if is_decorated else fail
    with capture_logs() as logs:
        task = monitor.create_task(work())
        await asyncio.wait([task])
        await asyncio.sleep(0)
    name = fail.__qualname__
    assert of(monitor, name) == {outcome: 1}
    (log,) = logs
    assert (log["event"], log["task"], log["log_level"]) == ("task failed", name, "error")
    assert log["exc_info"] is task.exception()


async def test_a_task_is_kept_alive_until_it_ends(monitor: AsyncMonitor) -> None:
    """Though nobody else refers to it, or to what it waits for."""

    async def wait_for_nobody() -> None:
        await asyncio.get_running_loop().create_future()

    task = weakref.ref(monitor.create_task(wait_for_nobody(), name="work"))
    await asyncio.sleep(0)
    gc.collect()
    assert of(monitor) == {"running": 1}
    alive = task()
    assert alive is not None
    alive.cancel()
    await asyncio.wait([alive])
    del alive
    await asyncio.sleep(0)
    gc.collect()
    assert task() is None
    assert of(monitor) == {"cancelled": 1}


def test_a_task_needs_a_running_loop(monitor: AsyncMonitor) -> None:
    """Without one nothing has started."""

    async def work() -> None: ...

    coroutine = work()
    with pytest.raises(RuntimeError, match="no running event loop"):
        monitor.create_task(coroutine, name="work")
    coroutine.close()
    assert monitor.get_stats().tasks == {}
