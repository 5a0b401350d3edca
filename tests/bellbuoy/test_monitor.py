"""AsyncMonitor counts everything that starts, and everything that has started ends once."""

import asyncio
import dataclasses
import functools
import gc
import inspect
import time
import types
import typing
import weakref
from collections import Counter
from collections.abc import Coroutine, Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bellbuoy.metrics import OTHER
from bellbuoy.monitor import MAX_NAMES, AsyncMonitor, Span
from bellbuoy.taskrecord import TaskStats

OUTCOMES = ("running", "completed", "failed", "cancelled", "timed_out")


@types.coroutine
def pause() -> Generator[None, Any, Any]:
    """Wait until whoever drives the coroutine sends or throws something."""
    return (yield)


def counts(stats: TaskStats) -> tuple[int, ...]:
    """Return how many of what has started run, and how the others ended."""
    assert stats.started == sum(getattr(stats, outcome) for outcome in OUTCOMES)
    assert sum(stats.buckets) == stats.started - stats.running
    return tuple(getattr(stats, outcome) for outcome in OUTCOMES)


@pytest.fixture
def monitor() -> AsyncMonitor:
    """Return a monitor that knows no names."""
    return AsyncMonitor()


def of(monitor: AsyncMonitor, name: str = "work") -> dict[str, int]:
    """Return the counts of one name that are not zero."""
    found = zip(OUTCOMES, counts(monitor.get_stats().tasks[name]), strict=True)
    return {outcome: count for outcome, count in found if count}


# Decorated functions


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


def test_the_newest_failure_is_shown(monitor: AsyncMonitor) -> None:
    """Its type and the first 200 characters of its message; a time-out is a failure."""
    for error in (ValueError("first"), TimeoutError("x" * 300)):
        with pytest.raises(type(error)), monitor.span("work"):
            raise error
    with pytest.raises(asyncio.CancelledError), monitor.span("work"):
        raise asyncio.CancelledError
    shown = monitor.get_stats().tasks["work"].last_error
    assert shown is not None
    assert (shown.type, shown.message) == ("TimeoutError", "x" * 200)


def test_an_exception_that_cannot_be_shown_is_counted_all_the_same(monitor: AsyncMonitor) -> None:
    """And it, not the failure to show it, reaches the caller."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(Mute), monitor.span("work"):
        raise Mute
    shown = monitor.get_stats().tasks["work"].last_error
    assert shown is not None
    assert (shown.type, shown.message) == ("Mute", "unprintable: RuntimeError")
    assert of(monitor) == {"failed": 1}


def test_whatever_is_shown_can_be_encoded(monitor: AsyncMonitor) -> None:
    """File names in messages and names may hold surrogates, which JSON cannot."""
    with pytest.raises(FileNotFoundError), monitor.span("read \udcff"):
        raise FileNotFoundError("no file \udcff")
    monitor.span("read \udcff")
    (stats,) = monitor.get_stats().tasks.values()
    assert stats.last_error is not None
    assert (stats.name, stats.last_error.message) == ("read ?", "no file ?")


def test_the_times_of_a_decorated_call_are_kept(monitor: AsyncMonitor) -> None:
    """From just before it to just after it, however long it lasts."""
    work = monitor.track_task("work")(pause)()
    times = [time.time()]
    work.send(None)
    times.append(time.time())
    before = monitor.get_stats().tasks["work"]
    with pytest.raises(StopIteration):
        work.send(None)
    times.append(time.time())
    after = monitor.get_stats().tasks["work"]
    assert (before.last_success, before.seconds) == (0.0, 0.0)
    assert times[0] - 1 <= before.last_start <= times[1] + 1
    assert after.last_start == pytest.approx(before.last_start, abs=1)
    assert after.last_start <= after.last_success <= times[2] + 1
    assert after.seconds == pytest.approx(after.last_success - after.last_start, abs=1e-6)
    assert after.seconds > 0


def test_durations_and_times_are_kept(monitor: AsyncMonitor) -> None:
    """Starts and successes in Unix time, failures do not count as success."""
    with pytest.raises(ValueError, match="no"), monitor.span("work"):
        raise ValueError("no")
    assert monitor.get_stats().tasks["work"].last_success == 0.0
    with monitor.span("work"):
        pass
    stats = monitor.get_stats().tasks["work"]
    assert stats.last_error is not None
    assert 0 <= stats.seconds < 60
    assert stats.last_start <= stats.last_success < stats.last_start + 60
    assert abs(stats.last_start - stats.last_error.at) < 60


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


# Spans


def test_a_span_is_counted_like_a_call(monitor: AsyncMonitor) -> None:
    """It gives itself to its body."""
    with monitor.span("work") as span:
        assert isinstance(span, Span)
        assert of(monitor) == {"running": 1}
    assert of(monitor) == {"completed": 1}


def test_a_span_can_be_used_again(monitor: AsyncMonitor) -> None:
    """One after the other."""
    span = monitor.span("work")
    for _ in range(3):
        with span:
            pass
    assert of(monitor) == {"completed": 3}


def test_spans_of_one_name_nest(monitor: AsyncMonitor) -> None:
    """Each has its own start."""
    with monitor.span("work"), monitor.span("work"):
        assert of(monitor) == {"running": 2}
    assert of(monitor) == {"completed": 2}


def test_a_running_span_cannot_be_entered_again(monitor: AsyncMonitor) -> None:
    """The mistake is told at once and spoils no count."""
    with monitor.span("work") as span:
        with pytest.raises(RuntimeError, match="span work runs already"):
            span.__enter__()
        assert of(monitor) == {"running": 1}
    assert of(monitor) == {"completed": 1}


# Tasks


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


@pytest.mark.parametrize("error, outcome", [(ValueError, "failed"), (TimeoutError, "timed_out")])
async def test_the_failure_of_a_task_is_logged(
    monitor: AsyncMonitor, error: type[Exception], outcome: str
) -> None:
    """With its traceback, since nobody may ever ask for the result."""

    async def fail() -> None:
        raise error("no")

    with capture_logs() as logs:
        task = monitor.create_task(fail(), name="work")
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert of(monitor) == {outcome: 1}
    (log,) = logs
    assert (log["event"], log["task"], log["log_level"]) == ("task failed", "work", "error")
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
    assert of(monitor) == {}


# Bounds


def test_names_beyond_the_bound_are_other(monitor: AsyncMonitor) -> None:
    """They are counted together, and how many they were is known."""
    for number in range(MAX_NAMES + 3):
        for _ in range(2):
            with monitor.span(str(number)):
                pass
    stats = monitor.get_stats()
    assert len(stats.tasks) == MAX_NAMES + 1
    assert of(monitor, "0") == {"completed": 2}
    assert of(monitor, OTHER) == {"completed": 6}
    assert stats.dropped_names == 3


def test_strange_names_are_bounded_like_others(monitor: AsyncMonitor) -> None:
    """A name that is shown as one already known is that one, also when all places are taken."""
    for number in range(MAX_NAMES):
        monitor.span(f"{number}?")
    for number in range(MAX_NAMES):
        monitor.span(f"{number}\udcff")
    assert len(monitor.get_stats().tasks) == MAX_NAMES
    assert monitor.get_stats().dropped_names == 0


def test_the_memory_of_dropped_names_is_bounded(monitor: AsyncMonitor) -> None:
    """A name in every request fills nothing."""
    for number in range(20 * MAX_NAMES):
        monitor.span(str(number))
    assert monitor.get_stats().dropped_names == 10 * MAX_NAMES


async def test_a_task_counted_as_other_keeps_its_name(monitor: AsyncMonitor) -> None:
    """In asyncio's messages it is still itself."""
    for number in range(MAX_NAMES):
        monitor.span(str(number))

    async def work() -> None: ...

    task = monitor.create_task(work(), name="late")
    await task
    assert task.get_name() == "late"
    assert monitor.get_stats().tasks[OTHER].started == 1


