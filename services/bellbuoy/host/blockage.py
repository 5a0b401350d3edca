"""The blockage watch: a timer of the kernel's that says what blocks the event loop, while it does.

Law of this file: it reads one number, and most of the time that is all. The loop stores the time
of its last beat; a beat that is overdue means that something runs and does not give way, and the
frame that the signal interrupted tells what.

A signal and not a thread, because a process with a second thread pays for it in each system call
and allocation.

Not everything can be seen. Code in C that does not return (a long regular expression, a C
extension) keeps Python from handling signals: such a stall is told when it ends.
"""

import signal
import time
import traceback
from collections.abc import Callable
from types import FrameType

import structlog

_log = structlog.get_logger("bellbuoy.host.loop")

DEPTH = 30
"""Frames of a stack that are logged; the innermost are what matters."""


class Blockage:
    """Watches the main thread's event loop; a context manager, entered in that thread.

    Args:
        last_beat: Returns ``time.monotonic()`` of the last beat.
        interval: Seconds between two beats.
        threshold: Seconds that a beat may be late.
    """

    def __init__(self, last_beat: Callable[[], float], interval: float, threshold: float) -> None:
        """Watch nothing yet."""
        self._last_beat = last_beat
        self._allowed = interval + threshold
        # Often enough to look while it still blocks, and some ten times a second at most.
        self._period = max(0.1, threshold / 2)
        self._reported: float | None = None

    def __enter__(self) -> None:
        """Begin to watch."""
        # It interrupts system calls, too, which Python then tries again (PEP 475).
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._period, self._period)

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        # One may be on its way, and its default is to end the process.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)

    def look(self, now: float, frame: FrameType | None) -> str | None:
        """Return the stack of what blocks the loop, once for each blockage."""
        beat = self._last_beat()
        if now - beat < self._allowed or beat == self._reported:
            return None
        self._reported = beat
        return "".join(traceback.format_stack(frame)[-DEPTH:]) if frame else ""

    def _ring(self, _: int, frame: FrameType | None) -> None:
        stack = self.look(time.monotonic(), frame)
        if stack is not None:
            _log.warning("event loop blocked", stack=stack)
