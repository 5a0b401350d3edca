"""Nothing that started is ever unaccounted for, whatever ends, fails or is killed, and when.

Simulated processes share a real scoreboard. Each does what a worker does, through the public
interface and in each way in which it counts work; a model beside it knows what each had published
when it was killed.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard, Slot
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import DROPPED, FAMILIES, OUTCOMES, TASKS, TaskExport, settle
from bellbuoy.taskview import view
from tests.bellbuoy.working import KINDS, End, spanned

SLOTS = 3
ENDS: dict[str, type[BaseException] | None] = {
    "completed": None,
    "failed": ValueError,
    "cancelled": asyncio.CancelledError,
    "timed_out": TimeoutError,
}
SLOT = st.integers(0, SLOTS - 1)


class Process:
    """A worker as far as its tasks are concerned, and what is expected of it."""

    def __init__(self, slot: Slot, loop: asyncio.AbstractEventLoop) -> None:
        """Be forked."""
        slot.take(admin=False)
        self.slot = slot
        self.loop = loop
        self.instruments = slot.instruments()
        self.monitor = AsyncMonitor()
        TaskExport(self.monitor, self.instruments)
        self.running: list[tuple[str, End]] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.published: Counter[tuple[str, str]] = Counter()

    def start(self, name: str, kind: Callable[..., End] = spanned) -> None:
        """Begin a piece of work."""
        self.running.append((name, kind(self.monitor, name, self.loop)))
        self.counts[name, "started"] += 1

    def end(self, index: int, outcome: str) -> None:
        """End one that runs."""
        name, end = self.running.pop(index % len(self.running))
        end(ENDS[outcome])
        self.counts[name, outcome] += 1

    def publish(self) -> None:
        """Sweep."""
        self.instruments.flush()
        self.published = self.counts.copy()

    def die_publishing(self, share: float) -> None:
        """Be killed in the middle of the copy: the version is not stored any more."""
        slot = self.slot
        for collect in self.instruments._collectors:
            collect()
        copy = slot._copies[(int(slot._version) + 1) % 2]
        written = int(share * len(copy))
        copy[:written] = memoryview(self.instruments.cells)[:written]


class Conservation(RuleBasedStateMachine):
    """Starts, ends, sweeps, kills, and kills within a sweep, in any order."""

    @initialize()
    def begin(self) -> None:
        """Have a scoreboard and nobody on it."""
        self.board = Scoreboard(FAMILIES, SLOTS + 1)
        self.loop = asyncio.new_event_loop()
        self.living: dict[int, Process] = {}
        self.dead: Counter[tuple[str, str]] = Counter()
        # A process that is killed as it publishes may have taken a name's place already.
        self.seen: set[str] = set()

    def teardown(self) -> None:
        """Leave no task behind, those of the dead included."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.close()

    def process(self, slot: int) -> Process:
        """Return the process that has a slot, forked now if there is none."""
        if slot not in self.living:
            self.living[slot] = Process(self.board.workers[slot], self.loop)
        return self.living[slot]

    @rule(
        slot=SLOT,
        name=st.sampled_from(["dive", "float", "other", "ring"]),
        kind=st.sampled_from(KINDS),
    )
    def start(self, slot: int, name: str, kind: Callable[..., End]) -> None:
        """One name after the other, in one worker or in several, in each way there is."""
        self.seen.add(name)
        self.process(slot).start(name, kind)

    @rule(slot=SLOT, first=st.integers(0, 100))
    def crowd(self, slot: int, first: int) -> None:
        """More names than there is room for, before long."""
        for number in range(first, first + 40):
            self.seen.add(f"name {number}")
            self.process(slot).start(f"name {number}")

    @rule(slot=SLOT, index=st.integers(0, 1000), outcome=st.sampled_from([*ENDS]))
    def end(self, slot: int, index: int, outcome: str) -> None:
        """Some of what runs, not in order."""
        if self.process(slot).running:
            self.process(slot).end(index, outcome)

    @rule(slot=SLOT)
    def sweep(self, slot: int) -> None:
        """Publish."""
        self.process(slot).publish()

    @precondition(lambda self: self.living)
    @rule(slot=SLOT, share=st.floats(0, 1))
    def kill(self, slot: int, share: float) -> None:
        """Between two sweeps or within one; then the supervisor reaps it."""
        process = self.living.pop(slot, None)
        if process is None:
            return
        if share:
            process.die_publishing(share)
        cells = process.slot.load()
        settle(self.board.layout, cells)
        process.slot.free(cells)
        for (name, what), count in process.published.items():
            self.dead[name, what] += count
            if what == "started":
                self.dead[name, "lost"] += count
            else:
                self.dead[name, "lost"] -= count

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        """Per name, and in total as the model knows it."""
        tasks = view(take(self.board)).tasks
        for name, task in tasks.items():
            assert task.started == task.running + sum(task.outcomes.values()), name
        told: defaultdict[str, int] = defaultdict(int)
        for task in tasks.values():
            told["started"] += task.started
            for outcome in OUTCOMES:
                told[outcome] += task.outcomes[outcome]
        expected = self.expected()
        assert {what: told[what] for what in ("started", *OUTCOMES)} == {
            what: sum(count for (_, key), count in expected.items() if key == what)
            for what in ("started", *OUTCOMES)
        }
        for name in ("dive", "float", "ring"):
            if name in tasks and "other" not in tasks:
                assert tasks[name].started == expected[name, "started"]

    @invariant()
    def names_are_bounded(self) -> None:
        """And what did not fit is counted."""
        snapshot = take(self.board)
        tasks = view(snapshot).tasks
        assert len(tasks) <= TASKS.capacity + 1
        (dropped,) = snapshot.series(DROPPED.name)
        published = {name for (name, _), count in self.expected().items() if count}
        if dropped.value:
            assert len(self.seen - {"other"}) > TASKS.capacity
        if len(published - {"other"}) > TASKS.capacity:
            assert dropped.value > 0

    def expected(self) -> Counter[tuple[str, str]]:
        """Return what all processes published, and what the dead ones lost."""
        total = self.dead.copy()
        for process in self.living.values():
            total.update(process.published)
        return total


