"""The tables of `bellbuoy tasks`, drawn without a terminal."""

import dataclasses
import io
import re

import pytest
from rich.console import Console

from bellbuoy.cli.tasktable import clean, duration, render
from bellbuoy.inspector import RunningTask
from bellbuoy.taskmetrics import OUTCOMES
from bellbuoy.taskrecord import BUCKETS, LastError
from bellbuoy.taskview import RunningInWorker, TaskInWorker, TaskName, TaskView, WorkerView

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


def rows(text: str, name: str) -> list[list[str]]:
    """Return the cells of each row that begins with ``name``, a number and its unit as one."""
    lines = (re.sub(r"(\d) (µs|ms|s|min)\b", r"\1\2", line).split() for line in text.splitlines())
    return [cells for cells in lines if cells[:1] == [name]]


def test_counts_and_the_last_error_are_seen() -> None:
    """Percentiles of all time, and no rate: nobody knows since when."""
    numbers, outcomes, error = rows(drawn(view()), "poll")
    assert numbers == ["poll", "-", "2", "33µs", "65µs"]
    assert outcomes == ["poll", "90", "3", "2", "2", "1"]
    assert error == ["poll", "ValueError:", "no", "depth"]


def crew(count: int, task: TaskName = POLL, name: str = "poll", **part: int) -> TaskView:
    """Return a view of one task in so many workers, which differ in what has ended."""
    workers = {
        number: TaskInWorker(
            started=part.get("started", 0) * (number + 1),
            running=part.get("running", 0),
            buckets=buckets(**{f"b{8 + number}": part.get("ended", 0)}),
        )
        for number in range(count)
    }
    members = [dataclasses.replace(WORKER, worker=number) for number in workers]
    return TaskView({name: dataclasses.replace(task, workers=workers)}, [], members)


def by_worker(text: str) -> list[list[str]]:
    """Return the cells of the table of that title, without the name."""
    table = text.partition("by worker")[2]
    (first,) = rows(table, "poll")
    return [first[1:], *(row for number in range(1, 8) for row in rows(table, str(number)))]


def test_of_several_workers_each_has_its_numbers() -> None:
    """One that is slow or stuck beside others is seen."""
    assert by_worker(drawn(crew(3, started=10, running=2, ended=1))) == [
        ["0", "-", "2", "12.6ms", "16.7ms"],
        ["1", "-", "2", "25.2ms", "33.4ms"],
        ["2", "-", "2", "50.3ms", "66.8ms"],
    ]


def test_their_rates_and_percentiles_are_of_the_time_between() -> None:
    """Of a worker that was not there before, nobody knows since when it counts."""
    before, now = crew(1, started=10, ended=1), crew(2, started=20, ended=1)
    assert by_worker(drawn(now, before, seconds=5.0)) == [
        ["0", "2.0", "0", "-", "-"],
        ["1", "-", "0", "25.2ms", "33.4ms"],
    ]


def test_what_a_worker_has_begun_since_has_a_rate() -> None:
    """It was there before, and had begun none of it."""
    before, now = crew(2, started=10, ended=1), crew(2, started=20, ended=1)
    del before.tasks["poll"].workers[1]
    assert by_worker(drawn(now, before, seconds=5.0))[1] == ["1", "8.0", "0", "25.2ms", "33.4ms"]


def test_one_worker_has_no_table_of_its_own() -> None:
    """Its numbers are those of the service."""
    assert "by worker" not in drawn(crew(1, started=1))


LARGE = dataclasses.replace(
    POLL,
    started=123_456_789,
    running=12_345,
    outcomes=dict.fromkeys(OUTCOMES, 987_654_321),
    buckets=buckets(b12=7),
)


@pytest.mark.parametrize("width", [80, 100, 120, 180])
@pytest.mark.parametrize("name", ["poll", "users.find_by_email_or_whatever_else_there_may_be"])
def test_no_terminal_is_so_narrow_that_a_number_is_cut(width: int, name: str) -> None:
    """A part of a number is a wrong one; texts are folded."""
    now = crew(8, LARGE, name, started=111_111_111, running=31_415, ended=7)
    text = drawn(now, crew(8, name=name), seconds=10.0, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert text.count("987654321") == len(OUTCOMES)
    found = {cell for line in text.splitlines() for cell in line.split()}
    assert {"12345668.9", "12345", "201.3", "267.1"} <= found
    assert {f"{11_111_111.1 * number:.1f}" for number in range(1, 9)} <= found
    assert text.count("31415") == 8


def test_with_two_readings_rates_and_percentiles_are_of_the_time_between() -> None:
    """What was slow yesterday is not seen today."""
    slow = dataclasses.replace(POLL, started=150, buckets=buckets(b0=98, b10=50))
    text = drawn(view(slow), view(), seconds=5.0)
    assert rows(text, "poll")[0] == ["poll", "10.0", "2", "50.3ms", "66.8ms"]


def test_a_service_that_was_started_again_counts_from_zero() -> None:
    """Its rate is not negative."""
    fresh = dataclasses.replace(POLL, started=10, buckets=buckets(b0=10))
    assert rows(drawn(view(fresh), view(), seconds=5.0), "poll")[0][1] == "2.0"


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
