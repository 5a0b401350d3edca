"""Waiting: bounded, and it looks at least once."""

import pytest

from onebox.waiting import TICK, wait_until


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.now += seconds


def test_a_condition_that_holds_costs_no_time() -> None:
    """It is asked before anything is slept."""
    clock = Clock()
    assert wait_until(lambda: True, timeout=0.0, clock=clock, sleep=clock.sleep)
    assert clock.now == 0.0


def test_a_condition_that_never_holds_is_given_up_at_the_deadline() -> None:
    """The wait is as long as was said, a tick more at most."""
    clock = Clock()
    assert not wait_until(lambda: False, timeout=1.0, clock=clock, sleep=clock.sleep)
    assert 1.0 <= clock.now <= 1.0 + TICK


def test_a_condition_that_comes_true_ends_the_wait() -> None:
    """Nobody waits for the deadline."""
    clock = Clock()
    assert wait_until(lambda: clock.now > 0.5, timeout=9.0, clock=clock, sleep=clock.sleep)
    assert clock.now < 0.6


def test_what_the_watch_raises_ends_the_wait() -> None:
    """An operator's signal is heard while waiting."""

    def watch() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        wait_until(lambda: True, timeout=1.0, watch=watch)
