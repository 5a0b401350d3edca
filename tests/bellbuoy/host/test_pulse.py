"""The pulse: beats while the loop turns, and shows what runs."""

import asyncio
import io
import os

import msgspec
import pytest
import structlog

from bellbuoy import logs
from bellbuoy.flood import GRACE, OURS, FloodGate
from bellbuoy.host import pulse as module
from bellbuoy.host.families import FAMILIES
from bellbuoy.host.pulse import FEW, SHALLOW, Pulse, shorter
from bellbuoy.host.vitals import Vitals
from bellbuoy.inspector import RunningTask
from bellbuoy.instruments import Instruments
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard, Slot
from bellbuoy.taskrecord import LastError
from bellbuoy.taskview import WorkerText
from tests.bellbuoy.test_logs import events, restored
from tests.waiting import soon

__all__ = ["restored"]


class Bench:
    """A pulse, and what it tells."""

    def __init__(self, supervisor: int | None = None) -> None:
        """Beat for the first time."""
        self.slot: Slot = Scoreboard(FAMILIES, 2).workers[0]
        self.slot.take(admin=False)
        self.slot.beat = 0.0
        self.monitor = AsyncMonitor()
        self.flushes = self.notified = self.orphaned = 0
        self.instruments: Instruments = self.slot.instruments()
        self.instruments.before_flush(self._flushed)
        self.pulse = Pulse(
            Vitals(self.slot, self.instruments, threshold=1.0),
            self.instruments,
            self.monitor,
            os.getppid() if supervisor is None else supervisor,
            self._notify,
            self._orphaned,
            interval=0.001,
        )

    async def until(self, flushes: int) -> None:
        """Wait for so many beats."""
        await soon(lambda: self.flushes >= flushes)

    @property
    def text(self) -> WorkerText:
        """What the worker shows."""
        return msgspec.json.decode(self.slot.text.read(), type=WorkerText)

    def _flushed(self) -> None:
        self.flushes += 1

    def _notify(self) -> None:
        self.notified += 1

    def _orphaned(self) -> None:
        self.orphaned += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth beat does what once a second is enough for."""
    monkeypatch.setattr(module, "SLOW", 0.01)


async def test_it_beats_and_publishes_as_long_as_the_loop_turns() -> None:
    """The watchdog hears of every tenth."""
    bench = Bench()
    first = bench.slot.beat
    assert first < bench.pulse.due < first + 1
    assert (first > 0, bench.flushes, bench.notified) == (True, 1, 1)
    await bench.until(11)
    bench.pulse.stop()
    assert bench.slot.beat > first
    assert bench.notified == 2
    assert bench.orphaned == 0


async def test_it_publishes_once_more_when_it_stops() -> None:
    """What was counted since the last sweep is not lost; then it is silent."""
    bench = Bench()
    bench.pulse.stop()
    assert bench.flushes == 2
    await asyncio.sleep(0.02)
    assert bench.flushes == 2


async def test_a_worker_whose_supervisor_is_gone_is_told() -> None:
    """Even when it died before the first beat."""
    bench = Bench(supervisor=os.getppid() + 1)
    assert bench.orphaned == 1
    await bench.until(11)
    bench.pulse.stop()
    assert bench.orphaned == 2


async def test_it_shows_what_runs_and_what_failed() -> None:
    """With the worker's last errors."""
    bench = Bench()

    async def fail() -> None:
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await bench.monitor.track_task("failing")(fail)()
    with bench.monitor.span("running"):
        await bench.until(11)
    bench.pulse.stop()
    assert [task.name for task in bench.text.running] == ["running"]
    assert bench.text.errors["failing"].message == "on purpose"


async def test_what_the_log_left_out_is_told_while_it_beats_and_at_the_end() -> None:
    """A flood that is over has nobody else to tell of it."""
    now, stream = [0.0], io.StringIO()
    logs.configure("info", stream, gate=FloodGate(lambda: now[0]))
    bench = Bench()

    def flood() -> None:
        for _ in range(OURS.most + 7):
            structlog.get_logger("test").warning("it sinks")

    def told() -> list[int]:
        return [event["suppressed"] for event in events(stream) if "suppressed" in event]

    flood()
    now[0] = OURS.seconds + GRACE
    await soon(lambda: told() == [7])
    flood()
    bench.pulse.stop()
    assert told() == [7, 7]


async def test_what_is_too_long_to_show_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest tasks stay."""
    many = [RunningTask(f"{number}", 1.0, ("x" * 1000,)) for number in range(64)]
    monkeypatch.setattr(module, "oldest", lambda _: many)
    bench = Bench()
    bench.pulse.stop()
    shown = [task.name for task in bench.text.running]
    assert 0 < len(shown) < 64
    assert shown == [str(number) for number in range(len(shown))]


def test_deep_stacks_go_before_tasks_and_old_errors_last() -> None:
    """And of the errors the newest stays to the end."""
    deep = [RunningTask(f"{number}", 64.0 - number, ("x",) * 20) for number in range(64)]
    failed = {f"{at}": LastError("ValueError", "no", float(at)) for at in range(64)}
    texts = [WorkerText(deep, failed)]
    while texts[-1].running or len(texts[-1].errors) > 1:
        texts.append(shorter(texts[-1]))
    stacks, tasks, errors = (
        [text.running and len(text.running[0].stack) for text in texts],
        [len(text.running) for text in texts],
        [len(text.errors) for text in texts],
    )
    assert [depth or 0 for depth in stacks[:4]] == [20, 10, 5, 2]
    assert max(len(task.stack) for text in texts[3:] for task in text.running) <= SHALLOW
    assert tasks[3] == 64
    assert errors[: tasks.index(FEW) + 1] == [64] * (tasks.index(FEW) + 1)
    assert [task.name for task in texts[tasks.index(FEW)].running] == ["0", "1", "2", "3"]
    assert list(texts[errors.index(2)].errors) == ["63", "62"]
    assert list(texts[-1].errors) == ["63"]
    assert {text.at for text in texts} == {texts[0].at}


async def test_the_newest_errors_are_shown_however_deep_the_tasks_are() -> None:
    """Twenty deep stacks fill the block; a failure is told all the same."""
    bench = Bench()
    for number in range(60):
        failure = ValueError(f"{number} " + "x" * 200)
        with pytest.raises(ValueError, match="x"), bench.monitor.span(f"{number} " + "y" * 140):
            raise failure

    async def dive(depth: int) -> None:
        await (dive(depth - 1) if depth else asyncio.Event().wait())

    tasks = [bench.monitor.create_task(dive(30), name="dive") for _ in range(40)]
    await asyncio.sleep(0)
    await bench.until(11)
    bench.pulse.stop()
    assert "59 " + "y" * 140 in bench.text.errors
    assert bench.text.running
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