# Shrinking would take minutes; the steps that are printed are few enough to read.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
Conservation.TestCase.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None, phases=PHASES
)
TestConservation = Conservation.TestCase


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that does not run."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.mark.parametrize("outcome", ENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_work_of_each_kind_ends_in_each_way(
    loop: asyncio.AbstractEventLoop, kind: Callable[..., End], outcome: str
) -> None:
    """What the interleavings are made of."""
    board = Scoreboard(FAMILIES, 2)
    process = Process(board.workers[0], loop)
    process.start("work", kind)
    process.publish()
    assert view(take(board)).tasks["work"].running == 1
    process.end(0, outcome)
    process.publish()
    task = view(take(board)).tasks["work"]
    assert (task.started, task.running) == (1, 0)
    assert {name for name, count in task.outcomes.items() if count} == {outcome}


def test_a_process_killed_before_it_published_leaves_nothing(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """What nobody was told cannot be lost: the counts of its slot are as before."""
    board = Scoreboard(FAMILIES, 2)
    process = Process(board.workers[0], loop)
    process.start("work")
    process.die_publishing(1.0)
    assert view(take(board)).tasks["work"].started == 0


def test_what_a_killed_process_had_published_as_running_is_lost(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """The successor in its slot goes on counting."""
    board = Scoreboard(FAMILIES, 2)
    for generation in range(1, 4):
        process = Process(board.workers[0], loop)
        process.start("work")
        process.start("work")
        process.end(0, "completed")
        process.publish()
        cells = process.slot.load()
        settle(board.layout, cells)
        process.slot.free(cells)
        task = view(take(board)).tasks["work"]
        assert (task.started, task.running) == (2 * generation, 0)
        assert {key: value for key, value in task.outcomes.items() if value} == {
            "completed": generation,
            "lost": generation,
        }