def test_statistics_are_a_frozen_snapshot(monitor: AsyncMonitor) -> None:
    """Nobody can write into them, and they do not change."""
    monitor.span("work")
    stats = monitor.get_stats()
    with monitor.span("work"), monitor.span("new"):
        assert list(stats.tasks) == ["work"]
        assert stats.tasks["work"].started == 0
    with pytest.raises(TypeError, match="does not support item assignment"):
        stats.tasks["work"] = stats.tasks["work"]  # type: ignore[index]  # that is the point
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.dropped_names = 1  # type: ignore[misc]  # that is the point


# Every interleaving


ENDINGS = {"failed": OSError, "cancelled": asyncio.CancelledError, "timed_out": TimeoutError}


class Run:
    """One piece of work, driven by hand: a decorated call or a span."""

    def __init__(self, monitor: AsyncMonitor, name: str, kind: str) -> None:
        """Start it; it waits until it is told how to end."""
        self.name = name
        self._coroutine: Coroutine[Any, Any, None]
        if kind == "call":
            self._coroutine = monitor.track_task(name)(pause)()
        else:
            self._coroutine = self._within(monitor.span(name))
        self._coroutine.send(None)

    @staticmethod
    async def _within(span: Span) -> None:
        with span:
            await pause()

    def end(self, outcome: str) -> None:
        """End it as ``outcome`` says."""
        if outcome == "closed":
            self._coroutine.close()
        elif outcome == "completed":
            with pytest.raises(StopIteration):
                self._coroutine.send(None)
        else:
            with pytest.raises(ENDINGS[outcome]):
                self._coroutine.throw(ENDINGS[outcome])


STARTS = st.tuples(st.sampled_from("abc"), st.sampled_from(["call", "span"]))
ENDS = st.tuples(st.integers(0, 20), st.sampled_from([*OUTCOMES[1:], "closed"]))


@pytest.mark.slow
@given(st.lists(STARTS | ENDS, max_size=40))
@settings(max_examples=100)
def test_whatever_happens_in_whatever_order_adds_up(
    steps: list[tuple[str, str] | tuple[int, str]],
) -> None:
    """For each name and in total, after every step: started is running plus all that ended."""
    monitor, running = AsyncMonitor(), list[Run]()
    model: dict[str, Counter[str]] = {}
    for what, how in steps:
        if isinstance(what, str):
            running.append(Run(monitor, what, how))
            model.setdefault(what, Counter())["running"] += 1
        elif running:
            run = running.pop(what % len(running))
            run.end(how)
            model[run.name]["running"] -= 1
            model[run.name]["cancelled" if how == "closed" else how] += 1
        tasks = monitor.get_stats().tasks
        assert {name: counts(stats) for name, stats in tasks.items()} == {
            name: tuple(model[name][outcome] for outcome in OUTCOMES) for name in model
        }
    for run in running:
        run.end("closed")
    total = monitor.get_stats().tasks.values()
    assert sum(stats.running for stats in total) == 0
