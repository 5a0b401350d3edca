"""The blockage watch: a timer of the kernel's that says what blocks the event loop, while it does.

Law of this file: it reads one number, and most of the time that is all. The loop stores when its
next beat is due, and the timer rings when that one would be too late: if it is, something runs and
does not give way, and the frame that the signal interrupted tells what. Otherwise there was another
beat in between, and the timer is set anew.

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
        due: Returns when the next beat is due, by ``time.monotonic()``.
        threshold: Seconds that a beat may be late.
    """

    def __init__(self, due: Callable[[], float], threshold: float) -> None:
        """Watch nothing yet."""
        self._due = due
        self._threshold = threshold
        self._reported: float | None = None

    def __enter__(self) -> None:
        """Begin to watch."""
        # It interrupts system calls, too, which Python then tries again (PEP 475).
        signal.signal(signal.SIGALRM, self._ring)
        self._wind(time.monotonic())

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        # One may be on its way: its default is to end the process, and ours to set the timer anew.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def look(self, now: float, frame: FrameType | None) -> str | None:
        """Return the stack of what blocks the loop, once for each blockage."""
        due = self._due()
        if now < due + self._threshold or due == self._reported:
            return None
        self._reported = due
        return "".join(traceback.format_stack(frame)[-DEPTH:]) if frame else ""

    def _ring(self, _: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        stack = self.look(now, frame)
        self._wind(now)
        if stack is not None:
            _log.warning("event loop blocked", stack=stack)

    def _wind(self, now: float) -> None:
        """Ring when the next beat is too late or, if it is already, when another one can be."""
        overdue = self._due() + self._threshold
        seconds = overdue - now if now < overdue else self._threshold
        signal.setitimer(signal.ITIMER_REAL, seconds)
