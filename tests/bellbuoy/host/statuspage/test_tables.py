"""Tables: rows and numbers, bounded."""

import os
import time

import msgspec
import pytest

from bellbuoy.host.statuspage.tables import others, processes, rates, running, tasks
from bellbuoy.host.statuspage.usage import Usage
from bellbuoy.inspector import RunningTask
from bellbuoy.metrics import counter, gauge
from bellbuoy.taskmetrics import FINISHED, RUNNING, STARTED
from bellbuoy.taskrecord import LastError
from bellbuoy.taskview import WorkerText, view
from tests.bellbuoy.host.statuspage.stage import HTTP, Stage

LINES = counter("third_lines_total", "Lines that were answered.")
DEPTH = gauge("third_depth", "How deep.")


def use(_: int) -> Usage:
    """Say the same of every process."""
    return Usage(cpu_seconds=1.5, memory=1000, age=60.0)


def test_workers_come_before_the_others_and_a_blocked_one_is_called_so() -> None:
    """The supervisor is a process, too."""
    stage = Stage()
    stage.first.beat = time.monotonic() - 5
    stage.board.workers[2].take(admin=True)
    rows = processes(stage.interval(), use)
    assert [(row.name, row.state) for row in rows] == [
        (f"worker {stage.first.index}", "blocked"),
        (f"worker {stage.workers[1].index}", "ready"),
        ("admin", "starting"),
        ("supervisor", "running"),
    ]
    assert rows[0].beat_age >= 5
    assert (rows[0].connections, rows[2].connections) == (0, None)


def test_a_process_that_is_gone_while_it_is_looked_at_has_a_row_all_the_same() -> None:
    """Without usage."""
    assert {row.memory for row in processes(Stage().interval(), lambda _: None)} == {0}
    assert processes(Stage().interval(), use)[0].pid == os.getpid()


def test_a_task_has_its_rate_its_outcomes_and_its_last_error() -> None:
    """Over all workers."""
    stage = Stage()
    for each in stage.counts:
        each.counter(STARTED, task="fetch").inc(4)
        each.counter(FINISHED, task="fetch", outcome="failed").inc()
    error = LastError("ValueError", "<b>no</b>", 1.0)
    stage.first.text.write(msgspec.json.encode(WorkerText([], {"fetch": error})))
    interval = stage.interval(seconds=2.0)
    (row,) = tasks(interval, view(interval.after))
    assert (row.name, row.started, row.rate, row.outcomes["failed"]) == ("fetch", 8, 4.0, 2)
    assert row.last_error == error
    assert rates(interval) == {"fetch": 4.0}


def test_tasks_that_wait_in_one_place_are_one_row() -> None:
    """The oldest speaks for them; how many run is counted, since only the oldest are looked at."""
    stage = Stage()
    for each in stage.counts:
        each.counter(STARTED, task="fetch").inc(2500)
        each.gauge(RUNNING, task="fetch").set(2500)
    for slot, ages in zip(stage.workers, ((5.0, 1.0), (9.0,)), strict=True):
        text = [RunningTask("fetch", age, ("fetch (a.py:1)",)) for age in ages]
        slot.text.write(msgspec.json.encode(WorkerText(text, {})))
    (row,) = running(view(stage.interval().after))
    assert (row.running, row.worker) == (5000, stage.workers[1].index)
    assert row.age == pytest.approx(9, abs=1)
    assert row.stack == ("fetch (a.py:1)",)


def test_a_running_task_whose_name_is_counted_as_another_speaks_for_itself() -> None:
    """How many of it run is not known."""
    stage = Stage()
    text = WorkerText([RunningTask("fetch", 1.0, ())], {})
    stage.first.text.write(msgspec.json.encode(text))
    (row,) = running(view(stage.interval().after))
    assert (row.name, row.running) == ("fetch", 1)


def test_a_number_of_the_service_without_a_chart_is_among_the_others() -> None:
    """A third service's own."""
    stage = Stage((LINES, DEPTH, *HTTP))
    stage.counts[0].counter(LINES).inc(8)
    stage.counts[1].gauge(DEPTH).set(3)
    found = [(each.name, each.value, each.rate) for each in others(stage.interval(2.0))]
    assert found == [("third_lines_total", 8, 4), ("third_depth", 3, None)]
