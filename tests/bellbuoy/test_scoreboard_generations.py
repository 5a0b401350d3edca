"""Two thousand generations of workers leave no trace on the scoreboard but their counts."""

import asyncio
import gc
import os
from pathlib import Path

import msgspec
import pytest

from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import FAMILIES, STARTED, TaskExport, settle
from bellbuoy.taskview import WorkerText, view

GENERATIONS = 2_000


def live_and_die(board: Scoreboard, number: int) -> None:
    """Be a worker that runs something, is killed, and is reaped."""
    slot = board.workers[number % 2]
    slot.take(admin=False)
    instruments, monitor = slot.instruments(), AsyncMonitor()
    TaskExport(monitor, instruments)
    span = monitor.span("dive")
    span.__enter__()
    instruments.flush()
    slot.text.write(msgspec.json.encode(WorkerText([], {})))
    cells = slot.load()
    settle(board.layout, cells)
    slot.free(cells)


@pytest.mark.slow
def test_generations_leave_counts_and_nothing_else() -> None:
    """Neither bytes, nor descriptors, nor series; and every one of them is accounted for."""
    board = Scoreboard(FAMILIES, 3)
    live_and_die(board, 0)
    live_and_die(board, 1)
    size, series = os.fstat(board._file).st_size, count(board)
    gc.collect()  # what earlier tests left must not go meanwhile
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(2, GENERATIONS):
        live_and_die(board, number)
    assert (os.fstat(board._file).st_size, count(board)) == (size, series)
    # Fewer: the collector may close what an earlier test left behind.
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
    task = view(take(board)).tasks["dive"]
    assert (task.started, task.running, task.outcomes["lost"]) == (GENERATIONS, 0, GENERATIONS)
    assert sum(slot.generation for slot in board.workers) == GENERATIONS


def count(board: Scoreboard) -> int:
    """Return the series of a snapshot."""
    return sum(len(series) for _, series in take(board).families)


@pytest.mark.slow
async def test_a_storm_of_error_texts_is_bounded() -> None:
    """100,000 failures, each with words of its own: one is shown, all are counted."""
    board = Scoreboard(FAMILIES, 2)
    slot = board.workers[0]
    slot.take(admin=False)
    instruments, monitor = slot.instruments(), AsyncMonitor()
    TaskExport(monitor, instruments)

    @monitor.track_task("dive")
    async def dive(number: int) -> None:
        raise ValueError(f"{number} " * 50)

    await asyncio.gather(dive(0), return_exceptions=True)
    instruments.flush()
    before = count(board)
    for number in range(100_000):
        try:
            await dive(number)
        except ValueError:
            continue
    instruments.flush()
    assert count(board) == before
    stats = monitor.get_stats().tasks["dive"]
    assert stats.failed == 100_001
    assert stats.last_error is not None
    assert len(stats.last_error.message) <= 200
    (started,) = take(board).series(STARTED.name)
    assert started.value == 100_001
