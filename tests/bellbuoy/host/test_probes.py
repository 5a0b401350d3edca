"""Liveness and readiness, case by case."""

import pytest

from bellbuoy.host.probes import FRESH, is_live, is_ready
from bellbuoy.lifecycle import State
from tests.bellbuoy.host.snapshots import process, snapshot

WATCHDOG = 30.0
ADMIN = process(admin=True, slot=9)


@pytest.mark.parametrize("state", [State.STARTING, State.READY, State.DRAINING])
def test_a_container_whose_worker_beats_is_live(state: State) -> None:
    """Whatever the worker is doing."""
    assert is_live(snapshot(ADMIN, process(state)), WATCHDOG)


def test_a_blocked_worker_is_live_until_the_watchdog_should_have_acted() -> None:
    """The supervisor replaces it; killing the container would help nobody."""
    assert is_live(snapshot(ADMIN, process(beat_age=WATCHDOG)), WATCHDOG)
    assert not is_live(snapshot(ADMIN, process(beat_age=WATCHDOG + 0.1)), WATCHDOG)


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
def test_a_start_and_a_drain_are_live_however_long_they_take(state: State) -> None:
    """They have deadlines of their own."""
    assert is_live(snapshot(ADMIN, process(state, beat_age=1e6)), WATCHDOG)


def test_one_worker_that_beats_is_enough() -> None:
    """The others are replaced beside it."""
    assert is_live(snapshot(process(beat_age=1e6), process(slot=1)), WATCHDOG)


def test_without_traffic_workers_a_container_is_not_live() -> None:
    """The admin process is none of them."""
    assert not is_live(snapshot(ADMIN), WATCHDOG)


def test_a_stopping_container_is_live() -> None:
    """It ends by itself, and its last workers may be gone already."""
    assert is_live(snapshot(ADMIN, stopping=True), WATCHDOG)


def test_a_supervisor_that_hangs_is_not_live() -> None:
    """Nobody would replace a worker any more; this is what restarting is for."""
    for stopping in (False, True):
        silent = snapshot(process(), supervisor_beat_age=WATCHDOG + 0.1, stopping=stopping)
        assert not is_live(silent, WATCHDOG)


def test_a_ready_worker_with_a_fresh_beat_is_ready() -> None:
    """One is enough."""
    assert is_ready(snapshot(process(beat_age=FRESH)))
    assert is_ready(snapshot(process(State.STARTING), process(slot=1)))


@pytest.mark.parametrize("state", set(State) - {State.READY})
def test_no_other_state_is_ready(state: State) -> None:
    """Above all not draining."""
    assert not is_ready(snapshot(process(state)))


def test_a_blocked_worker_is_not_ready() -> None:
    """Its loop does not turn now."""
    assert not is_ready(snapshot(process(beat_age=FRESH + 0.1)))


def test_the_admin_process_is_not_what_is_asked_for() -> None:
    """It is ready whenever it answers."""
    assert not is_ready(snapshot(ADMIN))


def test_readiness_ends_with_the_signal() -> None:
    """Before any worker has heard of it."""
    assert not is_ready(snapshot(process(), stopping=True))
