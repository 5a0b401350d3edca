"""The blockage watch: a thread that says what blocks the event loop, while it does.

Law of this file: it reads one number and sleeps. The loop stores the time of its last beat; a
beat that is overdue means that something runs and does not give way, and Python can tell what.

Not everything can be seen. Code that holds the interpreter's lock (a long regular expression, a
C extension that does not let go) stops this thread, too: such a stall is counted and logged by
the loop when it turns again, without a stack. On uvloop a stack that ends in ``run`` means that
nothing of ours ran: the machine gave this process no time.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

_log = structlog.get_logger("bellbuoy.host.loop")

DEPTH = 30
"""Frames of a stack that are logged; the innermost are what matters."""


class Blockage:
    """Watches one thread's event loop; a context manager, entered in that thread.

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
        self._period = max(0.05, threshold / 2)
        self._stop = threading.Event()
        self._reported: float | None = None
        self._thread = threading.Thread(target=self._run, name="blockage", daemon=True)

    def __enter__(self) -> None:
        """Begin to watch the current thread."""
        self._watched = threading.get_ident()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join(1.0)

    def look(self, now: float) -> str | None:
        """Return the stack of what blocks the loop, once for each blockage."""
        beat = self._last_beat()
        if now - beat < self._allowed or beat == self._reported:
            return None
        self._reported = beat
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - documented, for debuggers
        return "".join(traceback.format_stack(frame)[-DEPTH:]) if frame else ""

    def _run(self) -> None:
        while not self._stop.wait(self._period):
            stack = self.look(time.monotonic())
            if stack is not None:
                _log.warning("event loop blocked", stack=stack)
