"""The tables: the processes, the tasks, and every number without a chart.

Law of this file: it decides nothing and formats nothing, and every table has a bound.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bellbuoy.host.probes import FRESH
from bellbuoy.host.statuspage.charts import rounded
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.usage import Usage
from bellbuoy.lifecycle import State
from bellbuoy.snapshot import Process
from bellbuoy.taskmetrics import DURATION, STARTED
from bellbuoy.taskrecord import LastError
from bellbuoy.taskview import TaskView

RUNNING = 12
"""Places where running tasks wait that are shown, those of the oldest."""

OTHERS = 60
"""Numbers without a chart that are shown."""

_SHOWN_ELSEWHERE = ("asyncmonitor_", "asyncio_", "bellbuoy_", "db_", "http_", "python_")

Use = Callable[[int], Usage | None]


@dataclass(frozen=True)
class ProcessRow:
    """One process.

    Args:
        name: ``supervisor``, ``admin`` or ``worker`` and its slot.
        pid: Its process id.
        state: What it does; ``blocked`` when it should beat and does not.
        beat_age: Seconds since its last sign of life.
        connections: Connections it holds, ``None`` where it is about none.
        age: Seconds since its start.
        cpu_seconds: Processor time it has taken since.
        memory: Bytes.
    """

    name: str
    pid: int
    state: str
    beat_age: float
    connections: int | None
    age: float
    cpu_seconds: float
    memory: int


@dataclass(frozen=True)
class TaskRow:
    """One task name.

    Args:
        name: The task name.
        started: Calls that began.
        running: Calls that have not ended.
        outcomes: Calls that ended, by outcome.
        rate: Calls that began, a second, in the interval.
        p99: Of the durations of those that ended in the interval, in seconds.
        last_error: The newest failure.
    """

    name: str
    started: int
    running: int
    outcomes: dict[str, int]
    rate: float
    p99: float | None
    last_error: LastError | None


@dataclass(frozen=True)
class Waiting:
    """Running tasks of one name that wait in one place.

    Args:
        name: The task name.
        age: Seconds since the start of the oldest.
        worker: Where the oldest runs.
        running: How many tasks of that name run, wherever they wait, in all workers.
        stack: Where they wait, outermost first.
    """

    name: str
    age: float
    worker: int
    running: int
    stack: tuple[str, ...]


@dataclass(frozen=True)
class Number:
    """One number without a chart."""

    name: str
    help: str
    value: float
    rate: float | None


def processes(interval: Interval, use: Use) -> list[ProcessRow]:
    """Return every process: workers, the admin process, the supervisor."""
    snapshot = interval.after
    rows = [_process(process, use) for process in snapshot.processes]
    rows.sort(key=lambda row: (row.connections is None, row.name))
    beat, state = snapshot.supervisor_beat_age, "stopping" if snapshot.stopping else "running"
    rows.append(_row("supervisor", snapshot.supervisor, state, beat, None, use))
    return rows


def rates(interval: Interval) -> dict[str, float]:
    """Return how many calls of each task name began in a second."""
    gains = interval.gains(STARTED.name)
    return {labels["task"]: rounded(gain / interval.seconds) or 0.0 for labels, gain in gains}


def tasks(interval: Interval, view: TaskView) -> list[TaskRow]:
    """Return every task name."""
    rows = [
        TaskRow(
            name=name,
            started=task.started,
            running=task.running,
            outcomes=task.outcomes,
            rate=rounded(interval.rate(STARTED.name, task=name)) or 0.0,
            p99=rounded(interval.percentile(DURATION.name, 0.99, task=name)),
            last_error=task.last_error,
        )
        for name, task in view.tasks.items()
    ]
    return sorted(rows, key=lambda row: row.name)


def running(view: TaskView) -> list[Waiting]:
    """Return what has been running longest: those that wait in the same place as one."""
    places: dict[tuple[str, tuple[str, ...]], Waiting] = {}
    for each in view.oldest:  # oldest first
        task, counted = each.task, view.tasks.get(each.task.name)
        # A name that found no place among those that all processes share is counted as another.
        count = counted.running if counted else 1
        first = Waiting(task.name, task.age, each.worker, count, task.stack)
        places.setdefault((task.name, task.stack), first)
    return list(places.values())[:RUNNING]


def others(interval: Interval) -> list[Number]:
    """Return the numbers of the service's own that no chart shows."""
    return list(_others(interval))[:OTHERS]


def _others(interval: Interval) -> Iterator[Number]:
    for family, series in interval.after.families:
        if family.kind == "histogram" or family.name.startswith(_SHOWN_ELSEWHERE):
            continue
        for each in series:
            labels = dict(zip(family.label_names, each.labels, strict=True))
            rate = interval.rate(family.name, **labels) if family.kind == "counter" else None
            value = each.value if math.isfinite(each.value) else 0.0
            yield Number(" ".join((family.name, *each.labels)), family.help, value, rounded(rate))


def _process(process: Process, use: Use) -> ProcessRow:
    name = "admin" if process.admin else f"worker {process.slot}"
    blocked = process.state is State.READY and process.beat_age > FRESH
    state = "blocked" if blocked else process.state.name.lower()
    connections = None if process.admin else process.connections
    return _row(name, process.pid, state, process.beat_age, connections, use)


def _row(
    name: str, pid: int, state: str, beat_age: float, connections: int | None, use: Use
) -> ProcessRow:
    used = use(pid) or Usage(0.0, 0, 0.0)
    return ProcessRow(
        name, pid, state, beat_age, connections, used.age, used.cpu_seconds, used.memory
    )
