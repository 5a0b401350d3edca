"""A snapshot is what all processes counted, as one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.lifecycle import State
from bellbuoy.metrics import Family, Merge, NameTable, counter, gauge, histogram
from bellbuoy.scoreboard import Scoreboard, Slot
from bellbuoy.snapshot import Series, take

ROUTES = NameTable("routes", ("route",), 2)
DONE = counter("done_total", "…", labels={"outcome": ("good", "bad")}, names=ROUTES)
TOTAL = counter("total", "…")
TIMES = histogram("times_seconds", "…", buckets=(1.0, 2.0))
BUSY = gauge("busy", "…")
LEAST = gauge("least", "…", merge="min")
MOST = gauge("most", "…", merge="max")
NEWEST = gauge("newest_timestamp_seconds", "…", merge="latest")
FAMILIES = (DONE, TOTAL, TIMES, BUSY, LEAST, MOST, NEWEST)

LIVE = (State.STARTING, State.READY, State.DRAINING)


@pytest.fixture
def board() -> Scoreboard:
    """Return a scoreboard for three workers and their supervisor."""
    return Scoreboard(FAMILIES, slots=4)


def bring(slot: Slot, state: State, *, admin: bool = False) -> None:
    """Take a slot and step it to ``state``."""
    slot.take(admin=admin)
    for step in (State.READY, State.DRAINING, State.STOPPED):
        if state >= step:
            slot.step(step)


def show(slot: Slot, family: Family, value: float) -> None:
    """Store one value and publish it."""
    instruments = slot.instruments()
    instruments.gauge(family).set(value)
    instruments.flush()


def value(board: Scoreboard, family: Family) -> float:
    """Return the only value of a family."""
    (series,) = take(board).series(family.name)
    return series.value


def test_nothing_has_happened_yet(board: Scoreboard) -> None:
    """Every number is zero, though no process lives; names are not there before they come."""
    snapshot = take(board)
    assert snapshot.processes == ()
    assert snapshot.series(DONE.name) == ()
    assert snapshot.series(TIMES.name) == (Series((), (0.0,) * 4),)
    assert [value(board, family) for family in (TOTAL, BUSY, LEAST, MOST, NEWEST)] == [0] * 5


@pytest.mark.parametrize("merge, expected", [("sum", 12.0), ("min", 3.0), ("max", 5.0)])
def test_the_gauges_of_several_workers_become_one(merge: Merge, expected: float) -> None:
    """As their declaration says."""
    family = gauge("g", "…", merge=merge)
    board = Scoreboard([family], slots=4)
    for slot, number in zip(board.workers, (4.0, 3.0, 5.0), strict=True):
        bring(slot, State.READY)
        show(slot, family, number)
    assert value(board, family) == expected


@pytest.mark.parametrize("state", [*State])
def test_a_gauge_counts_while_its_worker_lives(board: Scoreboard, state: State) -> None:
    """Starting, ready and draining; not when it serves nothing any more."""
    other, slot, _ = board.workers
    bring(other, State.READY)
    for family in (BUSY, LEAST, MOST):
        show(other, family, 2.0)
    if state is not State.FREE:
        bring(slot, state)
    for family, number in ((BUSY, 1.0), (LEAST, 1.0), (MOST, 3.0)):
        show(slot, family, number)
    expected = [3.0, 1.0, 3.0] if state in LIVE else [2.0, 2.0, 2.0]
    assert [value(board, family) for family in (BUSY, LEAST, MOST)] == expected


def test_the_gauges_of_admin_and_supervisor_do_not_count(board: Scoreboard) -> None:
    """They carry no traffic: their zero is nobody's minimum."""
    worker, admin, _ = board.workers
    bring(worker, State.READY)
    bring(admin, State.READY, admin=True)
    for family in (BUSY, LEAST, MOST):
        show(worker, family, 2.0)
        show(admin, family, 1.0)
        show(board.own, family, 9.0)
    assert [value(board, family) for family in (BUSY, LEAST, MOST)] == [2.0, 2.0, 2.0]


def test_a_counter_counts_whoever_ever_counted(board: Scoreboard) -> None:
    """Workers alive and gone, the admin process and the supervisor."""
    gone, alive, admin = board.workers
    bring(gone, State.READY)
    bring(alive, State.READY)
    bring(admin, State.READY, admin=True)
    for slot, number in zip(board.slots, (1.0, 10.0, 100.0, 1000.0), strict=True):
        show(slot, TOTAL, number)
    gone.free(gone.load())
    assert value(board, TOTAL) == 1111.0


def test_a_histogram_is_summed_bucket_by_bucket(board: Scoreboard) -> None:
    """And so is its sum."""
    for slot, number in zip(board.workers, (0.5, 1.5, 1.75), strict=True):
        instruments = slot.instruments()
        instruments.histogram(TIMES).observe(number)
        instruments.flush()
    assert take(board).series(TIMES.name) == (Series((), (1.0, 2.0, 0.0, 3.75)),)


def test_the_newest_time_is_the_newest_of_all_times(board: Scoreboard) -> None:
    """Also when the worker that stored it is gone."""
    gone, alive, _ = board.workers
    for slot, number in ((gone, 1800.0), (alive, 1700.0)):
        bring(slot, State.READY)
        show(slot, NEWEST, number)
    gone.free(gone.load())
    assert value(board, NEWEST) == 1800.0


def test_names_come_in_their_order_with_every_combination(board: Scoreboard) -> None:
    """A known name shows its zeros; `other` is not there until something is counted under it."""
    instruments = board.own.instruments()
    instruments.counter(DONE, route="/b", outcome="bad").inc(2)
    instruments.counter(DONE, route="/a", outcome="good").inc(3)
    instruments.flush()
    assert shown(board) == {
        ("/b", "good"): 0,
        ("/b", "bad"): 2,
        ("/a", "good"): 3,
        ("/a", "bad"): 0,
    }


