"""AsyncMonitor: what an asyncio program is doing, counted completely and cheaply.

Law of this file: a task name's running work is a table from the work to its start, and its
ended work is a histogram of durations. Everything else follows: started is ended plus running,
completed is ended minus the failures. So a decorated call costs two clock reads, a table entry
and a bucket.
"""

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, MappingProxyType, TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

import structlog

from bellbuoy.metrics import OTHER
from bellbuoy.shown import message, name_of
from bellbuoy.taskrecord import LastError, Outcome, TaskRecord, TaskStats

P = ParamSpec("P")
R = TypeVar("R")

MAX_NAMES = 64
"""Task names a monitor tells apart; later ones are counted together under ``other``.

A name is cut to the :data:`~bellbuoy.names.VALUE_BYTES` bytes that all processes share of it.
"""

MAX_DROPPED = 10 * MAX_NAMES
"""Names beyond the bound that are told apart to count them; more are not counted."""

_log = structlog.get_logger("bellbuoy.monitor")


@dataclass(frozen=True)
class MonitorStats:
    """What :meth:`AsyncMonitor.get_stats` returns.

    Args:
        tasks: The counts of each task name.
        dropped_names: Names that came when :data:`MAX_NAMES` were known; counted up to ten times
            as many.
    """

    tasks: Mapping[str, TaskStats]
    dropped_names: int


