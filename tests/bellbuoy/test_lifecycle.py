"""The life of a worker, step by step."""

import itertools

import pytest

from bellbuoy.lifecycle import STEPS, State, can_step

FREE, STARTING, READY, DRAINING, STOPPED = State

ALLOWED = {
    (FREE, STARTING),
    (STARTING, READY),
    (STARTING, DRAINING),  # told to stop before it was ready
    (STARTING, STOPPED),  # a boot that failed
    (READY, DRAINING),
    (DRAINING, STOPPED),
    (STARTING, FREE),  # these four: killed, or gone, and reaped
    (READY, FREE),
    (DRAINING, FREE),
    (STOPPED, FREE),
}


@pytest.mark.parametrize("old, new", list(itertools.product(State, State)))
def test_a_step_is_possible_exactly_when_it_is_listed(old: State, new: State) -> None:
    """All twenty-five pairs; what is not listed here is refused."""
    assert can_step(old, new) is ((old, new) in ALLOWED)


def test_every_state_has_its_row() -> None:
    """Asking for a step never raises."""
    assert set(STEPS) == set(State)


def test_no_state_is_a_dead_end() -> None:
    """From every state a slot comes free again, and no state leads to itself."""
    assert all(STEPS[state] for state in State)
    assert all(FREE in STEPS[state] for state in State if state is not FREE)
    assert all(state not in STEPS[state] for state in State)


def test_a_draining_worker_never_takes_traffic_again() -> None:
    """READY is not reachable without a new process."""
    reachable, new = set[State](), {DRAINING}
    while new:
        reachable |= new
        new = set().union(*(STEPS[state] for state in new)) - reachable - {FREE}
    assert reachable == {DRAINING, STOPPED}


def test_the_numbers_are_what_the_scoreboard_stores() -> None:
    """Fresh memory is zero, and a slot in it must read as free."""
    assert [int(state) for state in State] == [0, 1, 2, 3, 4]
