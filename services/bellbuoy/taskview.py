"""What ``/tasks`` shows: AsyncMonitor's task names over all workers, and what runs longest."""

from dataclasses import dataclass

import msgspec

from bellbuoy.inspector import RunningTask
from bellbuoy.snapshot import Snapshot
from bellbuoy.taskmetrics import DURATION, FINISHED, LAST_SUCCESS, OUTCOMES, RUNNING, STARTED
from bellbuoy.taskrecord import LastError


class WorkerText(msgspec.Struct, frozen=True):
    """What a worker writes into its text block once a second."""

    running: list[RunningTask]
    errors: dict[str, LastError]


@dataclass(frozen=True)
class TaskName:
    """One task name over all workers that ever ran.

    Args:
        started: Calls that began.
        running: Calls that have not ended.
        outcomes: Calls that ended, by outcome.
        seconds: Their summed duration.
        last_success: Unix time in seconds of the newest return, 0.0 for never.
        last_error: The newest failure in a living worker.
    """

    started: int
    running: int
    outcomes: dict[str, int]
    seconds: float
    last_success: float
    last_error: LastError | None


@dataclass(frozen=True)
class RunningInWorker:
    """One of the oldest pieces of running work."""

    worker: int
    pid: int
    task: RunningTask


@dataclass(frozen=True)
class TaskView:
    """The whole picture.

    Args:
        tasks: Every task name.
        oldest: What runs longest, over all workers, oldest first.
    """

    tasks: dict[str, TaskName]
    oldest: list[RunningInWorker]


def view(snapshot: Snapshot, limit: int = 50) -> TaskView:
    """Return what ``snapshot`` tells of tasks, with at most ``limit`` running ones."""
    texts = {
        process: msgspec.json.decode(process.text, type=WorkerText)
        for process in snapshot.traffic
        if process.text
    }
    oldest = [
        RunningInWorker(process.slot, process.pid, task)
        for process, text in texts.items()
        for task in text.running
    ]
    oldest.sort(key=lambda each: -each.task.age)
    return TaskView(_tasks(snapshot, list(texts.values())), oldest[:limit])


def _tasks(snapshot: Snapshot, texts: list[WorkerText]) -> dict[str, TaskName]:
    running, seconds, success = (
        {each.labels[0]: each.cells[-1] for each in snapshot.series(family.name)}
        for family in (RUNNING, DURATION, LAST_SUCCESS)
    )
    finished = {each.labels: int(each.value) for each in snapshot.series(FINISHED.name)}
    return {
        name: TaskName(
            started=int(each.value),
            running=int(running.get(name, 0)),
            outcomes={outcome: finished.get((name, outcome), 0) for outcome in OUTCOMES},
            seconds=seconds.get(name, 0.0),
            last_success=success.get(name, 0.0),
            last_error=_newest(name, texts),
        )
        for each in snapshot.series(STARTED.name)
        for name in each.labels
    }


def _newest(name: str, texts: list[WorkerText]) -> LastError | None:
    errors = [text.errors[name] for text in texts if name in text.errors]
    return max(errors, key=lambda error: error.at, default=None)
