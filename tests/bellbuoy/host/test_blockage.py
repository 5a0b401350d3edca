"""The blockage watch tells what blocks a loop, once, while it does."""

import signal
import sys
import time

from structlog.testing import capture_logs

from bellbuoy.host.blockage import DEPTH, Blockage
from tests.waiting import eventually


class Beats:
    """A loop's last beat, set by the test."""

    def __init__(self) -> None:
        """It beat long ago."""
        self.last = 0.0

    def __call__(self) -> float:
        """Return it."""
        return self.last


def watch(beats: Beats) -> Blockage:
    """Watch without a timer: the test looks."""
    return Blockage(beats, interval=0.1, threshold=0.5)


def test_a_beat_that_is_not_overdue_is_no_blockage() -> None:
    """Interval and threshold have to pass."""
    assert watch(Beats()).look(0.59, sys._getframe()) is None


def test_a_blockage_is_told_once_with_its_stack() -> None:
    """Whoever blocks stands innermost, that is last."""
    blockage, here = watch(Beats()), sys._getframe()
    stack = blockage.look(0.6, here)
    assert stack is not None
    assert "test_a_blockage_is_told_once_with_its_stack" in stack.splitlines()[-2]
    assert blockage.look(0.7, here) is None
    assert blockage.look(60.0, here) is None


def test_the_next_blockage_is_told_again() -> None:
    """In between the loop has turned."""
    beats = Beats()
    blockage, here = watch(beats), sys._getframe()
    assert blockage.look(1.0, here)
    beats.last = 1.0
    assert blockage.look(1.1, here) is None
    assert blockage.look(2.0, here)


def test_a_deep_stack_is_cut() -> None:
    """The innermost frames stay."""
    blockage = watch(Beats())

    def dive(depth: int) -> str | None:
        return dive(depth - 1) if depth else blockage.look(1.0, sys._getframe())

    stack = dive(DEPTH * 2)
    assert stack
    assert stack.count('File "') <= DEPTH
    assert "blockage.look" in stack


def test_it_watches_until_it_is_left() -> None:
    """The log has the stack while the loop still blocks; afterwards no signal comes any more."""
    began = time.monotonic()
    with capture_logs() as events, Blockage(lambda: began, interval=0.0, threshold=0.05):
        eventually(lambda: events)
        assert signal.getitimer(signal.ITIMER_REAL)[1] > 0
    assert "eventually" in events[0]["stack"]
    assert events[0]["log_level"] == "warning"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_signal_that_was_on_its_way_does_no_harm() -> None:
    """By default it would end the process."""
    with Blockage(time.monotonic, interval=1.0, threshold=1.0):
        pass
    signal.raise_signal(signal.SIGALRM)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