@pytest.mark.parametrize("routes", [["other"], ["/a", "other"], ["/a", "/b", "/c"]])
def test_other_is_shown_once_it_is_used(board: Scoreboard, routes: list[str]) -> None:
    """From its own cells, however few names stand before it."""
    instruments = board.own.instruments()
    for route in routes:
        instruments.counter(DONE, route=route, outcome="bad").inc()
    instruments.flush()
    series = shown(board)
    assert series[("other", "bad")] == 1
    assert ("other", "good") not in series
    assert sum(series.values()) == len(routes)


def shown(board: Scoreboard) -> dict[tuple[str, ...], float]:
    """Return the values of DONE by their labels, in their order."""
    return {series.labels: series.value for series in take(board).series(DONE.name)}


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcd"), st.integers(1, 9))))
def test_whatever_processes_count_is_in_the_sum(counts: list[tuple[int, str, int]]) -> None:
    """No process, no name and no overflow loses anything."""
    board = Scoreboard([DONE], slots=4)
    instruments = [slot.instruments() for slot in board.slots]
    for process, route, number in counts:
        instruments[process].counter(DONE, route=route, outcome="good").inc(number)
    for each in instruments:
        each.flush()
    assert sum(shown(board).values()) == sum(number for _, _, number in counts)


def test_families_of_one_process_come_from_one_publication(
    board: Scoreboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gauge and a counter agree, though the process publishes while the snapshot is taken."""
    slot = board.workers[0]
    bring(slot, State.READY)
    instruments = slot.instruments()
    load = Slot.load

    def load_and_let_it_publish(each: Slot) -> object:
        cells = load(each)
        instruments.gauge(BUSY).inc()
        instruments.counter(TOTAL).inc()
        instruments.flush()
        return cells

    monkeypatch.setattr(Slot, "load", load_and_let_it_publish)
    snapshot = take(board)
    assert snapshot.series(BUSY.name)[0].value == snapshot.series(TOTAL.name)[0].value


def test_every_process_is_shown_as_it_is(board: Scoreboard) -> None:
    """Those that have a slot, in the order of the slots; traffic is without the admin process."""
    admin, _, worker = board.workers
    bring(admin, State.STARTING, admin=True)
    bring(worker, State.STOPPED)
    worker.pid, worker.connections = 4711.0, 3.0
    worker.text.write(b'{"running":[]}')
    snapshot = take(board)
    first, second = snapshot.processes
    assert (first.slot, first.admin, first.state) == (0, True, State.STARTING)
    assert (second.slot, second.admin, second.state) == (2, False, State.STOPPED)
    assert (second.pid, second.connections, second.text) == (4711, 3, b'{"running":[]}')
    assert (second.born, snapshot.traffic) == (worker.born, (second,))


def test_the_supervisor_is_shown(board: Scoreboard) -> None:
    """Who it is and whether it has been told to stop."""
    board.supervisor, board.stopping = 42.0, 1.0
    snapshot = take(board)
    assert (snapshot.supervisor, snapshot.stopping) == (42, True)


def test_no_age_is_negative(board: Scoreboard) -> None:
    """A beat that comes while the snapshot is taken is no beat from the future."""
    slot = board.workers[0]
    bring(slot, State.READY)
    slot.beat = board.beat = float("inf")
    snapshot = take(board)
    assert (snapshot.processes[0].beat_age, snapshot.supervisor_beat_age) == (0.0, 0.0)


def test_ages_are_seconds_since_the_last_beat(board: Scoreboard) -> None:
    """On the clock that never goes back."""
    slot = board.workers[0]
    bring(slot, State.READY)
    slot.beat -= 100.0
    board.beat = slot.beat
    snapshot = take(board)
    assert 100.0 <= snapshot.processes[0].beat_age < 160.0
    assert 100.0 <= snapshot.supervisor_beat_age < 160.0


def test_an_unknown_family_is_a_mistake(board: Scoreboard) -> None:
    """It is told by name."""
    with pytest.raises(KeyError, match="nothing_total"):
        take(board).series("nothing_total")


@pytest.mark.parametrize("successor", ["fresh", "second in its slot"])
def test_a_worker_that_does_not_know_yet_is_nobodys_minimum(
    board: Scoreboard, successor: str
) -> None:
    """A replacement that has just been forked does not look like an outage."""
    knowing, slot, _ = board.workers
    bring(knowing, State.READY)
    show(knowing, LEAST, 1.0)
    if successor != "fresh":
        bring(slot, State.READY)
        show(slot, LEAST, 0.0)
        slot.free(slot.load())
    slot.take(admin=False)
    assert value(board, LEAST) == 1.0
    slot.instruments().flush()
    assert value(board, LEAST) == 1.0
    show(slot, LEAST, 0.0)
    assert value(board, LEAST) == 0.0


def test_a_minimum_that_nobody_knows_is_zero(board: Scoreboard) -> None:
    """What is exported is a number."""
    bring(board.workers[0], State.STARTING)
    assert value(board, LEAST) == 0.0


def test_a_minimum_that_nobody_knows_may_have_no_series() -> None:
    """A 0 would be a claim: with no process alive, and with one that has not found out yet."""
    family = gauge("g", "…", merge="min", otherwise=math.nan)
    board = Scoreboard([family], slots=2)
    assert take(board).series("g") == ()
    slot = board.workers[0]
    bring(slot, State.STARTING)
    slot.instruments().flush()
    assert take(board).series("g") == ()
    show(slot, family, 0.0)
    assert value(board, family) == 0.0
    slot.free(slot.load())
    assert take(board).series("g") == ()
