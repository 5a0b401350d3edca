"""Traffic: the requests in flight, and whether the service is draining.

Law of this file: every request but a stream has a deadline, and one sweep keeps them all. A timer
for each would cost 3 µs a request; the sweep looks at the oldest and stops at the first that is
young.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from bellbuoy import timeouts
from bellbuoy.host.web.problem import Problem, unavailable

SWEEP = 0.25
"""Seconds between two looks, and so the most by which a deadline is late."""

LATE: Final = unavailable("The answer took too long.", 1.0)
"""What a request is cancelled for that is past its deadline; one for all, and never raised."""

_log = structlog.get_logger("bellbuoy.http")

_Task = asyncio.Task[Any]


class Traffic:
    """What a worker is serving.

    Attributes:
        draining: Whether clients are told to go elsewhere.

    Args:
        deadline: Seconds that one request may take.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        deadline: float = timeouts.REQUEST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Serve nothing yet."""
        self.draining = False
        self.clock = clock
        self._deadline = deadline
        # In the order of their start, because that is the order of insertion.
        self._started: dict[_Task, float] = {}
        self._streams: set[_Task] = set()
        self._ended: dict[_Task, Problem] = {}

    @property
    def in_flight(self) -> int:
        """Requests that are being handled."""
        return len(self._started) + len(self._streams)

    def enter(self, task: _Task) -> float:
        """Note that ``task`` begins to handle a request; return the time."""
        now = self._started[task] = self.clock()
        return now

    def endure(self, task: _Task) -> None:
        """Lift the deadline: the answer is a stream, whose writes have deadlines of their own."""
        del self._started[task]
        self._streams.add(task)

    def leave(self, task: _Task) -> None:
        """Note that the request is handled, whatever became of it."""
        if self._started.pop(task, None) is None:
            self._streams.discard(task)
        # It swallowed its cancellation: the connection's next request has the same task.
        if self._ended:
            self.verdict(task)

    def end(self, task: _Task, problem: Problem) -> None:
        """Cancel a request, once, and have it answered with ``problem``."""
        if task in self._started and task not in self._ended:
            self._ended[task] = problem
            task.cancel()

    def verdict(self, task: _Task) -> Problem | None:
        """Return, once, what ``task`` was cancelled for; ``None`` if somebody else did it."""
        problem = self._ended.pop(task, None)
        if problem is not None:
            # The cancellation ends here: what writes the answer must not meet it.
            task.uncancel()
        return problem

    def expire(self) -> None:
        """Cancel every request that is past its deadline, once each."""
        limit, errors = self.clock() - self._deadline, list[Exception]()
        for task, started in self._started.items():
            if started > limit:
                break
            try:
                self.end(task, LATE)
            except Exception as error:  # noqa: BLE001 - it would end every deadline of the worker
                errors.append(error)
        if errors:
            # One line a look, however many.
            _log.error("deadlines failed", requests=len(errors), exc_info=errors[0])

    def cancel(self) -> None:
        """Cancel every request."""
        for task in (*self._started, *self._streams):
            task.cancel()

    async def sweep(self) -> None:
        """Keep the deadlines until cancelled."""
        while True:
            await asyncio.sleep(SWEEP)
            self.expire()
