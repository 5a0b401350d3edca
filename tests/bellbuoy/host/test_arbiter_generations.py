"""Two thousand generations of workers leave no trace but their counts.

Each is forked, counts on the scoreboard, is killed in the middle of something, and is buried by the
supervisor; it is a process without a service, as two thousand starts of one would take minutes.
tests/integration/test_catalogue.py kills ten that have one.
"""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import msgspec
import pytest
from structlog.testing import capture_logs

from bellbuoy.host import arbiter as module
from bellbuoy.host.arbiter import Arbiter, assign_slot
from bellbuoy.host.exposition import Exposition
from bellbuoy.host.families import ACCEPTED
from bellbuoy.lifecycle import State
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Slot
from bellbuoy.settings import HostSettings
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import TaskExport
from bellbuoy.taskview import WorkerText, view
from tests.bellbuoy.host.mayflies import Application, Mayfly, born
from tests.bellbuoy.host.plans import planned
from tests.program import UNMEASURED

pytestmark = pytest.mark.slow

GENERATIONS = 2_000
FIRST = 10
"""Generations after which everything there will ever be is there."""


@pytest.fixture
def arbiter() -> Iterator[Arbiter]:
    """A supervisor with an admin process; its class holds the workers."""
    with planned() as plan, patch.object(Arbiter, "WORKERS", {}):
        started = Arbiter(Application(), plan)
        born(started, os.getpid())
        plan.board.was_open = 1.0
        yield started


def live_and_die(slot: Slot) -> NoReturn:
    """Be a worker: take connections, complete a task, begin another, and be killed in it."""
    slot.pid = os.getpid()
    slot.step(State.READY)
    instruments, monitor = slot.instruments(), AsyncMonitor()
    TaskExport(monitor, instruments)
    instruments.counter(ACCEPTED).inc(3)
    with monitor.span("swim"):
        pass
    monitor.span("dive").__enter__()
    instruments.flush()
    slot.text.write(msgspec.json.encode(WorkerText([], {})))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives")


def fork(body: Callable[[], NoReturn]) -> int:
    """Return the process id of a child that runs ``body``."""
    with warnings.catch_warnings():
        # The runner may have threads; the child never waits for anything they hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    try:
        body()
    finally:
        os._exit(1)


def pass_generations(arbiter: Arbiter, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have so many workers be born, die and be buried, one after the other."""
    for _ in range(count):
        worker = Mayfly(0)
        assign_slot(arbiter, worker)
        slot = worker.slot
        worker.pid = fork(lambda slot=slot: live_and_die(slot))  # type: ignore[misc]  # a lambda
        arbiter.WORKERS[worker.pid] = worker
        status = os.waitpid(worker.pid, 0)  # ours alone: the runner has children, too
        monkeypatch.setattr(module, "_dead_children", lambda status=status: iter([status]))
        arbiter.reap_workers()


def traces(arbiter: Arbiter) -> tuple[list[str], int, int, int]:
    """Return the series of a scrape, the shared memory, the descriptors and the mappings."""
    arbiter._beat()
    board = arbiter.plan.board
    text, _ = Exposition("generations", HostSettings(), lambda: take(board)).render("")
    lines = text.decode().splitlines()
    return (
        sorted(line.rpartition(" ")[0] for line in lines if not line.startswith("#")),
        os.fstat(board._file).st_blocks,
        len(list(Path("/proc/self/fd").iterdir())),
        Path("/proc/self/maps").read_text().count("scoreboard"),
    )


def test_generations_leave_counts_and_nothing_else(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No series, no page of memory, no descriptor; and every one of them is accounted for."""
    # Two thousand children would each begin to measure their coverage.
    if "coverage" in sys.modules:
        monkeypatch.setattr("coverage.Coverage.current", lambda: None)
    for name in UNMEASURED:
        monkeypatch.delenv(name, raising=False)
    with capture_logs() as log:
        pass_generations(arbiter, FIRST, monkeypatch)
        series, memory, descriptors, mappings = traces(arbiter)
        pass_generations(arbiter, GENERATIONS - FIRST, monkeypatch)
    later = traces(arbiter)
    assert (later[0], later[1]) == (series, memory)
    # Fewer: the collector may close what an earlier test left behind.
    assert later[2] <= descriptors
    assert later[3] <= mappings
    assert len([event for event in log if event["event"] == "worker died"]) == GENERATIONS
    snapshot = take(arbiter.plan.board)
    tasks = view(snapshot).tasks
    dive, swim = tasks["dive"], tasks["swim"]
    assert (dive.started, dive.running, dive.outcomes["lost"]) == (GENERATIONS, 0, GENERATIONS)
    assert (swim.started, swim.outcomes["completed"]) == (GENERATIONS, GENERATIONS)
    assert snapshot.series(ACCEPTED.name)[0].value == 3 * GENERATIONS
    assert [slot.state for slot in arbiter.plan.board.workers[1:]] == [State.FREE, State.FREE]
    assert sum(slot.generation for slot in arbiter.plan.board.workers) == 1 + GENERATIONS
