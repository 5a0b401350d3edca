"""The inspector: what has been running longest, and where it waits."""

import asyncio
import gc
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from operator import itemgetter
from types import CodeType, CoroutineType
from typing import Any

from bellbuoy.monitor import AsyncMonitor

_DEPTH = 20

# Where a TaskGroup waits for its tasks; the second is Python 3.14's.
_GROUP_ENDS = {
    function.__code__
    for name in ("__aexit__", "_aexit")
    if (function := getattr(asyncio.TaskGroup, name, None))
}


@dataclass(frozen=True)
class RunningTask:
    """One piece of work that has not ended.

    Args:
        name: Its task name.
        age: Seconds since its start.
        stack: Where it waits, outermost first: ``function (file:line)``.
    """

    name: str
    age: float
    stack: tuple[str, ...]


def oldest(monitor: AsyncMonitor, limit: int = 20) -> list[RunningTask]:
    """Return the ``limit`` oldest pieces of running work, oldest first.

    Each record's table is in order of start, so only its first entries are looked at.
    """
    now = time.monotonic_ns()
    candidates = (
        (start, record.name, work)
        for record in monitor.records()
        # A list at once: the collector may close a forgotten coroutine and so change the table.
        for work in list(islice(record.running, limit))
        if (start := record.running.get(work)) is not None
    )
    return [
        RunningTask(name, (now - start) / 1e9, tuple(await_stack(work)))
        for start, name, work in nsmallest(limit, candidates, key=itemgetter(0))
    ]


def await_stack(work: object) -> Iterator[str]:
    """Yield where a coroutine or a task waits, outermost first, at most 20 deep.

    What waits for a task is followed into it; of several, as ``gather`` and a ``TaskGroup`` have
    them, into one that has not ended. A span is no coroutine and has no stack.
    """
    awaited: Any = work.get_coro() if hasattr(work, "get_coro") else work
    for _ in range(_DEPTH):
        if not isinstance(awaited, CoroutineType) or awaited.cr_frame is None:
            return
        yield _place(awaited.cr_code, awaited.cr_frame.f_lineno)
        awaited = _awaited_by(awaited)


def _awaited_by(coroutine: "CoroutineType[Any, Any, Any]") -> Any:
    """Return the coroutine that another one waits for, at once or as a task; else anything."""
    awaited = coroutine.cr_await
    if awaited is None or isinstance(awaited, CoroutineType):
        return awaited
    # The iterator of a future does not tell which future it is of.
    for future in gc.get_referents(awaited):
        if isinstance(future, asyncio.Task):
            return future.get_coro()
        if isinstance(future, asyncio.Future):
            return _unfinished(getattr(future, "_children", ())) or _member(coroutine)
    return None


def _member(coroutine: "CoroutineType[Any, Any, Any]") -> Any:
    """Return the coroutine of one of the tasks that the end of a ``TaskGroup`` waits for."""
    frame = coroutine.cr_frame
    # Of nothing else: looking at the locals of a frame keeps them alive before Python 3.13.
    if frame is None or coroutine.cr_code not in _GROUP_ENDS:
        return None
    return _unfinished(frame.f_locals["self"]._tasks)  # noqa: SLF001


def _unfinished(tasks: Iterable[Any]) -> Any:
    return next(
        (task.get_coro() for task in tasks if isinstance(task, asyncio.Task) and not task.done()),
        None,
    )


def _place(code: CodeType, line: int) -> str:
    return f"{code.co_qualname} ({code.co_filename.rpartition('/')[2]}:{line})"
