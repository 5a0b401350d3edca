"""What a monitor counts reaches the scoreboard, and survives whoever counted it."""

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State
from bellbuoy.metrics import OTHER, Layout, counter
from bellbuoy.monitor import MAX_NAMES, AsyncMonitor
from bellbuoy.scoreboard import Scoreboard, Slot
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import (
    DROPPED,
    DURATION,
    FAMILIES,
    FINISHED,
    LAST_SUCCESS,
    OUTCOMES,
    RUNNING,
    STARTED,
    TASKS,
    TaskExport,
    settle,
)
from tests.bellbuoy.forked import Child

ENDINGS = {"failed": OSError, "cancelled": asyncio.CancelledError, "timed_out": TimeoutError}


@pytest.fixture
def board() -> Scoreboard:
    """Return a scoreboard for two workers and their supervisor."""
    return Scoreboard([counter("before_total", "…"), *FAMILIES], slots=3)


def run(monitor: AsyncMonitor, name: str, outcome: str) -> None:
    """Have one piece of work start and end."""
    if outcome == "completed":
        with monitor.span(name):
            pass
    else:
        with pytest.raises(ENDINGS[outcome]), monitor.span(name):
            raise ENDINGS[outcome]


def bury(slot: Slot) -> None:
    """Do what the supervisor does when it has reaped a slot's process."""
    cells = slot.load()
    settle(slot._board.layout, cells)
    slot.free(cells)


def tasks(board: Scoreboard) -> dict[str, dict[str, float]]:
    """Return what the snapshot shows of each task name, zeros left out; it must add up."""
    snapshot = take(board)
    shown: dict[str, dict[str, float]] = {}
    for each in snapshot.series(STARTED.name):
        shown[each.labels[0]] = {"started": each.value}
    for each in snapshot.series(FINISHED.name):
        shown[each.labels[0]][each.labels[1]] = each.value
    for each in snapshot.series(RUNNING.name):
        shown[each.labels[0]]["running"] = each.value
    for numbers in shown.values():
        rest = {name: count for name, count in numbers.items() if name != "started"}
        assert numbers["started"] == sum(rest.values())
        assert min(rest.values()) >= 0
    for each in snapshot.series(DURATION.name):
        ended = sum(shown[each.labels[0]].get(name, 0) for name in OUTCOMES if name != "lost")
        assert sum(each.cells[:-1]) == ended
    return {
        name: {what: count for what, count in numbers.items() if count}
        for name, numbers in shown.items()
    }


def test_a_monitors_counts_are_exported(board: Scoreboard) -> None:
    """Each outcome in its own series, and what runs now."""
    slot, monitor = board.workers[0], AsyncMonitor()
    slot.take(admin=False)
    instruments = slot.instruments()
    TaskExport(monitor, instruments)
    for outcome in OUTCOMES[:-1]:
        run(monitor, "work", outcome)
    run(monitor, "work", "failed")
    with monitor.span("work"):
        instruments.flush()
    assert tasks(board)["work"] == {
        "started": 6,
        "completed": 1,
        "failed": 2,
        "cancelled": 1,
        "timed_out": 1,
        "running": 1,
    }


def test_flushing_again_counts_nothing_twice(board: Scoreboard) -> None:
    """What is stored is base plus counts, not counts once more."""
    slot, monitor = board.workers[0], AsyncMonitor()
    slot.take(admin=False)
    instruments = slot.instruments()
    TaskExport(monitor, instruments)
    run(monitor, "work", "completed")
    instruments.flush()
    before = counters(board)
    instruments.flush()
    assert counters(board) == before


def test_durations_go_on_in_the_next_process(board: Scoreboard) -> None:
    """The sum is what both measured."""
    slot, seconds = board.workers[0], 0.0
    for _ in range(2):
        monitor, instruments = AsyncMonitor(), slot.instruments()
        TaskExport(monitor, instruments)
        run(monitor, "work", "completed")
        instruments.flush()
        seconds += monitor.get_stats().tasks["work"].seconds
    assert take(board).series(DURATION.name)[0].cells[-1] == pytest.approx(seconds)


def test_the_last_success_stays_until_there_is_a_newer_one(board: Scoreboard) -> None:
    """A replacement that only fails does not hide when it last went well."""
    slot, shown = board.workers[0], list[float]()
    for outcome in ("completed", "failed", "completed"):
        monitor, instruments = AsyncMonitor(), slot.instruments()
        TaskExport(monitor, instruments)
        run(monitor, "work", outcome)
        instruments.flush()
        shown.append(take(board).series(LAST_SUCCESS.name)[0].value)
    first, second, third = shown
    assert 0 < first == second < third


