"""AsyncMonitor counts every decorated call that starts, and each ends once."""

import asyncio
import functools
import gc
import inspect
import typing
import weakref
from typing import Any

import pytest

from bellbuoy.monitor import AsyncMonitor
from tests.bellbuoy.monitoring import monitor, of, pause

__all__ = ["monitor"]


def test_a_decorated_function_keeps_its_face(monitor: AsyncMonitor) -> None:
    """Name, signature, docstring, annotations, and being a coroutine function."""

    async def greet(name: str, *, loud: bool = False) -> str:
        """Greet somebody."""
        return name.upper() if loud else name

    tracked = monitor.track_task("greet")(greet)
    assert tracked.__name__ == "greet"
    assert tracked.__doc__ == "Greet somebody."
    assert inspect.signature(tracked) == inspect.signature(greet)
    assert typing.get_type_hints(tracked) == typing.get_type_hints(greet)
    assert inspect.iscoroutinefunction(tracked)


async def test_a_decorated_call_is_the_call(monitor: AsyncMonitor) -> None:
    """Arguments go in, the result comes out; the type checker knows both."""

    @monitor.track_task("work")
    async def join(first: int, *more: int, sep: str) -> str:
        return sep.join(map(str, (first, *more)))

    typing.assert_type(await join(1, 2, 3, sep="-"), str)
    assert await join(1, 2, 3, sep="-") == "1-2-3"
    assert of(monitor) == {"completed": 2}


async def test_the_name_is_the_functions_own_when_none_is_given(monitor: AsyncMonitor) -> None:
    """Qualified, so that two methods of one name are two; a partial is known by its type."""

    class Kitchen:
        @monitor.track_task()
        async def cook(self) -> None: ...

    await Kitchen().cook()
    await monitor.track_task()(functools.partial(Kitchen.cook, Kitchen()))()
    *_, method, partial = monitor.get_stats().tasks
    assert method.endswith("Kitchen.cook")
    assert partial == "partial"


@pytest.mark.parametrize(
    "error, outcome",
    [
        (ValueError("no"), "failed"),
        (TimeoutError("late"), "timed_out"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "failed"),
        (ExceptionGroup("both", [ValueError()]), "failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value,
)
def test_an_exception_is_counted_by_its_kind_and_goes_on(
    monitor: AsyncMonitor, error: BaseException, outcome: str
) -> None:
    """The very same exception, from a decorated call and from a span."""

    @monitor.track_task("work")
    async def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        work().send(None)
    assert caught.value is error
    with pytest.raises(type(error)) as caught, monitor.span("work"):
        raise error
    assert caught.value is error
    assert of(monitor) == {outcome: 2}


def test_a_coroutine_closed_unfinished_was_cancelled(monitor: AsyncMonitor) -> None:
    """Whether it is closed or forgotten."""
    work = monitor.track_task("work")(pause)
    closed, forgotten = work(), work()
    closed.send(None)
    forgotten.send(None)
    assert of(monitor) == {"running": 2}
    closed.close()
    del forgotten
    gc.collect()
    assert of(monitor) == {"cancelled": 2}


def test_a_coroutine_never_awaited_leaves_no_trace(monitor: AsyncMonitor) -> None:
    """Nothing has started; Python's own warning names the decorated function."""

    @monitor.track_task("work")
    async def forgotten() -> None: ...

    with pytest.warns(RuntimeWarning, match=r"forgotten' was never awaited"):
        forgotten()  # type: ignore[unused-coroutine]  # that is the point
    assert of(monitor) == {}


def test_calling_with_wrong_arguments_leaves_no_trace(monitor: AsyncMonitor) -> None:
    """The TypeError comes with the await; no work has started."""

    @monitor.track_task("work")
    async def work(number: int) -> int:
        return number

    with pytest.raises(TypeError, match="missing 1 required"):
        work().send(None)  # type: ignore[call-arg]  # that is the point
    assert of(monitor) == {}


def test_what_is_decorated_but_no_coroutine_fails_and_is_counted(monitor: AsyncMonitor) -> None:
    """The mistake shows at the first call, and in the numbers."""

    def plain() -> int:
        return 1

    tracked: Any = monitor.track_task("work")(plain)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="await"):
        tracked().send(None)
    assert of(monitor) == {"failed": 1}


async def test_concurrent_runs_of_one_name_are_told_apart(monitor: AsyncMonitor) -> None:
    """Ten run at once; each ends in its own way and time."""
    gate = asyncio.Event()

    @monitor.track_task("work")
    async def work(number: int) -> int:
        await gate.wait()
        if number % 2:
            raise ValueError(number)
        return number

    tasks = [asyncio.ensure_future(work(number)) for number in range(10)]
    await asyncio.sleep(0)
    assert of(monitor) == {"running": 10}
    tasks[0].cancel()
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert of(monitor) == {"completed": 4, "failed": 5, "cancelled": 1}


async def test_every_level_of_a_recursion_is_a_run(monitor: AsyncMonitor) -> None:
    """The innermost sees all of them running."""
    seen = []

    @monitor.track_task("work")
    async def dive(depth: int) -> None:
        seen.append(of(monitor)["running"])
        if depth:
            await dive(depth - 1)

    await dive(4)
    assert seen == [1, 2, 3, 4, 5]
    assert of(monitor) == {"completed": 5}


async def test_a_deadline_around_is_a_cancellation_within(monitor: AsyncMonitor) -> None:
    """Each level tells what happened to it."""

    @monitor.track_task("inner")
    async def inner() -> None:
        await asyncio.Event().wait()

    @monitor.track_task("outer")
    async def outer() -> None:
        async with asyncio.timeout(0):
            await inner()

    with pytest.raises(TimeoutError):
        await outer()
    assert (of(monitor, "inner"), of(monitor, "outer")) == ({"cancelled": 1}, {"timed_out": 1})


def test_an_ended_run_is_not_kept_alive(monitor: AsyncMonitor) -> None:
    """Neither what it worked with nor the exception it raised."""

    class Payload: ...

    @monitor.track_task("work")
    async def work(payload: Payload) -> None:
        raise ValueError(payload)

    payload = Payload()
    watch = weakref.ref(payload)
    with pytest.raises(ValueError, match="Payload"):
        work(payload).send(None)
    del payload
    gc.collect()
    assert watch() is None
