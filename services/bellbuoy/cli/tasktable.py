"""The tables of ``bellbuoy tasks``: decided from one or two views, drawn by rich.

Law of this file: what a service tells is text and never markup, and no control character of it
reaches the terminal. No number is cut: in 80 columns texts are folded beside all of them.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.percentile import between
from bellbuoy.taskmetrics import OUTCOMES
from bellbuoy.taskview import (
    RunningInWorker,
    TaskInWorker,
    TaskName,
    TaskView,
    WorkerView,
    share,
)

STALE = 2.0
"""Seconds without a beat after which a worker's loop is blocked."""

_NUMBERS = ("per s", "running", "p50", "p99")
_TEXTS = {"task", "waits in", "last error"}
_BAD = {"failed", "timed_out", "lost"}
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
        _outcomes(now),
    ]
    if any(task.last_error for task in now.tasks.values()):
        parts.append(_errors(now))
    if now.oldest:
        parts.append(_oldest(now.oldest[:_MANY]))
    if len(now.workers) > 1:
        # The longest comes last: what a small terminal has no room for.
        parts.append(_by_worker(now, before, seconds))
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
    table = _table("task", *_NUMBERS)
    for name, task in sorted(now.tasks.items()):
        old = before.tasks.get(name) if before else None
        table.add_row(Text(clean(name)), *_figures(task, old, seconds if before else 0.0))
    return table


def _by_worker(now: TaskView, before: TaskView | None, seconds: float) -> Table:
    table = _table("task", "worker", *_NUMBERS, title="by worker")
    # One that was not there has counts all the same, of those that had its place.
    there = {each.worker for each in before.workers} if before else set()
    for name, task in sorted(now.tasks.items()):
        then = before.tasks.get(name) if before else None
        title = Text(clean(name))
        for worker, here in sorted(task.workers.items()):
            old = then.workers.get(worker) if then else None
            figures = _figures(here, old, seconds if worker in there else 0.0)
            table.add_row(title, str(worker), *figures)
            title = Text()
    return table


def _figures(
    now: TaskName | TaskInWorker, before: TaskName | TaskInWorker | None, seconds: float
) -> list[str]:
    rate = "-"
    buckets: Sequence[float] = now.buckets
    if seconds > 0:
        known = before.started if before and before.started <= now.started else 0
        rate = f"{(now.started - known) / seconds:.1f}"
        if before:
            buckets = between(now.buckets, before.buckets)
    percentiles = (duration(share(buckets, part)) for part in (0.5, 0.99))
    return [rate, str(now.running), *percentiles]


def _outcomes(now: TaskView) -> Table:
    table = _table("task", *(outcome.replace("_", " ") for outcome in OUTCOMES))
    for name, task in sorted(now.tasks.items()):
        table.add_row(Text(clean(name)), *(_outcome(task, outcome) for outcome in OUTCOMES))
    return table


def _outcome(task: TaskName, outcome: str) -> Text:
    count = task.outcomes.get(outcome, 0)
    return Text(str(count), "red" if count and outcome in _BAD else "")


def _errors(now: TaskView) -> Table:
    table = _table("task", "last error")
    for name, task in sorted(now.tasks.items()):
        if error := task.last_error:
            table.add_row(Text(clean(name)), Text(clean(f"{error.type}: {error.message}")))
    return table


def _oldest(running: Sequence[RunningInWorker]) -> Table:
    table = _table("age", "worker", "task", "waits in", title="oldest running")
    for each in running:
        stack = " > ".join(each.task.stack)
        table.add_row(
            duration(each.task.age),
            str(each.worker),
            Text(clean(each.task.name)),
            Text(clean(stack)),
        )
    return table


def _table(*columns: str, title: str | None = None) -> Table:
    """Return a table whose texts may be folded and whose numbers may not."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for column in columns:
        if column in _TEXTS:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)
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
