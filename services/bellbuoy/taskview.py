"""What ``/tasks`` shows: AsyncMonitor's task names over all workers, and what runs longest."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from bellbuoy.inspector import RunningTask
from bellbuoy.percentile import percentile
from bellbuoy.snapshot import LIVE, Process, Snapshot
from bellbuoy.taskmetrics import DURATION, FINISHED, LAST_SUCCESS, OUTCOMES, RUNNING, STARTED
from bellbuoy.taskrecord import BUCKETS, LastError


class WorkerText(msgspec.Struct, frozen=True):
    """What a worker writes into its text block once a second.

    Args:
        running: What runs longest, and how old it is at that moment.
        errors: The newest failure of each task name.
        at: That moment, by ``time.monotonic()``: a blocked worker writes nothing, but what it runs
            grows older all the same.
    """

    running: list[RunningTask]
    errors: dict[str, LastError]
    at: float = msgspec.field(default_factory=time.monotonic)


@dataclass(frozen=True)
class TaskInWorker:
    """One task name in one traffic worker and in those that had its slot before.

    Args:
        started: Calls that began.
        running: Calls that have not ended.
        buckets: How many of those that ended fell into each bucket of the histogram, and above.
    """

    started: int
    running: int
    buckets: tuple[int, ...]


@dataclass(frozen=True)
class TaskName:
    """One task name over all workers that ever ran.

    Args:
        started: Calls that began.
        running: Calls that have not ended.
        outcomes: Calls that ended, by outcome.
        seconds: Their summed duration.
        buckets: How many of them fell into each bucket of the histogram, and above.
        p50: Seconds that half of them did not exceed; absent before the first.
        p99: Seconds that 99 of 100 did not exceed.
        last_success: Unix time in seconds of the newest return, 0.0 for never.
        last_error: The newest failure in a living worker.
        workers: The same of each living traffic worker that has begun any, by its slot's number;
            another release may not tell.
    """

    started: int
    running: int
    outcomes: dict[str, int]
    seconds: float
    buckets: tuple[int, ...]
    p50: float | None
    p99: float | None
    last_success: float
    last_error: LastError | None
    workers: dict[int, TaskInWorker] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningInWorker:
    """One of the oldest pieces of running work."""

    worker: int
    pid: int
    task: RunningTask


@dataclass(frozen=True)
class WorkerView:
    """One traffic worker.

    Args:
        worker: Its slot's number.
        pid: Its process id.
        state: What it is doing.
        beat_age: Seconds since its last sign of life; more than two is a blocked loop.
        lag: The longest that its event loop was late in the last second, in seconds.
        connections: Connections it holds.
    """

    worker: int
    pid: int
    state: str
    beat_age: float
    lag: float
    connections: int


@dataclass(frozen=True)
class TaskView:
    """The whole picture.

    Args:
        tasks: Every task name.
        oldest: What runs longest, over all workers, oldest first.
        workers: Every traffic worker.
    """

    tasks: dict[str, TaskName]
    oldest: list[RunningInWorker]
    workers: list[WorkerView]


def view(snapshot: Snapshot, limit: int = 50) -> TaskView:
    """Return what ``snapshot`` tells of tasks, with at most ``limit`` running ones."""
    texts = {
        process: msgspec.json.decode(process.text, type=WorkerText)
        for process in snapshot.traffic
        if process.text
    }
    oldest = [
        RunningInWorker(process.slot, process.pid, _aged(task, snapshot.at - text.at))
        for process, text in texts.items()
        for task in text.running
    ]
    oldest.sort(key=lambda each: -each.task.age)
    workers = [_worker(process) for process in snapshot.traffic]
    return TaskView(_tasks(snapshot, list(texts.values())), oldest[:limit], workers)


def _aged(task: RunningTask, seconds: float) -> RunningTask:
    return replace(task, age=task.age + max(0.0, seconds))


def _worker(process: Process) -> WorkerView:
    return WorkerView(
        worker=process.slot,
        pid=process.pid,
        state=process.state.name.lower(),
        beat_age=round(process.beat_age, 3),
        lag=process.lag,
        connections=process.connections,
    )


def _tasks(snapshot: Snapshot, texts: list[WorkerText]) -> dict[str, TaskName]:
    running, success = (
        {each.labels[0]: each.value for each in snapshot.series(family.name)}
        for family in (RUNNING, LAST_SUCCESS)
    )
    durations = {each.labels[0]: each.cells for each in snapshot.series(DURATION.name)}
    workers = {
        process.slot: _in_worker(snapshot, process.slot)
        for process in snapshot.traffic
        if process.state in LIVE
    }
    none = (0.0,) * DURATION.width
    finished = {each.labels: int(each.value) for each in snapshot.series(FINISHED.name)}
    return {
        name: TaskName(
            started=int(each.value),
            running=int(running.get(name, 0)),
            outcomes={outcome: finished.get((name, outcome), 0) for outcome in OUTCOMES},
            seconds=durations.get(name, none)[-1],
            buckets=tuple(map(int, durations.get(name, none)[:-1])),
            p50=share(durations.get(name, none), 0.5),
            p99=share(durations.get(name, none), 0.99),
            last_success=success.get(name, 0.0),
            last_error=_newest(name, texts),
            workers={slot: here[name] for slot, here in workers.items() if name in here},
        )
        for each in snapshot.series(STARTED.name)
        for name in each.labels
    }


def _in_worker(snapshot: Snapshot, slot: int) -> dict[str, TaskInWorker]:
    """Return what one slot counted, by the names that have begun there."""
    families = (STARTED, RUNNING, DURATION)
    started, running, durations = (
        {each.labels[0]: each.cells for each in snapshot.series_in(slot, family)}
        for family in families
    )
    return {
        name: TaskInWorker(
            started=int(count),
            running=int(running[name][0]) if name in running else 0,
            buckets=tuple(map(int, durations.get(name, (0.0,) * DURATION.width)[:-1])),
        )
        for name, (count,) in started.items()
        if count
    }


def share(buckets: Sequence[float], part: float) -> float | None:
    """Return the seconds that ``part`` of all calls did not exceed, ``None`` if there are none."""
    seconds = percentile(BUCKETS, buckets, part)
    return None if math.isnan(seconds) else round(seconds, 6)


def _newest(name: str, texts: list[WorkerText]) -> LastError | None:
    errors = [text.errors[name] for text in texts if name in text.errors]
    return max(errors, key=lambda error: error.at, default=None)