def test_a_wrong_clock_leaves_no_trace(board: Scoreboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is an hour fast the last success is, too; when it is right again, so is that."""
    monitor, instruments = AsyncMonitor(), board.own.instruments()
    TaskExport(monitor, instruments)
    right, shown = time.time_ns, list[float]()
    run(monitor, "work", "completed")
    for hours in (0, 1, 0):
        fast = hours * 3600 * 10**9
        monkeypatch.setattr(time, "time_ns", lambda fast=fast: right() + fast)
        instruments.flush()
        shown.append(take(board).series(LAST_SUCCESS.name)[0].value)
    before, during, after = shown
    assert during - before == pytest.approx(3600, abs=60)
    assert after == pytest.approx(before, abs=60)


def test_names_without_a_place_are_exported_together(board: Scoreboard) -> None:
    """Those the monitor had no place for, and those the shared table had none for."""
    for number, slot in enumerate(board.workers):
        slot.take(admin=False)
        monitor, instruments = AsyncMonitor(), slot.instruments()
        TaskExport(monitor, instruments)
        with ExitStack() as running:
            for name in range(MAX_NAMES + 1):
                running.enter_context(monitor.span(f"{number}-{name}"))
            instruments.flush()
    shown = tasks(board)
    assert len(shown) == TASKS.capacity + 1
    assert shown[OTHER] == {"started": MAX_NAMES + 2, "running": MAX_NAMES + 2}
    assert take(board).series(DROPPED.name)[0].value == MAX_NAMES + 2


def test_a_script_can_export_too() -> None:
    """Without a scoreboard the cells are its own."""
    instruments, monitor = Instruments(Layout(FAMILIES)), AsyncMonitor()
    TaskExport(monitor, instruments)
    run(monitor, "work", "failed")
    instruments.flush()
    assert instruments.counter(FINISHED, task="work", outcome="failed").value == 1


def test_nothing_is_lost_when_nothing_ran(board: Scoreboard) -> None:
    """A worker that stopped in order leaves no loss behind, and settling twice adds none."""
    slot, monitor = board.workers[0], AsyncMonitor()
    slot.take(admin=False)
    instruments = slot.instruments()
    TaskExport(monitor, instruments)
    run(monitor, "work", "completed")
    instruments.flush()
    bury(slot)
    slot.take(admin=False)
    bury(slot)
    assert tasks(board)["work"] == {"started": 1, "completed": 1}


def work_and_be_killed(slot: Slot, plan: Counter[str], child: Child) -> None:
    """Start work, end some of it, publish, and wait to be killed."""
    monitor, instruments = AsyncMonitor(), slot.instruments()
    TaskExport(monitor, instruments)
    for outcome in plan.elements():
        if outcome == "running":
            monitor.span("work").__enter__()
        else:
            run(monitor, "work", outcome)
    slot.step(State.READY)
    instruments.flush()
    child.say()
    child.hold()


def test_what_ran_in_killed_workers_is_lost_and_nothing_else_is(board: Scoreboard) -> None:
    """Two slots, three generations: at every moment started is running plus all that ended."""
    plan = Counter(completed=3, failed=2, cancelled=1, timed_out=1, running=2)
    before: Counter[str] = Counter()
    for generation in range(1, 4):
        for dead, slot in enumerate(board.workers, 2 * generation - 2):
            slot.take(admin=False)
            with Child(partial(work_and_be_killed, slot, plan)) as child:
                child.hear()
                assert tasks(board)["work"]["running"] == plan["running"]
                child.kill()
                now = Counter(tasks(board)["work"])
                assert now["lost"] == dead * plan["running"]
            bury(slot)
            now = Counter(tasks(board)["work"])
            assert now["running"] == 0
            assert now["lost"] == (dead + 1) * plan["running"]
            assert now["started"] == (dead + 1) * plan.total()
            assert now >= before
            before = now


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from("ab"),
            st.sampled_from(["running", "end", "flush", "killed", *OUTCOMES[:-1]]),
        ),
        max_size=30,
    )
)
def test_no_counter_ever_goes_back(steps: list[tuple[int, str, str]]) -> None:
    """Whatever two workers do, flush or not, are killed and replaced."""
    board = Scoreboard(FAMILIES, slots=3)
    workers = [Worker(slot) for slot in board.workers]
    before: dict[tuple[str, ...], float] = {}
    for number, name, what in steps:
        worker = workers[number]
        if what == "killed":
            bury(worker.slot)
            workers[number] = Worker(worker.slot)
        else:
            worker.do(name, what)
        tasks(board)
        now = counters(board)
        assert {key: now[key] for key in before} == {
            key: max(now[key], before[key]) for key in before
        }
        before = now


class Worker:
    """A worker of this process: a slot, a monitor and what it has running."""

    def __init__(self, slot: Slot) -> None:
        """Take the slot."""
        slot.take(admin=False)
        self.slot = slot
        self._monitor, self._instruments = AsyncMonitor(), slot.instruments()
        self._running: list[tuple[str, object]] = []
        TaskExport(self._monitor, self._instruments)

    def do(self, name: str, what: str) -> None:
        """Start work, end it, have it start and end, or flush."""
        if what == "flush":
            self._instruments.flush()
        elif what == "running":
            self._running.append((name, work := object()))
            self._monitor.record(name).begin(work, 0)
        elif what != "end":
            run(self._monitor, name, what)
        elif self._running:
            name, work = self._running.pop()
            self._monitor.record(name).succeed(work, 1)


def counters(board: Scoreboard) -> dict[tuple[str, ...], float]:
    """Return every number that must not go back, by family, labels and place."""
    return {
        (family.name, *series.labels, str(place)): cell
        for family, several in take(board).families
        if family.kind != "gauge"
        for series in several
        for place, cell in enumerate(series.cells)
    }
