"""The pulse: the signs of life of a process, and the sweep that publishes its numbers."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from bellbuoy import logs
from bellbuoy.host.vitals import Vitals
from bellbuoy.inspector import oldest
from bellbuoy.instruments import Instruments
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.taskview import WorkerText

INTERVAL = 0.1
"""Seconds between two sweeps: what a killed process can lose of its counts."""

SLOW = 1.0
"""Seconds between what need not be done in every sweep."""

SHALLOW, FEW = 4, 4
"""Frames of a stack and oldest tasks that stay when there is too much to show."""

CALM = 0.5
"""Seconds between two beats of a process that counts nothing; a beat is fresh for two."""


class Pulse:
    """Beats while the loop turns; a blocked loop has none, and that is the point.

    Attributes:
        due: When the next beat should come, by ``time.monotonic()``.

    Args:
        vitals: What is measured at each beat; its slot is where to beat.
        instruments: What to publish.
        monitor: Whose last errors and oldest tasks to show.
        supervisor: The process that forked this one.
        notify: Tells the watchdog, once a second.
        orphaned: Called once a second while the supervisor is gone.
        interval: Seconds between two beats.
    """

    def __init__(
        self,
        vitals: Vitals,
        instruments: Instruments,
        monitor: AsyncMonitor,
        supervisor: int,
        notify: Callable[[], None],
        orphaned: Callable[[], None],
        interval: float = INTERVAL,
    ) -> None:
        """Beat for the first time; the next time is an interval from now."""
        self._interval = interval
        self._slow = max(1, round(SLOW / interval))
        self._slot = vitals.slot
        self._vitals = vitals
        self._instruments = instruments
        self._monitor = monitor
        self._notify = notify
        self._orphaned = orphaned
        self._supervisor = supervisor
        self._count = 0
        self._loop = asyncio.get_running_loop()
        self.due = time.monotonic()
        self._beat()

    def stop(self) -> None:
        """Publish once more, and beat no more."""
        self._timer.cancel()
        self._instruments.flush()
        logs.flush(last=True)

    def _beat(self) -> None:
        now = self._slot.beat = time.monotonic()
        self._vitals.late(now - self.due)
        self._instruments.flush()
        if self._count % self._slow == 0:
            self._notify()
            self._vitals.each_second()
            self._show()
            logs.flush()
            if os.getppid() != self._supervisor:
                self._orphaned()
        self._count += 1
        self.due = time.monotonic() + self._interval
        self._timer = self._loop.call_later(self._interval, self._beat)

    def _show(self) -> None:
        running = oldest(self._monitor)
        tasks = self._monitor.get_stats().tasks.values()
        errors = {task.name: task.last_error for task in tasks if task.last_error}
        text = WorkerText(running, errors)
        while not self._slot.text.write(msgspec.json.encode(text)):
            text = shorter(text)


def shorter(text: WorkerText) -> WorkerText:
    """Return half of what is missed least: deep stacks, then young tasks, then old errors.

    What fails is what somebody looks for, so errors go last, and the newest of them never
    before the last task.
    """
    running, errors = text.running, text.errors
    deepest = max((len(task.stack) for task in running), default=0)
    if deepest > SHALLOW:
        running = [replace(task, stack=task.stack[: deepest // 2]) for task in running]
    elif len(running) > FEW or len(errors) <= 1:
        running = running[: len(running) // 2]
    else:
        newest = sorted(errors, key=lambda name: -errors[name].at)[: len(errors) // 2]
        errors = {name: errors[name] for name in newest}
    return WorkerText(running, errors, text.at)
