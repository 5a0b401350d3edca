"""AsyncMonitor's metric families, and how a monitor's counts reach the scoreboard."""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable

from bellbuoy.instruments import Instruments
from bellbuoy.metrics import OTHER, Layout, NameTable, counter, gauge, histogram
from bellbuoy.monitor import MAX_DROPPED, MAX_NAMES, AsyncMonitor
from bellbuoy.taskrecord import BUCKETS, TaskStats

OUTCOMES = ("completed", "failed", "cancelled", "timed_out", "lost")

TASKS = NameTable("tasks", ("task",), MAX_NAMES)
STARTED = counter("asyncmonitor_task_started_total", "Calls that began.", names=TASKS)
FINISHED = counter(
    "asyncmonitor_task_finished_total",
    "Calls that ended, by outcome; lost is what ran in a process that was killed.",
    labels={"outcome": OUTCOMES},
    names=TASKS,
)
RUNNING = gauge("asyncmonitor_tasks_in_progress", "Calls that have not ended.", names=TASKS)
OLDEST = gauge(
    "asyncmonitor_task_oldest_start_timestamp_seconds",
    "Unix time at which the call began that runs longest; 0 if none runs.",
    names=TASKS,
    merge="min",
)
DURATION = histogram(
    "asyncmonitor_task_duration_seconds",
    "Duration of the calls that ended, whatever the outcome.",
    buckets=BUCKETS,
    names=TASKS,
)
LAST_SUCCESS = gauge(
    "asyncmonitor_task_last_success_timestamp_seconds",
    "Unix time of the newest call that returned.",
    names=TASKS,
    merge="latest",
)
DROPPED = counter(
    "asyncmonitor_dropped_task_names_total",
    "Task names that found all places taken. Each process counts its own, at most "
    f"{MAX_DROPPED + MAX_NAMES}, so one name counts again in another worker and in a successor.",
)
FAMILIES = (STARTED, FINISHED, RUNNING, OLDEST, DURATION, LAST_SUCCESS, DROPPED)


class TaskExport:
    """Stores a monitor's counts in a process's cells, before each flush.

    Args:
        monitor: What to export.
        instruments: The cells of this process; counters go on from what is there.
    """

    def __init__(self, monitor: AsyncMonitor, instruments: Instruments) -> None:
        """Keep what the predecessors in the slot counted as the base of every counter."""
        self._monitor = monitor
        self._layout = instruments.layout
        self._cells = instruments.cells
        self._base = array("d", instruments.cells)
        for cell in self._layout.cells(LAST_SUCCESS):
            self._base[cell] = 0.0  # a time is replaced, not added to
        self._names = instruments.names(STARTED)
        self._seen: object = None
        instruments.before_flush(self.collect)

    def collect(self) -> None:
        """Store base plus own counts, for every task name, if anything moved."""
        seen = self._monitor.activity()
        if seen == self._seen:
            return
        self._seen = seen
        stats = self._monitor.get_stats()
        self._show_oldest(stats.tasks.values())
        # Two names may share the cells of `other`: add up before storing.
        own: defaultdict[int, float] = defaultdict(float)
        for task in stats.tasks.values():
            self._add(own, task)
        own[self._layout.series(DROPPED, 0, 0)] += stats.dropped_names
        for cell, count in own.items():
            self._cells[cell] = self._base[cell] + count

    def _show_oldest(self, tasks: Iterable[TaskStats]) -> None:
        # A time and no age: that of a blocked worker would stand still.
        oldest: defaultdict[int, float] = defaultdict(lambda: math.inf)
        for task in tasks:
            cell = self._layout.series(OLDEST, self._names.index(task.name), 0)
            oldest[cell] = min(oldest[cell], task.oldest_start or math.inf)
        for cell, start in oldest.items():
            # Not a number takes no part in the minimum of all workers.
            self._cells[cell] = math.nan if math.isinf(start) else start

    def _add(self, own: dict[int, float], task: TaskStats) -> None:
        series, entry = self._layout.series, self._names.index(task.name)
        # The monitor had a place for the name, but other processes had filled the shared table.
        own[series(DROPPED, 0, 0)] += entry == TASKS.capacity and task.name != OTHER
        own[series(STARTED, entry, 0)] += task.started
        own[series(RUNNING, entry, 0)] += task.running
        ended = (task.completed, task.failed, task.cancelled, task.timed_out)
        for fixed, count in enumerate(ended):
            own[series(FINISHED, entry, fixed)] += count
        buckets = series(DURATION, entry, 0)
        for offset, value in enumerate((*task.buckets, task.seconds)):
            own[buckets + offset] += value
        if task.last_success:
            newest = series(LAST_SUCCESS, entry, 0)
            own[newest] = max(own[newest], task.last_success)


def settle(layout: Layout, cells: "array[float]") -> None:
    """Count as lost what was running in a process that is gone.

    Args:
        layout: The families' places.
        cells: What the process published last; changed in place.
    """
    for entry in range(TASKS.capacity + 1):
        started = cells[layout.series(STARTED, entry, 0)]
        first = layout.series(FINISHED, entry, 0)
        ended = sum(cells[first : first + len(OUTCOMES)])
        cells[first + OUTCOMES.index("lost")] += started - ended
