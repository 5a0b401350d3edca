"""Writes under way: each belongs to the pool, and its caller only waits for it.

Law of this file: a write that began is finished, whoever stops waiting for it. A client that hangs
up, a deadline or a drain cancels the waiting and never the work, so nothing is half-done; only
closing ends what has not ended by then, and then it says that the outcome is unknown. Because
callers may leave and come again, so many are under way and no more: one more is refused at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bellbuoy.errors import OutcomeUnknown, Overloaded
from bellbuoy.instruments import Counter
from bellbuoy.monitor import AsyncMonitor

R = TypeVar("R")

Done = Callable[[R], object]
"""Called with what a write returned, as soon as it is done."""

FINISH = 2.0
"""Seconds that closing grants the writes under way."""

ABORT = 0.5
"""Seconds for ending the rest: their connections are cut."""

TASK = "database.write"
"""The name under which they are tracked."""

RETRY_AFTER = 1.0
"""Seconds after which a refused write may come again: by then many have ended."""

_log = structlog.get_logger("bellbuoy.database")


def ignore(_: object) -> None:
    """Do nothing with a result."""


class Writes:
    """The writes under way in one worker.

    Args:
        monitor: Where they are tracked.
        most: Under way at once, those that wait for a connection included.
        refused: Counts those beyond.
    """

    def __init__(self, monitor: AsyncMonitor, most: int, refused: Counter) -> None:
        """Begin none."""
        self._most = most
        self._refused = refused
        self._tasks: set[asyncio.Task[None]] = set()
        self._finish = monitor.track_task(TASK)(self._tracked)

    async def run(
        self,
        operation: str,
        work: Callable[[], Awaitable[R]],
        done: Done[R] = ignore,
    ) -> R:
        """Return what ``work`` returns.

        Args:
            operation: The name of the write.
            work: The write.
            done: Called with its result, whoever still waits for it.

        Raises:
            Overloaded: Too many are under way; ``work`` was not called.

        Cancellation: ends the waiting only.
        """
        if len(self._tasks) >= self._most:
            self._refused.inc()
            raise Overloaded("Too much is being written.", RETRY_AFTER, "full")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        task = loop.create_task(self._carry_out(operation, work, done, answer), name=TASK)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await answer

    async def close(self) -> None:
        """Wait for the writes under way; end those that take longer than :data:`FINISH`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH)
        if late := self._tasks.copy():
            _log.warning("database writes cut", writes=len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=ABORT)

    async def _carry_out(
        self,
        operation: str,
        work: Callable[[], Awaitable[R]],
        done: Done[R],
        answer: "asyncio.Future[R]",
    ) -> None:
        try:
            await self._finish(work, done, answer)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                error = OutcomeUnknown(operation, None)
            if answer.done():
                _log.warning(
                    "write failed without its caller", operation=operation, reason=str(error)
                )
            else:
                answer.set_exception(error)
            if not isinstance(error, Exception):
                raise

    async def _tracked(
        self,
        work: Callable[[], Awaitable[R]],
        done: Done[R],
        answer: "asyncio.Future[R]",
    ) -> None:
        result = await work()
        done(result)
        if not answer.done():
            answer.set_result(result)
