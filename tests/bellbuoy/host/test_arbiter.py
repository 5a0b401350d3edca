"""The supervisor's decisions, with workers that never lived; the rest is in tests/integration."""

import signal
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import gunicorn.arbiter
import pytest
from gunicorn.errors import HaltServer
from structlog.testing import capture_logs

from bellbuoy import timeouts
from bellbuoy.host import arbiter as module
from bellbuoy.host.arbiter import BOOT_ATTEMPTS, Arbiter, announce, assign_slot
from bellbuoy.host.families import DEATHS
from bellbuoy.host.worker import BOOT_ERROR
from bellbuoy.lifecycle import State
from bellbuoy.metrics import Layout
from bellbuoy.scoreboard import Slot
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import FINISHED, STARTED
from tests.bellbuoy.host.mayflies import Application, Children, Mayfly, born
from tests.bellbuoy.host.plans import planned


@pytest.fixture
def arbiter() -> Iterator[Arbiter]:
    """A supervisor that has forked nobody; its class holds the workers."""
    with planned() as plan, patch.object(Arbiter, "WORKERS", {}):
        yield Arbiter(Application(), plan)


def reap(arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch, *deaths: tuple[int, int]) -> None:
    """Have the kernel report these deaths: process id and wait status."""
    monkeypatch.setattr(module, "_dead_children", lambda: iter(deaths))
    with capture_logs():
        arbiter.reap_workers()


def deaths(arbiter: Arbiter) -> dict[str, float]:
    """Return the counted deaths that happened, by how."""
    arbiter._beat()
    series = take(arbiter.plan.board).series(DEATHS.name)
    return {each.labels[0]: each.value for each in series if each.value}


def exit_status(code: int) -> int:
    """Return what waitpid(2) says of an exit."""
    return code << 8


KILLED = 9
"""What waitpid(2) says of SIGKILL."""


def test_the_first_worker_gets_the_admin_role(arbiter: Arbiter) -> None:
    """And nobody else, as long as it lives; slots are given from below."""
    workers = [born(arbiter, pid) for pid in (11, 12, 13)]
    assert [worker.slot.index for worker in workers] == [0, 1, 2]
    assert [bool(worker.slot.admin) for worker in workers] == [True, False, False]
    assert workers[0].plan is arbiter.plan


