"""The scoreboard outlives its processes, whatever ends them."""

import os
import signal
from array import array

import pytest

from bellbuoy.lifecycle import State
from bellbuoy.metrics import NameTable, counter, gauge, histogram
from bellbuoy.scoreboard import Scoreboard, Slot
from tests.bellbuoy.forked import Child

ROUTES = NameTable("routes", ("route",), 2)
TABLE = NameTable("peers", ("peer",), 3)
DONE = counter("done_total", "…", names=ROUTES)
BUSY = gauge("busy", "…", labels={"side": ("in", "out")})
NEWEST = gauge("newest_timestamp_seconds", "…", merge="latest")
TIMES = histogram("times_seconds", "…", buckets=(1.0,))
PEERS = counter("peers_total", "…", names=TABLE)
FAMILIES = (DONE, BUSY, NEWEST, TIMES, PEERS)

WIDE = histogram("wide_seconds", "…", buckets=tuple(map(float, range(20_000))))
"""So many cells that a publication takes long enough to be interrupted."""


@pytest.fixture
def board() -> Scoreboard:
    """Return a scoreboard for two workers and their supervisor."""
    return Scoreboard(FAMILIES, slots=3)


@pytest.fixture
def slot(board: Scoreboard) -> Slot:
    """Return the first slot, taken."""
    slot = board.workers[0]
    slot.take(admin=False)
    return slot


def test_a_fresh_scoreboard_is_free_and_zero(board: Scoreboard) -> None:
    """Whoever reads it before the first fork sees nothing."""
    assert [slot.state for slot in board.slots] == [State.FREE] * 3
    assert [sum(slot.load()) for slot in board.slots] == [0.0] * 3
    assert (board.supervisor, board.beat, board.was_ready, board.stopping) == (0, 0, 0, 0)


def test_the_last_slot_is_the_supervisors(board: Scoreboard) -> None:
    """It counts, too, and no worker ever gets its place."""
    assert board.workers == board.slots[:2]
    assert board.own is board.slots[2]
    assert [slot.index for slot in board.slots] == [0, 1, 2]


def test_no_two_headers_or_blocks_share_memory(board: Scoreboard) -> None:
    """What one writes, the others do not read; both copies of the cells included."""
    board.supervisor = 1.0
    for number, slot in enumerate(board.slots, 2):
        slot.pid = float(number)
        for _ in range(3):
            slot.store(array("d", [number] * board.layout.size))
        slot.text.write(b"%d" % number * slot.text.capacity)
    for number, names in enumerate(board.names):
        names.index(str(number))
    assert board.supervisor == 1.0
    for number, slot in enumerate(board.slots, 2):
        assert slot.pid == number
        assert set(slot.load()) == {number}
        assert slot.text.read() == b"%d" % number * slot.text.capacity
    assert [names.entries()[0] for names in board.names] == [("0",), ("1",)]


def test_a_header_field_is_described_by_its_class() -> None:
    """Asking the class, as documentation tools do, gives the field itself."""
    assert Slot.pid is not Slot.admin
    assert Scoreboard.beat.index == 1


def test_taking_a_slot_shows_it_as_starting(slot: Slot) -> None:
    """With a first beat and a birthday, so that nobody thinks it stale."""
    assert slot.state is State.STARTING
    assert (slot.admin, slot.generation, slot.pid) == (0, 1, 0)
    assert 0 < slot.beat < slot.born


def test_a_taken_slot_is_not_taken_again(slot: Slot) -> None:
    """Nothing of its process is overwritten."""
    before = list(slot.header)
    with pytest.raises(ValueError, match="slot 0 is taken: STARTING"):
        slot.take(admin=True)
    assert list(slot.header) == before


def test_a_step_that_the_lifecycle_lacks_is_refused(slot: Slot) -> None:
    """The state stays."""
    slot.step(State.READY)
    with pytest.raises(ValueError, match="no step from READY to STARTING"):
        slot.step(State.STARTING)
    assert slot.state is State.READY


@pytest.mark.parametrize("admin", [False, True])
def test_a_traffic_worker_is_counted_on_as_long_as_its_state_says(
    board: Scoreboard,
    admin: bool,  # noqa: FBT001
) -> None:
    """It serves until it drains, and carries traffic until it stops; the admin process neither."""
    slot = board.workers[0]
    seen = [(slot.serves, slot.carries_traffic)]
    slot.take(admin=admin)
    for state in (State.READY, State.DRAINING, State.STOPPED):
        seen.append((slot.serves, slot.carries_traffic))
        slot.step(state)
    seen.append((slot.serves, slot.carries_traffic))
    none, both, last = (False, False), (not admin, not admin), (False, not admin)
    assert seen == [none, both, both, last, none]


