"""The tables of `bellbuoy tasks`, drawn without a terminal."""

import dataclasses
import io

import pytest
from rich.console import Console

from bellbuoy.cli.tasktable import clean, duration, render
from bellbuoy.inspector import RunningTask
from bellbuoy.taskrecord import BUCKETS, LastError
from bellbuoy.taskview import RunningInWorker, TaskName, TaskView, WorkerView

WORKER = WorkerView(worker=1, pid=77, state="ready", beat_age=0.1, lag=0.002, connections=5)


def buckets(**counts: int) -> tuple[int, ...]:
    """Return a histogram with so many calls in the buckets with these numbers (``b3=7``)."""
    return tuple(counts.get(f"b{index}", 0) for index in range(len(BUCKETS) + 1))


POLL = TaskName(
    started=100,
    running=2,
    outcomes={"completed": 90, "failed": 3, "cancelled": 2, "timed_out": 2, "lost": 1},
    seconds=12.0,
    buckets=buckets(b0=98),
    p50=None,
    p99=None,
    last_success=1000.0,
    last_error=LastError("ValueError", "no depth", 999.0),
)


def drawn(
    now: TaskView, before: TaskView | None = None, seconds: float = 0.0, width: int = 180
) -> str:
    """Return what is seen."""
    stream = io.StringIO()
    Console(file=stream, width=width).print(render("http://here", now, before, seconds))
    return stream.getvalue()


def view(task: TaskName = POLL, worker: WorkerView = WORKER) -> TaskView:
    """Return a view of one task and one worker."""
    running = RunningTask("poll", 93.0, ("Boat.poll (boat.py:7)", "Queue.get (queues.py:158)"))
    return TaskView({"poll": task}, [RunningInWorker(1, 77, running)], [worker])


def row(text: str, name: str) -> list[str]:
    """Return the cells of a row of the first table."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_counts_and_the_last_error_are_seen() -> None:
    """Percentiles of all time, and no rate: nobody knows since when."""
    cells = row(drawn(view()), "poll")
    assert cells[1:3] == ["-", "2"]
    assert cells[-8:] == ["90", "3", "2", "2", "1", "ValueError:", "no", "depth"]


def test_what_runs_in_several_workers_is_told_for_each() -> None:
    """One that is stuck beside others is seen; where there is one, the number says it all."""
    several = dataclasses.replace(POLL, running=7, workers={2: 4, 0: 3})
    assert "0: 3, 2: 4" in drawn(view(several))
    assert "0: 2" not in drawn(view(dataclasses.replace(POLL, workers={0: 2})))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_narrow_terminal_still_shows_the_names(width: int) -> None:
    """Whatever else there is no room for."""
    many = dataclasses.replace(POLL, running=1234, workers=dict.fromkeys(range(8), 150))
    assert "users.c" in drawn(TaskView({"users.create": many}, [], []), width=width)


def test_with_two_readings_rates_and_percentiles_are_of_the_time_between() -> None:
    """What was slow yesterday is not seen today."""
    slow = dataclasses.replace(POLL, started=150, buckets=buckets(b0=98, b10=50))
    text = drawn(view(slow), view(), seconds=5.0)
    assert row(text, "poll")[1] == "10.0"
    assert row(text, "poll")[3:7] == ["50.3", "ms", "66.8", "ms"]


def test_a_service_that_was_started_again_counts_from_zero() -> None:
    """Its rate is not negative."""
    fresh = dataclasses.replace(POLL, started=10, buckets=buckets(b0=10))
    assert row(drawn(view(fresh), view(), seconds=5.0), "poll")[1] == "2.0"


def test_the_oldest_tasks_are_seen_with_worker_and_stack() -> None:
    """Outermost first."""
    text = drawn(view())
    assert "93.0 s" in text
    assert "Boat.poll (boat.py:7) > Queue.get (queues.py:158)" in text


def test_a_worker_whose_loop_is_blocked_is_called_so() -> None:
    """For how long, instead of what it was before."""
    assert "worker 1 (pid 77) ready, lag 2.0 ms, 5 connections" in drawn(view())
    blocked = dataclasses.replace(WORKER, beat_age=7.4)
    assert "blocked for 7 s" in drawn(view(worker=blocked))
    assert "no traffic worker" in drawn(TaskView({}, [], []))


def test_what_a_service_tells_neither_colours_nor_steers_the_terminal() -> None:
    """An error's text may come from anybody."""
    evil = LastError("E", "[red]\x1b[2J\x07\u202e[/red]", 1.0)
    text = drawn(view(dataclasses.replace(POLL, last_error=evil)))
    assert "[red]" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert clean("a\nb") == "a\ufffdb"


@pytest.mark.parametrize(
    "seconds,expected",
    [
        (None, "-"),
        (0.00064, "640 µs"),
        (0.0123, "12.3 ms"),
        (4.2, "4.2 s"),
        (119.0, "119.0 s"),
        (180.0, "3 min"),
    ],
)
def test_durations_are_for_people(seconds: float | None, expected: str) -> None:
    """In the unit that fits."""
    assert duration(seconds) == expected
