"""The vital signs of one process: how late its loop is, how many tasks it has, what it collects.

Law of this file: it runs inside the pulse, ten times a second, and so costs microseconds. The
lateness of the pulse's own timer is the loop's lag; nothing else is scheduled to measure it.
"""

import asyncio
import gc
import time
from typing import Any

import structlog

from bellbuoy.host.families import BLOCKED, LAG, LOOP_EXCEPTIONS, TASKS_ALIVE
from bellbuoy.instruments import Instruments
from bellbuoy.scoreboard import Slot

_log = structlog.get_logger("bellbuoy.host.loop")


class Vitals:
    """What is measured at each beat.

    Attributes:
        slot: The process's place on the scoreboard.

    Args:
        slot: Where what belongs to this process alone is shown.
        instruments: Where the rest is counted.
        threshold: Seconds of lag that make a blocked loop.
    """

    def __init__(self, slot: Slot, instruments: Instruments, threshold: float) -> None:
        """Measure nothing yet."""
        self.slot = slot
        self._threshold = threshold
        self._lag = instruments.histogram(LAG)
        self._blocked = instruments.counter(BLOCKED)
        self._tasks = instruments.gauge(TASKS_ALIVE)
        self._longest = 0.0

    def late(self, seconds: float) -> None:
        """Note how late a beat was."""
        seconds = max(0.0, seconds)
        self._lag.observe(seconds)
        self._longest = max(self._longest, seconds)
        if seconds >= self._threshold:
            self._blocked.inc()
            _log.warning("event loop was blocked", seconds=round(seconds, 3))

    def each_second(self) -> None:
        """Show what need not be known more often."""
        self.slot.lag, self._longest = self._longest, 0.0
        self._tasks.set(len(asyncio.all_tasks()))
        show_collector(self.slot)


def show_collector(slot: Slot) -> None:
    """Show what this process's garbage collector did since the fork, or before it."""
    for generation, stats in enumerate(gc.get_stats()):
        start = 3 * generation
        slot.collections[start] = stats["collections"]
        slot.collections[start + 1] = stats["collected"]
        slot.collections[start + 2] = stats["uncollectable"]


class Unhandled:
    """The loop's exception handler: what nobody handled is logged and counted.

    At most ten a minute are logged with all that is known; the rest are in the next one's count.
    asyncio's own handler also shows the callback's arguments, which may be anything.
    """

    WINDOW = 60.0
    MOST = 10

    def __init__(self, instruments: Instruments) -> None:
        """Have seen none."""
        self._count = instruments.counter(LOOP_EXCEPTIONS)
        self._began = 0.0
        self._logged = self._silent = 0

    def __call__(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Count and log one."""
        self._count.inc()
        now = time.monotonic()
        if not self._began or now - self._began >= self.WINDOW:
            self._began, self._logged = now, 0
        if self._logged >= self.MOST:
            self._silent += 1
            return
        self._logged += 1
        silent, self._silent = self._silent, 0
        task = context.get("task") or context.get("future")
        name = task.get_name() if isinstance(task, asyncio.Task) else None
        _log.error(
            "unhandled exception in the event loop",
            what=_what(context),
            task=name,
            unlogged_before=silent,
            exc_info=context.get("exception"),
        )


def _what(context: dict[str, Any]) -> str:
    # Of a callback, asyncio's message shows the arguments; the traceback says where it stands.
    if "handle" in context:
        return "exception in a callback"
    return str(context.get("message", ""))[:200]
