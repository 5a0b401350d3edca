"""The inspector shows what has been running longest, and where it waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from bellbuoy.inspector import RunningTask, await_stack, oldest
from bellbuoy.monitor import AsyncMonitor

SECOND = 1_000_000_000


@pytest.fixture
def monitor() -> AsyncMonitor:
    """Return a monitor that knows no names."""
    return AsyncMonitor()


def functions(stack: tuple[str, ...]) -> list[str]:
    """Return the last part of each function's name, outermost first."""
    return [place.partition(" (")[0].rpartition(".")[2] for place in stack]


def run_since(monitor: AsyncMonitor, name: str, *ages: float) -> None:
    """Have work of these ages, in seconds, run under ``name``; the oldest comes first."""
    now = time.monotonic_ns()
    for age in ages:
        monitor.record(name).begin(object(), now - int(age * SECOND))


def test_nothing_runs(monitor: AsyncMonitor) -> None:
    """A name that was used is no running work."""
    with monitor.span("work"):
        pass
    assert oldest(monitor) == []


def test_the_oldest_come_first_across_names(monitor: AsyncMonitor) -> None:
    """And the youngest are left out."""
    run_since(monitor, "b", 500, 300, 100)
    run_since(monitor, "a", 400, 200)
    run_since(monitor, "c", 600)
    found = oldest(monitor, limit=4)
    assert [(task.name, round(task.age, -2)) for task in found] == [
        ("c", 600),
        ("b", 500),
        ("a", 400),
        ("b", 300),
    ]


def test_one_name_may_have_all_of_the_oldest(monitor: AsyncMonitor) -> None:
    """As many as asked for, from any one table."""
    run_since(monitor, "young", 1, 1, 1)
    run_since(monitor, "old", *range(900, 100, -100))
    assert {task.name for task in oldest(monitor, limit=8)} == {"old"}


def test_a_span_is_listed_without_a_stack(monitor: AsyncMonitor) -> None:
    """It is no coroutine; its age is what it has run for."""
    with monitor.span("work"):
        (task,) = oldest(monitor)
    assert (task.name, task.stack) == ("work", ())
    assert 0 <= task.age < 60


def test_work_that_ends_while_it_is_looked_at_is_left_out(monitor: AsyncMonitor) -> None:
    """Looking may free garbage, and freeing a forgotten coroutine ends it."""
    record = monitor.record("work")

    class Collected:
        def __hash__(self) -> int:
            record.running.pop("forgotten", None)
            return 1

    run_since(monitor, "work", 3)
    record.running[Collected()] = time.monotonic_ns()
    record.begin("forgotten", time.monotonic_ns())
    assert len(oldest(monitor)) == 2


async def test_a_decorated_call_shows_where_it_waits(monitor: AsyncMonitor) -> None:
    """From the decorated function inwards, with file and line."""

    async def fetch() -> None:
        await gate.wait()

    @monitor.track_task("handle")
    async def handle() -> None:
        await fetch()

    gate = asyncio.Event()
    waiting = asyncio.ensure_future(handle())
    await asyncio.sleep(0)
    (task,) = oldest(monitor)
    assert functions(task.stack) == ["handle", "fetch", "wait"]
    assert all(" (test_inspector.py:" in place for place in task.stack[:2])
    assert "locks.py:" in task.stack[2]
    line = int(task.stack[1].rpartition(":")[2].rstrip(")"))
    assert line == fetch.__code__.co_firstlineno + 1
    gate.set()
    await waiting
    assert oldest(monitor) == []


async def test_a_task_shows_where_its_coroutine_waits(monitor: AsyncMonitor) -> None:
    """Also before its first step."""

    async def handle() -> None:
        await gate.wait()

    gate = asyncio.Event()
    waiting = monitor.create_task(handle(), name="handle")
    assert functions(oldest(monitor)[0].stack) == ["handle"]
    await asyncio.sleep(0)
    assert functions(oldest(monitor)[0].stack) == ["handle", "wait"]
    gate.set()
    await waiting
    assert list(await_stack(waiting)) == []


async def waiting_for(kind: str, child: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for tasks of ``child`` in one of the ways that asyncio knows; one ends at once."""
    if kind == "task":
        await asyncio.ensure_future(child())
    elif kind == "gather":
        await asyncio.gather(asyncio.sleep(0), child())
    else:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            group.create_task(child())


@pytest.mark.parametrize("kind", ["task", "gather", "group"])
async def test_the_stack_goes_on_in_the_task_that_is_waited_for(
    monitor: AsyncMonitor, kind: str
) -> None:
    """Of several in one that has not ended."""

    async def child() -> None:
        await gate.wait()

    gate = asyncio.Event()
    waiting = asyncio.ensure_future(monitor.track_task("handle")(waiting_for)(kind, child))
    for _ in range(5):
        await asyncio.sleep(0)
    ((first, *_, last, gated),) = [functions(task.stack) for task in oldest(monitor)]
    assert (first, last, gated) == ("waiting_for", "child", "wait")
    gate.set()
    await waiting


async def test_a_bare_future_ends_the_stack(monitor: AsyncMonitor) -> None:
    """Nobody knows who will fulfil it."""

    @monitor.track_task("handle")
    async def handle() -> None:
        await future

    future = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(handle())
    await asyncio.sleep(0)
    assert [functions(task.stack) for task in oldest(monitor)] == [["handle"]]
    future.set_result(None)
    await waiting


async def test_running_code_can_see_itself(monitor: AsyncMonitor) -> None:
    """What runs now is at its own line."""

    @monitor.track_task("handle")
    async def handle() -> list[RunningTask]:
        return oldest(monitor)

    (task,) = await handle()
    assert functions(task.stack) == ["handle"]


async def test_the_stack_ends_where_python_cannot_look(monitor: AsyncMonitor) -> None:
    """An asynchronous generator hides what it waits for."""

    async def items() -> AsyncIterator[int]:
        await gate.wait()
        yield 1

    @monitor.track_task("handle")
    async def handle() -> int:
        return sum([item async for item in items()])

    gate = asyncio.Event()
    waiting = asyncio.ensure_future(handle())
    await asyncio.sleep(0)
    assert functions(oldest(monitor)[0].stack)[0] == "handle"
    gate.set()
    assert await waiting == 1


async def test_the_stack_is_bounded(monitor: AsyncMonitor) -> None:
    """Recursion shows its outermost twenty."""

    async def dive(depth: int) -> None:
        await (dive(depth - 1) if depth else gate.wait())

    gate = asyncio.Event()
    waiting = monitor.create_task(dive(50), name="dive")
    await asyncio.sleep(0)
    assert functions(oldest(monitor)[0].stack) == ["dive"] * 20
    gate.set()
    await waiting