def test_a_replacement_goes_on_counting_where_its_predecessor_was(slot: Slot) -> None:
    """Counters, histograms and newest times go on; gauges begin anew."""
    first = slot.instruments()
    first.counter(DONE, route="/").inc(3)
    first.gauge(BUSY, side="out").set(2)
    first.gauge(NEWEST).set(1700.0)
    first.histogram(TIMES).observe(0.5)
    first.flush()

    slot.free(slot.load())
    slot.take(admin=False)
    second = slot.instruments()
    second.counter(DONE, route="/").inc()
    assert second.counter(DONE, route="/").value == 4
    assert second.gauge(BUSY, side="out").value == 0
    assert second.gauge(NEWEST).value == 1700.0
    assert list(second.cells[slice_of(slot, TIMES.name)]) == [1.0, 0.0, 0.5]
    assert slot.generation == 2


def test_a_free_slot_shows_nothing_of_its_process(slot: Slot) -> None:
    """Neither who it was nor what it said."""
    slot.pid, slot.connections = 4711.0, 5.0
    slot.text.write(b"{}")
    slot.free(slot.load())
    assert (slot.state, slot.pid, slot.admin, slot.connections) == (State.FREE, 0, 0, 0)
    assert slot.text.read() == b""


def test_what_the_supervisor_adds_on_the_way_out_is_kept(slot: Slot) -> None:
    """It settles the cells of a dead process before it frees the slot."""
    cells = slot.load()
    cells[0] += 9.0
    slot.free(cells)
    assert slot.load()[0] == 9.0


def test_counting_is_seen_with_the_next_flush_only(slot: Slot) -> None:
    """The process's own cells are not the slot's."""
    instruments = slot.instruments()
    instruments.counter(DONE, route="/").inc()
    assert sum(slot.load()) == 0
    instruments.flush()
    assert sum(slot.load()) == 1


def test_a_killed_process_loses_only_what_it_counted_since_its_last_flush(slot: Slot) -> None:
    """What was published stays, under the name that only the dead process knew."""

    def count(child: Child) -> None:
        slot.pid = float(os.getpid())
        instruments = slot.instruments()
        done = instruments.counter(DONE, route="/only/here")
        done.inc(5)
        instruments.flush()
        done.inc(100)
        child.say()
        child.hold()

    with Child(count) as child:
        child.hear()
        child.kill()
        assert child.wait() == -signal.SIGKILL
        assert slot.pid == child.pid
    slot.free(slot.load())
    slot.take(admin=False)
    assert slot.instruments().counter(DONE, route="/only/here").value == 5


def test_a_reader_never_sees_a_torn_publication() -> None:
    """Every number of a publication is the same while a process publishes in a hurry."""
    slot = Scoreboard([TIMES, DONE], slots=1).own

    def publish_for_ever(child: Child) -> None:
        instruments = slot.instruments()
        child.say()
        while True:
            instruments.cells = array("d", [instruments.cells[0] + 1] * len(instruments.cells))
            instruments.flush()

    with Child(publish_for_ever) as child:
        child.hear()
        seen = [slot.load()]
        while len(seen) < 2000 or seen[-1][0] < seen[0][0] + 20:
            seen.append(slot.load())
    assert [cells for cells in seen if len(set(cells)) > 1] == []
    counts = [cells[0] for cells in seen]
    assert counts == sorted(counts)


def test_a_reading_that_two_publications_overtake_is_repeated(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of them writes into the copy that is being read."""
    size, copies = slot._board.layout.size, slot._copies
    slot.store(array("d", [1.0] * size))

    class Overtaken:
        def __getitem__(self, place: int) -> bytes:
            slot._copies = copies
            first = bytes(copies[place][:1])
            for value in (2.0, 3.0):
                slot.store(array("d", [value] * size))
            return first + bytes(copies[place][1:])

    monkeypatch.setattr(slot, "_copies", Overtaken())
    assert set(slot.load()) == {3.0}


def test_a_process_that_is_stopped_while_it_publishes_disturbs_no_reader(slot: Slot) -> None:
    """Its last publication is whole as long as the new one is not."""
    slot.store(array("d", [1.0] * slot._board.layout.size))
    written = slot._copies[(int(slot._version) + 1) % 2]
    written[0] = 2.0
    assert set(slot.load()) == {1.0}


@pytest.mark.slow
def test_a_process_killed_while_it_publishes_leaves_a_whole_publication() -> None:
    """Killed at fifteen arbitrary moments of a publication that never ends."""
    slot = Scoreboard([WIDE], slots=1).own

    def publish_for_ever(child: Child) -> None:
        ones, cells = (array("d", [value] * slot._board.layout.size) for value in (1.0, 2.0))
        slot.store(ones)
        child.say()
        while True:
            slot.store(cells)
            slot.store(ones)

    for _ in range(15):
        with Child(publish_for_ever) as child:
            child.hear()
        assert len(set(slot.load())) == 1


def slice_of(slot: Slot, family: str) -> slice:
    """Return where a family's cells are."""
    (found,) = (each for each in FAMILIES if each.name == family)
    cells = slot._board.layout.cells(found)
    return slice(cells.start, cells.stop)
