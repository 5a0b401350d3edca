"""The tables of ``bellbuoy tasks``: decided from one or two views, drawn by rich.

Law of this file: what a service tells is text and never markup, and no control character of it
reaches the terminal.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.percentile import between
from bellbuoy.taskview import RunningInWorker, TaskName, TaskView, WorkerView, share

STALE = 2.0
"""Seconds without a beat after which a worker's loop is blocked."""

_NUMBERS = (
    "per s",
    "running",
    "p50",
    "p99",
    "completed",
    "failed",
    "cancelled",
    "timed out",
    "lost",
)
_SHORT = 1.0
_MANY = 10


def render(url: str, now: TaskView, before: TaskView | None = None, seconds: float = 0.0) -> Group:
    """Return what is to be seen of one service.

    Args:
        url: Where it was asked.
        now: What it answered.
        before: What it had answered ``seconds`` ago; with it, rates and percentiles are of the time
            in between, else percentiles are of all time and there are no rates.
        seconds: How long ago.
    """
    parts: list[RenderableType] = [
        Text(clean(url), style="bold"),
        _workers(now.workers),
        _names(now, before, seconds),
    ]
    if now.oldest:
        parts.append(_oldest(now.oldest[:_MANY]))
    return Group(*parts, Text())


def _workers(workers: Sequence[WorkerView]) -> Text:
    line = Text("no traffic worker", style="red") if not workers else Text()
    for each in workers:
        blocked = each.beat_age > STALE and each.state != "stopped"
        state = f"blocked for {each.beat_age:.0f} s" if blocked else each.state
        line.append(f"worker {each.worker} (pid {each.pid}) {state}", "red" if blocked else "")
        line.append(f", lag {duration(each.lag)}, {each.connections} connections\n")
    line.rstrip()
    return line


def _names(now: TaskView, before: TaskView | None, seconds: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task", overflow="ellipsis", no_wrap=True)
    for column in _NUMBERS:
        table.add_column(column, justify="right", no_wrap=True)
    # What may be folded is what a narrow terminal goes without.
    table.add_column("by worker", overflow="fold")
    table.add_column("last error", overflow="fold")
    for name, task in sorted(now.tasks.items()):
        old = before.tasks.get(name) if before else None
        table.add_row(*_row(name, task, old, seconds if before else 0.0))
    return table


def _row(name: str, now: TaskName, before: TaskName | None, seconds: float) -> list[Text]:
    rate = "-"
    buckets: Sequence[float] = now.buckets
    if seconds > 0:
        known = before.started if before and before.started <= now.started else 0
        rate = f"{(now.started - known) / seconds:.1f}"
        if before:
            buckets = between(now.buckets, before.buckets)
    outcomes = [
        Text(str(count), "red" if count and outcome in {"failed", "timed_out", "lost"} else "")
        for outcome, count in now.outcomes.items()
    ]
    error = now.last_error
    told = clean(f"{error.type}: {error.message}") if error else ""
    percentiles = (Text(duration(share(buckets, part))) for part in (0.5, 0.99))
    return [
        Text(clean(name)),
        Text(rate),
        Text(str(now.running)),
        *percentiles,
        *outcomes,
        Text(_by_worker(now)),
        Text(told),
    ]


def _by_worker(task: TaskName) -> str:
    """Return how many run in which worker, when there are several: ``0: 3, 1: 4``."""
    if len(task.workers) < 2:  # noqa: PLR2004
        return ""
    return ", ".join(f"{worker}: {count}" for worker, count in sorted(task.workers.items()))


def _oldest(running: Sequence[RunningInWorker]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="oldest running", title_justify="left")
    table.add_column("age", justify="right", no_wrap=True)
    table.add_column("worker", justify="right", no_wrap=True)
    table.add_column("task", overflow="fold")
    table.add_column("waits in", overflow="fold")
    for each in running:
        stack = " > ".join(each.task.stack)
        table.add_row(
            duration(each.task.age),
            str(each.worker),
            Text(clean(each.task.name)),
            Text(clean(stack)),
        )
    return table


def duration(seconds: float | None) -> str:
    """Return seconds as a person reads them: ``640 µs``, ``12.3 ms``, ``4.2 s``, ``3 min``."""
    if seconds is None:
        return "-"
    if seconds < _SHORT / 1000:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < _SHORT:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 120 * _SHORT:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def clean(text: str) -> str:
    """Return text without what a terminal would obey."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
