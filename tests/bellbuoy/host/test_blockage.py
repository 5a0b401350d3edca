"""The blockage watch tells what blocks a loop, once, while it does."""

import signal
import sys
import time

from structlog.testing import capture_logs

from bellbuoy.host.blockage import DEPTH, Blockage
from tests.waiting import eventually


class Beats:
    """When a loop's next beat is due, set by the test."""

    def __init__(self) -> None:
        """It was long ago."""
        self.due = 0.0

    def __call__(self) -> float:
        """Return it."""
        return self.due


def watch(beats: Beats) -> Blockage:
    """Watch without a timer: the test looks."""
    return Blockage(beats, threshold=0.5)


def test_a_beat_that_is_not_overdue_is_no_blockage() -> None:
    """The threshold has to pass."""
    assert watch(Beats()).look(0.49, sys._getframe()) is None


def test_a_blockage_is_told_once_with_its_stack() -> None:
    """Whoever blocks stands innermost, that is last."""
    blockage, here = watch(Beats()), sys._getframe()
    stack = blockage.look(0.5, here)
    assert stack is not None
    assert "test_a_blockage_is_told_once_with_its_stack" in stack.splitlines()[-2]
    assert blockage.look(0.7, here) is None
    assert blockage.look(60.0, here) is None


def test_the_next_blockage_is_told_again() -> None:
    """In between the loop has turned."""
    beats = Beats()
    blockage, here = watch(beats), sys._getframe()
    assert blockage.look(1.0, here)
    beats.due = 1.0
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
    with capture_logs() as events, Blockage(lambda: began, threshold=0.05):
        eventually(lambda: events)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert "eventually" in events[0]["stack"]
    assert events[0]["log_level"] == "warning"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_blockage_just_over_the_threshold_is_told_each_time() -> None:
    """Whatever was before: the timer rings when the beat is too late, not now and then."""
    beats = Beats()
    with capture_logs() as events, Blockage(beats, threshold=0.3):
        for number in range(1, 6):
            beats.due = time.monotonic()
            time.sleep(0.33)
            assert len(events) == number
    assert all("time.sleep(0.33)" in event["stack"] for event in events)


def test_a_beat_that_is_never_too_late_is_not_told() -> None:
    """However often the timer rings."""
    looks = list[float]()

    def due() -> float:
        looks.append(time.monotonic() - 0.02)
        return looks[-1]

    with capture_logs() as events, Blockage(due, threshold=0.05):
        eventually(lambda: len(looks) > 9)
    assert events == []


def test_a_signal_that_was_on_its_way_does_no_harm() -> None:
    """By default it would end the process."""
    with Blockage(time.monotonic, threshold=1.0):
        pass
    signal.raise_signal(signal.SIGALRM)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
