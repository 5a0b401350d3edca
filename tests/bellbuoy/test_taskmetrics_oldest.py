"""The start of the oldest running call of each name reaches the scoreboard."""

import time

import pytest

from bellbuoy.metrics import OTHER
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import OLDEST, STARTED, TASKS, TaskExport
from tests.bellbuoy.test_taskmetrics import board, bury, run

__all__ = ["board"]


def test_what_runs_longest_in_any_worker_is_known_by_its_start(board: Scoreboard) -> None:
    """A time stays right while its worker is blocked; it goes when the call ends or is killed."""

    def oldest() -> float:
        return take(board).series(OLDEST.name)[0].value

    workers, began = board.workers, time.time()
    for slot in workers:
        slot.take(admin=False)
    monitors, instruments = (AsyncMonitor(), AsyncMonitor()), [w.instruments() for w in workers]
    for monitor, each in zip(monitors, instruments, strict=True):
        TaskExport(monitor, each)
        run(monitor, "work", "completed")
        each.flush()
        assert oldest() == 0
    spans = [monitor.span("work") for monitor in (*monitors, monitors[1])]
    for span in spans:
        span.__enter__()
    for each in reversed(instruments):
        each.flush()
    assert (of_first := oldest()) == pytest.approx(began, abs=60)
    bury(workers[0])
    assert (of_second := oldest()) > of_first
    spans[1].__exit__(None, None, None)
    instruments[1].flush()
    assert oldest() > of_second
    spans[2].__exit__(None, None, None)
    instruments[1].flush()
    assert oldest() == 0


def test_the_oldest_of_names_without_a_place_is_that_of_all_of_them(board: Scoreboard) -> None:
    """The one that began first is not hidden by a later one."""
    slot, monitor = board.workers[0], AsyncMonitor()
    slot.take(admin=False)
    names = slot.instruments().names(STARTED)
    for number in range(TASKS.capacity):
        names.index(f"taken {number}")
    instruments = slot.instruments()
    TaskExport(monitor, instruments)
    with monitor.span("first"), monitor.span("second"):
        instruments.flush()
        stats = monitor.get_stats().tasks
        *_, other = take(board).series(OLDEST.name)
    assert other.labels == (OTHER,)
    assert other.value == pytest.approx(stats["first"].oldest_start, abs=0.001)