class AsyncMonitor:
    """Counts the work of an asyncio program, by task name.

    Concurrent runs of one name never overwrite each other, cancellation is an outcome of its
    own, durations come from a monotonic clock, and memory is bounded by :data:`MAX_NAMES` and by
    what runs at once. It needs no event loop and no host: in a plain script ``get_stats`` is all
    there is. Use it from one thread.
    """

    def __init__(self) -> None:
        """Know no names yet."""
        self._records: dict[str, TaskRecord] = {}
        self._dropped: set[int] = set()  # hashes: what is not shown need not be kept
        self._tasks: set[asyncio.Task[Any]] = set()
        self._counted_code: CodeType | None = None
        self._counts_itself = False

    def track_task(
        self, name: str | None = None
    ) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
        """Return a decorator that counts every call of a coroutine function.

        Signature, docstring and types stay; a method is a function, too (below ``@classmethod``
        and ``@staticmethod``). The outcome is *completed*, *failed* (it raised), *timed_out* (it
        raised ``TimeoutError``) or *cancelled* (also: closed unfinished).

        Args:
            name: The task name; by default the function's qualified name.

        Raises:
            TypeError: It is an asynchronous generator. That waits for whoever iterates over it, so
                its duration says nothing; put a :meth:`span` around what it does itself.
        """

        def decorate(
            function: Callable[P, Coroutine[Any, Any, R]],
        ) -> Callable[P, Coroutine[Any, Any, R]]:
            if inspect.isasyncgenfunction(function):
                raise TypeError(
                    f"{_title(function)} is an asynchronous generator: use a span in it"
                )
            record = self.record(name or _title(function))
            # Local names: an attribute look-up each would double the cost of a call.
            running, buckets, total, marks = (
                record.running,
                record.buckets,
                record.total,
                record.marks,
            )
            clock = time.monotonic_ns

            @functools.wraps(function)
            async def tracked(*args: P.args, **kwargs: P.kwargs) -> R:
                # An empty dictionary would be copied. For mypy, P needs both.
                work = function(*args, **kwargs) if kwargs else function(*args)  # type: ignore[call-arg]
                running[work] = marks[0] = start = clock()
                try:
                    result = await work
                except BaseException as error:
                    self.failed(record, work, error)
                    raise
                del running[work]
                marks[1] = now = clock()
                elapsed = now - start
                buckets[elapsed.bit_length()] += 1
                total[0] += elapsed
                return result

            # All wrappers share one code object; by it the task factory knows them.
            self._counted_code = cast("FunctionType", tracked).__code__
            return tracked

        return decorate

    def span(self, name: str) -> "Span":
        """Return a context manager that counts its body like a decorated call."""
        return Span(self, self.record(name))

    def create_task(
        self, coroutine: Coroutine[Any, Any, R], *, name: str | None = None
    ) -> "asyncio.Task[R]":
        """Start a task that is counted, kept alive until it ends, and whose failure is logged.

        It is registered before the loop can run it, so it is counted even when it is cancelled
        before its first step. A decorated coroutine without a ``name`` here is counted by its
        decorator alone, and so not at all when it is cancelled before its first step.

        Args:
            coroutine: What to run.
            name: The task name; by default the coroutine's qualified name. Given for a decorated
                coroutine, it is counted beside the decorator's.
        """
        counted = not name and self._is_counted(coroutine)
        name = name or _title(coroutine)
        make = functools.partial(asyncio.get_running_loop().create_task, coroutine, name=name)
        self._counts_itself = True
        try:
            task = make() if counted else self._counted_task(self.record(name), coroutine, make)
        finally:
            self._counts_itself = False
        if not task.done():
            self._tasks.add(task)
        task.add_done_callback(functools.partial(self._log_failure, name))
        return task

    def task_factory(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, R] | Generator[Any, None, R],
        **options: Any,
    ) -> "asyncio.Task[R]":
        """Make a task that is counted: for ``loop.set_task_factory(monitor.task_factory)``.

        So work is seen that nobody decorated: every task, by its coroutine's qualified name.
        What is counted anyway, decorated or by :meth:`create_task`, is not counted twice. The task
        is asyncio's own, and what becomes of its exception is up to whoever made it.

        Args:
            loop: Where it runs.
            coroutine: What to run.
            options: What asyncio passes on: ``name``, ``context``, from Python 3.14
                ``eager_start``.
        """
        make = functools.partial(asyncio.Task, coroutine, loop=loop, **options)
        # Taken back at once: an eager coroutine makes tasks of its own before this one exists.
        counted, self._counts_itself = self._counts_itself, False
        if counted or self._is_counted(coroutine):
            return make()
        return self._counted_task(self.record(_title(coroutine)), coroutine, make)

    def get_stats(self) -> MonitorStats:
        """Return a frozen snapshot of every task name."""
        offset = time.time_ns() - time.monotonic_ns()
        tasks = {record.name: record.stats(offset) for record in self.records()}
        return MonitorStats(MappingProxyType(tasks), len(self._dropped))

    def activity(self) -> list[tuple[int, int, int]]:
        """Return what differs from the last time if anything was counted since, cheaply.

        A clock that was set is such a thing, too: snapshots tell Unix time.
        """
        moved = [(each.marks[0], each.total[0], len(each.running)) for each in self.records()]
        minutes = (time.time_ns() - time.monotonic_ns()) // 60_000_000_000
        return [*moved, (len(self._dropped), minutes, 0)]

    def records(self) -> list[TaskRecord]:
        """Return the live records, for the inspector and the export."""
        return list(self._records.values())

    def record(self, name: str) -> TaskRecord:
        """Return the record of ``name``, or that of ``other`` when all places are taken."""
        record = self._records.get(name)
        return self._new_record(name_of(name)) if record is None else record

    def failed(self, record: TaskRecord, work: object, error: BaseException) -> None:
        """Count ``work`` as ended by ``error``."""
        outcome = _outcome(error)
        shown = None
        if outcome != "cancelled":
            shown = LastError(type(error).__name__, message(error), time.time())
        record.fail(work, outcome, time.monotonic_ns(), shown)

    def _is_counted(self, coroutine: object) -> bool:
        """Return whether it is a decorated function's, which counts itself."""
        return getattr(coroutine, "cr_code", None) is self._counted_code is not None

    def _counted_task(
        self, record: TaskRecord, work: object, make: Callable[[], "asyncio.Task[R]"]
    ) -> "asyncio.Task[R]":
        """Count ``work`` before ``make`` can run any of it, until its task has ended."""
        record.begin(work, time.monotonic_ns())
        try:
            task = make()
        except BaseException:  # such as a loop that is closed: it never started
            record.forget(work)
            raise
        task.add_done_callback(functools.partial(self._task_done, record, work))
        return task

    def _task_done(self, record: TaskRecord, work: object, task: "asyncio.Task[Any]") -> None:
        # Asked for by the method, an exception would count as retrieved and go unmentioned.
        error = asyncio.CancelledError() if task.cancelled() else task._exception  # noqa: SLF001 - both kinds of Task have it
        if error is None:
            record.succeed(work, time.monotonic_ns())
        else:
            self.failed(record, work, error)

    def _log_failure(self, name: str, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task failed", task=name, exc_info=error)

    def _new_record(self, name: str) -> TaskRecord:
        if len(self._records) >= MAX_NAMES and name not in self._records and name != OTHER:
            if len(self._dropped) < MAX_DROPPED:
                self._dropped.add(hash(name))
            name = OTHER
        return self._records.setdefault(name, TaskRecord(name))


class Span:
    """One counted body; made by :meth:`AsyncMonitor.span`, used once or again, not nested."""

    __slots__ = ("_monitor", "_record")

    def __init__(self, monitor: AsyncMonitor, record: TaskRecord) -> None:
        """Count into ``record``."""
        self._monitor = monitor
        self._record = record

    def __enter__(self) -> Self:
        """Start the clock.

        Raises:
            RuntimeError: It runs already; ask the monitor for a span of your own.
        """
        if self in self._record.running:
            raise RuntimeError(f"span {self._record.name} runs already")
        self._record.begin(self, time.monotonic_ns())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Count the outcome; the exception goes on."""
        if error is None:
            self._record.succeed(self, time.monotonic_ns())
        else:
            self._monitor.failed(self._record, self, error)


def _outcome(error: BaseException) -> Outcome:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    if isinstance(error, TimeoutError):
        return "timed_out"
    return "failed"


def _title(code: object) -> str:
    """Return the qualified name; a partial or a compiled coroutine may have none of its own."""
    return getattr(code, "__qualname__", None) or type(code).__qualname__
