"""The blockage watch tells what blocks a loop, once, while it does."""

import threading
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
    """Watch this very thread, without a thread: the test looks."""
    blockage = Blockage(beats, interval=0.1, threshold=0.5)
    blockage._watched = threading.get_ident()
    return blockage


def test_a_beat_that_is_not_overdue_is_no_blockage() -> None:
    """Interval and threshold have to pass."""
    assert watch(Beats()).look(0.59) is None


def test_a_blockage_is_told_once_with_its_stack() -> None:
    """Whoever blocks stands innermost, that is last."""
    blockage = watch(Beats())
    stack = blockage.look(0.6)
    assert stack is not None
    assert "test_a_blockage_is_told_once_with_its_stack" in stack
    assert blockage.look(0.7) is None
    assert blockage.look(60.0) is None


def test_the_next_blockage_is_told_again() -> None:
    """In between the loop has turned."""
    beats = Beats()
    blockage = watch(beats)
    assert blockage.look(1.0)
    beats.last = 1.0
    assert blockage.look(1.1) is None
    assert blockage.look(2.0)


def test_a_deep_stack_is_cut() -> None:
    """The innermost frames stay."""
    blockage = watch(Beats())

    def dive(depth: int) -> str | None:
        return dive(depth - 1) if depth else blockage.look(1.0)

    stack = dive(DEPTH * 2)
    assert stack
    assert stack.count('File "') <= DEPTH
    assert "in look" in stack


def test_it_watches_from_a_thread_until_it_is_left() -> None:
    """The log has the stack while the loop still blocks, and no thread remains."""
    began = time.monotonic()
    with capture_logs() as events, Blockage(lambda: began, interval=0.0, threshold=0.05):
        eventually(lambda: events)
    assert "eventually" in events[0]["stack"]
    assert events[0]["log_level"] == "warning"
    assert "blockage" not in [thread.name for thread in threading.enumerate()]