def test_the_role_goes_to_whoever_comes_next(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its process dies, with the slot that is free."""
    admin, first, second = (born(arbiter, pid) for pid in (11, 12, 13))
    reap(arbiter, monkeypatch, (11, KILLED), (12, KILLED))
    assert (admin.slot.state, first.slot.state) == (State.FREE, State.FREE)
    replacements = [born(arbiter, pid) for pid in (14, 15)]
    assert [worker.slot.index for worker in replacements] == [0, 1]
    assert [bool(worker.slot.admin) for worker in replacements] == [True, False]
    assert second.slot.pid == 13


@pytest.mark.parametrize(
    "status, aborted, how",
    [
        (KILLED, False, "signal"),
        (exit_status(1), False, "exit"),
        (exit_status(0), False, "exit"),
        (exit_status(134), True, "watchdog"),
        (KILLED, True, "watchdog"),
    ],
)
def test_a_death_is_counted_by_how(
    arbiter: Arbiter,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    aborted: bool,  # noqa: FBT001
    how: str,
) -> None:
    """Nobody told it to end: status 0 is no excuse."""
    worker = born(arbiter, 11)
    worker.aborted = aborted
    reap(arbiter, monkeypatch, (11, status))
    assert deaths(arbiter) == {how: 1}
    assert arbiter.WORKERS == {}
    assert worker.slot.state is State.FREE


def stopped(slot: Slot) -> None:
    """Go through the states of an orderly end."""
    slot.step(State.DRAINING)
    slot.step(State.STOPPED)


@pytest.mark.parametrize("status", [exit_status(0), KILLED])
def test_a_worker_that_stopped_in_order_is_no_death(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Whatever happens to the process afterwards."""
    stopped(born(arbiter, 11).slot)
    reap(arbiter, monkeypatch, (11, status))
    assert deaths(arbiter) == {}


def test_what_ran_in_a_killed_worker_is_lost(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of its last publication; nothing is taken from the counters."""
    worker = born(arbiter, 11)
    instruments = worker.slot.instruments()
    instruments.counter(STARTED, task="poll").inc(7)
    instruments.counter(FINISHED, task="poll", outcome="completed").inc(4)
    instruments.flush()
    reap(arbiter, monkeypatch, (11, KILLED))
    snapshot = take(arbiter.plan.board)
    (started,) = snapshot.series(STARTED.name)
    finished = {each.labels[1]: each.value for each in snapshot.series(FINISHED.name)}
    assert started.value == 7
    assert (finished["completed"], finished["lost"]) == (4, 3)


def test_somebody_else_s_child_is_nobody_s_worker(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel gives orphans to process 1; exit status 3 would halt gunicorn."""
    born(arbiter, 11)
    reap(arbiter, monkeypatch, (99, exit_status(BOOT_ERROR)))
    assert set(arbiter.WORKERS) == {11}
    assert deaths(arbiter) == {}


def die_young(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch, times: int, lived: float = 0.1
) -> None:
    """Have workers die while they boot."""
    for pid in range(100, 100 + times):
        born(arbiter, pid, lived)
        reap(arbiter, monkeypatch, (pid, exit_status(BOOT_ERROR)))


def test_a_service_that_never_boots_is_given_up(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some attempts, and with the status of a boot error."""
    die_young(arbiter, monkeypatch, BOOT_ATTEMPTS - 1)
    with pytest.raises(HaltServer) as caught:
        die_young(arbiter, monkeypatch, 1)
    assert caught.value.exit_status == BOOT_ERROR


def test_a_service_that_takes_long_to_fail_is_given_up_as_well(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine takes seconds for a boot; who never was open did not live, but boot."""
    with pytest.raises(HaltServer):
        die_young(arbiter, monkeypatch, BOOT_ATTEMPTS, lived=30.0)


def test_a_service_that_once_was_open_is_not_given_up(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad moment of a replacement must not end what serves beside it."""
    arbiter.plan.board.was_open = 1.0
    die_young(arbiter, monkeypatch, 3 * BOOT_ATTEMPTS)
    assert deaths(arbiter) == {"exit": 3 * BOOT_ATTEMPTS}


def test_deaths_do_not_interrupt_a_stop(arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others must still be waited for."""
    arbiter.plan.board.stopping = 1.0
    die_young(arbiter, monkeypatch, 2 * BOOT_ATTEMPTS)
    assert arbiter.WORKERS == {}


def test_a_fork_that_fails_gives_the_slot_back(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is tried again later, instead of ending the supervisor."""

    def fail(self: Arbiter) -> int:
        assign_slot(self, Mayfly(0))
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(gunicorn.arbiter.Arbiter, "spawn_worker", fail)
    with capture_logs() as events:
        arbiter.manage_workers()
    assert [event["event"] for event in events] == ["cannot fork"]
    assert {slot.state for slot in arbiter.plan.board.workers} == {State.FREE}


def test_it_forks_what_is_missing(arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beating each time, which is what the liveness probe looks at."""
    pids = iter((11, 12, 13))

    def fork(self: Arbiter) -> int:
        return int(born(self, next(pids)).pid)

    monkeypatch.setattr(gunicorn.arbiter.Arbiter, "spawn_worker", fork)
    arbiter.manage_workers()
    assert list(arbiter.WORKERS) == [11, 12, 13]
    assert [slot.pid for slot in arbiter.plan.board.workers] == [11, 12, 13]
    assert time.monotonic() - arbiter.plan.board.beat < 10


@pytest.mark.parametrize("name", ["hup", "usr1", "usr2", "ttin", "ttou", "winch"])
def test_signals_that_would_change_gunicorn_are_refused(arbiter: Arbiter, name: str) -> None:
    """With a line that says why."""
    handle: Any = getattr(arbiter, f"handle_{name}")
    with capture_logs() as events:
        handle()
    assert [(event["event"], event["signal"]) for event in events] == [
        ("signal refused", name.upper())
    ]
    assert arbiter.num_workers == 3


@pytest.mark.parametrize("name", ["term", "int", "quit"])
def test_signals_that_stop_stop_in_order(arbiter: Arbiter, name: str) -> None:
    """None of them is the quick stop that it is to gunicorn."""
    handle: Any = getattr(arbiter, f"handle_{name}")
    with pytest.raises(StopIteration):
        handle()


def test_it_says_where_it_listens(arbiter: Arbiter) -> None:
    """With what the kernel chose."""
    with capture_logs() as events:
        announce(arbiter)
    (event,) = events
    port = arbiter.plan.listener.getsockname()[1]
    assert (event["event"], event["address"]) == ("listening", f"127.0.0.1:{port}")
    assert event["workers"] == 2


def test_the_layout_has_room_for_every_slot(arbiter: Arbiter) -> None:
    """One for each process, and one for the supervisor, which counts deaths."""
    assert len(arbiter.plan.board.slots) == 4
    assert isinstance(arbiter.plan.board.layout, Layout)


def stop(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch, deadly: signal.Signals, within: float
) -> list[tuple[int, str]]:
    """Stop two workers that die of one signal only; return who was told what."""
    children = Children(deadly)
    monkeypatch.setattr(module, "_dead_children", children.reap)
    monkeypatch.setattr(arbiter, "kill_worker", children.kill)
    monkeypatch.setattr(arbiter, "murder_workers", lambda: None)
    monkeypatch.setattr(timeouts, "supervisor", lambda *_: within)
    for pid in (11, 12):
        born(arbiter, pid)
    with capture_logs():
        arbiter.stop()
    return children.told


def test_a_stop_tells_everybody_once(arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it waits; its own copies of the listeners are closed, and it shows that it stops."""
    told = stop(arbiter, monkeypatch, signal.SIGTERM, within=10.0)
    assert told == [(11, "SIGTERM"), (12, "SIGTERM")]
    assert arbiter.WORKERS == {}
    assert arbiter.plan.board.stopping
    assert arbiter.plan.listener.fileno() == arbiter.plan.admin_listener.fileno() == -1


def test_a_second_signal_hurries_everybody(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, however many there are; another signal hurries nobody."""
    monkeypatch.setattr(module, "REPEAT", 0.0)
    for number in (signal.SIGHUP, signal.SIGWINCH, signal.SIGINT, signal.SIGTERM):
        arbiter.SIG_QUEUE.put(number)
    told = stop(arbiter, monkeypatch, signal.SIGQUIT, within=10.0)
    assert told == [(11, "SIGTERM"), (12, "SIGTERM"), (11, "SIGQUIT"), (12, "SIGQUIT")]


def test_a_second_signal_at_once_is_the_first_again(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal and a wrapper both deliver it; and what does not stop in time is killed."""
    arbiter.SIG_QUEUE.put(signal.SIGINT)
    told = stop(arbiter, monkeypatch, signal.SIGQUIT, within=0.1)
    assert told == [(11, "SIGTERM"), (12, "SIGTERM"), (11, "SIGKILL"), (12, "SIGKILL")]
    assert arbiter.WORKERS == {}
