"""What /tasks shows, from a scoreboard with two workers."""

import time

import msgspec
import pytest

from bellbuoy.inspector import RunningTask
from bellbuoy.lifecycle import State
from bellbuoy.scoreboard import Scoreboard, Slot
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import DURATION, FAMILIES, FINISHED, LAST_SUCCESS, RUNNING, STARTED
from bellbuoy.taskrecord import LastError
from bellbuoy.taskview import TaskView, WorkerText, view


def running(name: str, age: float) -> RunningTask:
    """Return a running task of this age in seconds."""
    return RunningTask(name, age, (f"{name} (test.py:1)",))


def show(slot: Slot, tasks: list[RunningTask], errors: dict[str, LastError]) -> None:
    """Write what a worker shows."""
    assert slot.text.write(msgspec.json.encode(WorkerText(tasks, errors)))


@pytest.fixture
def board() -> Scoreboard:
    """An admin process and two workers that did some work."""
    board = Scoreboard(FAMILIES, 4)
    board.workers[0].take(admin=True)
    for number, slot in enumerate(board.workers[1:], 1):
        slot.take(admin=False)
        slot.pid = 100 + number
        instruments = slot.instruments()
        instruments.counter(STARTED, task="poll").inc(10 * number)
        instruments.gauge(RUNNING, task="poll").set(number)
        instruments.counter(FINISHED, task="poll", outcome="completed").inc(9 * number)
        instruments.histogram(DURATION, task="poll").observe(0.5)
        instruments.gauge(LAST_SUCCESS, task="poll").set(1000.0 * number)
        instruments.flush()
    return board


def shown(board: Scoreboard, limit: int = 50) -> TaskView:
    """Return the view."""
    return view(take(board), limit)


def test_a_task_name_is_summed_over_the_workers(board: Scoreboard) -> None:
    """Counts and seconds are added, the newest success counts."""
    task = shown(board).tasks["poll"]
    assert (task.started, task.running, task.seconds) == (30, 3, 1.0)
    assert task.outcomes == {
        "completed": 27,
        "failed": 0,
        "cancelled": 0,
        "timed_out": 0,
        "lost": 0,
    }
    assert task.last_success == 2000.0
    assert sum(task.buckets) == 2
    assert task.p50 == pytest.approx(0.4, rel=0.5)
    assert task.p99 == pytest.approx(0.52, rel=0.1)
    assert task.last_error is None


def test_a_task_name_is_told_for_each_worker_that_has_begun_any(board: Scoreboard) -> None:
    """With what rates and percentiles are made of; those that are gone are left out."""
    second = board.workers[2].instruments()
    second.counter(STARTED, task="eat").inc()
    second.flush()
    first, other = (shown(board).tasks["poll"].workers[number] for number in (1, 2))
    assert (first.started, first.running, sum(first.buckets)) == (10, 1, 1)
    assert (other.started, other.running, sum(other.buckets)) == (20, 2, 1)
    assert shown(board).tasks["eat"].workers.keys() == {2}
    for state in (State.READY, State.DRAINING, State.STOPPED):
        board.workers[2].step(state)
    assert shown(board).tasks["poll"].workers.keys() == {1}
    board.workers[2].free(board.workers[2].load())
    assert shown(board).tasks["poll"].workers.keys() == {1}


def test_the_counts_of_a_worker_go_on_in_its_successor(board: Scoreboard) -> None:
    """So that a rate is never negative; what ran has ended."""
    slot = board.workers[1]
    slot.free(slot.load())
    slot.take(admin=False)
    after = shown(board).tasks["poll"].workers[1]
    assert (after.started, after.running, sum(after.buckets)) == (10, 0, 1)


def test_the_oldest_tasks_of_all_workers_come_first(board: Scoreboard) -> None:
    """With the worker they run in; no more than asked for."""
    first, second = board.workers[1:]
    show(first, [running("old", 9.0), running("young", 1.0)], {})
    show(second, [running("middle", 5.0)], {})
    oldest = shown(board, 2).oldest
    assert [(each.task.name, each.worker, each.pid) for each in oldest] == [
        ("old", 1, 101),
        ("middle", 2, 102),
    ]


def test_what_a_blocked_worker_runs_grows_older(board: Scoreboard) -> None:
    """It has written nothing for a minute; that makes its work no younger than another's."""
    blocked, well = board.workers[1:]
    text = WorkerText([running("stuck", 0.1)], {}, at=time.monotonic() - 60)
    assert blocked.text.write(msgspec.json.encode(text))
    show(well, [running("fine", 30.0)], {})
    stuck, fine = shown(board).oldest
    assert (stuck.task.name, fine.task.name) == ("stuck", "fine")
    assert stuck.task.age == pytest.approx(60.1, abs=5)
    assert fine.task.age == pytest.approx(30, abs=5)


def test_the_newest_error_of_all_workers_is_shown(board: Scoreboard) -> None:
    """Each worker knows its own only."""
    first, second = board.workers[1:]
    newest = LastError("ValueError", "new", 20.0)
    show(first, [], {"poll": newest})
    show(second, [], {"poll": LastError("KeyError", "old", 10.0)})
    assert shown(board).tasks["poll"].last_error == newest


def test_a_worker_that_has_shown_nothing_yet_hides_nobody(board: Scoreboard) -> None:
    """It has just been forked, or was killed while it wrote."""
    show(board.workers[1], [running("poll", 1.0)], {})
    assert len(shown(board).oldest) == 1


def test_of_what_never_ended_there_are_no_percentiles() -> None:
    """Absent, and not zero."""
    board = Scoreboard(FAMILIES, 2)
    slot = board.workers[0]
    slot.take(admin=False)
    instruments = slot.instruments()
    instruments.counter(STARTED, task="poll").inc()
    instruments.flush()
    task = shown(board).tasks["poll"]
    assert (task.p50, task.p99, sum(task.buckets)) == (None, None, 0)


def test_every_traffic_worker_is_shown(board: Scoreboard) -> None:
    """With what tells whether it is well; the admin process is none."""
    board.workers[1].lag = 0.25
    first, second = shown(board).workers
    assert (first.worker, first.pid, first.state, first.lag) == (1, 101, "starting", 0.25)
    assert second.worker == 2


def test_it_can_be_sent_as_json(board: Scoreboard) -> None:
    """By the admin port."""
    show(board.workers[1], [running("poll", 1.0)], {})
    decoded = msgspec.json.decode(msgspec.json.encode(shown(board)))
    assert decoded["tasks"]["poll"]["started"] == 30
    assert decoded["oldest"][0]["task"]["stack"] == ["poll (test.py:1)"]
