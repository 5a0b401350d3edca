"""Concurrency: how much may be in progress at once, and who waits for a turn.

Law of this file: a turn belongs to exactly one: it is free, somebody's, or on its way to the one
who waits longest. Whoever is refused knows it at once; whoever waits knows it by a deadline.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, TypeVar

from bellbuoy.errors import Overloaded
from bellbuoy.gradient import Gradient

P = ParamSpec("P")
R = TypeVar("R")

_FULL = "Too much is being asked for at once."
_LATE = "There was no turn for this in time."
_RETRY_AFTER = 1.0
"""Seconds: a queue of the usual length has moved on by then."""


@dataclass(frozen=True)
class Statistics:
    """What a limiter holds and did.

    Args:
        limit: How many may be in progress now.
        in_use: How many are.
        waiting: How many wait for a turn.
        admitted: How many got one, at once or later.
        full: How many were refused at once.
        late: How many were refused after they had waited.
    """

    limit: int
    in_use: int
    waiting: int
    admitted: int
    full: int
    late: int


class ConcurrencyLimiter:
    """Lets so many in at once, so many more wait in line, and refuses everybody else at once.

    ::

        limiter = ConcurrencyLimiter(max_concurrent=20, max_waiting=50, timeout=1.0)
        answer = await limiter.execute(fetch, url)
        async with limiter:
            ...

    Args:
        max_concurrent: In progress at once; with ``adaptive``, at most.
        max_waiting: In line at once.
        timeout: Seconds that anybody waits.
        adaptive: Sets the limit below ``max_concurrent`` by how long the work takes.
        clock: Monotonic seconds, for ``adaptive``.

    Raises:
        ValueError: An argument makes no sense.
    """

    def __init__(
        self,
        max_concurrent: int,
        max_waiting: int = 0,
        timeout: float = 1.0,
        *,
        adaptive: Gradient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Let nobody in yet."""
        if max_concurrent < 1 or max_waiting < 0 or not timeout > 0:
            raise ValueError("max_concurrent and timeout are positive, max_waiting not negative")
        self._most = max_concurrent
        self._limit = min(max_concurrent, adaptive.limit) if adaptive else max_concurrent
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._adaptive = adaptive
        self._clock = clock
        self._in_use = self._admitted = self._full = self._late = 0
        # Who waits, in the order of arrival, and until when: one patience, so one order for both.
        self._line: OrderedDict[asyncio.Future[None], float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        # When each task that uses ``async with`` was let in.
        self._since: dict[asyncio.Task[object] | None, list[float]] = {}

    def statistics(self) -> Statistics:
        """Return what it holds and did."""
        return Statistics(
            self._limit, self._in_use, len(self._line), self._admitted, self._full, self._late
        )

    async def execute(
        self, work: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call ``work`` with what it takes when it has a turn, and return what it returns.

        Raises:
            Overloaded: There was no turn; ``work`` was not called.

        Cancellation: who is cancelled in line leaves it; a turn given in the same moment goes on.
        """
        if not self._enter():
            await self._wait()
        start = self._clock()
        failed = True
        try:
            answer = await work(*args, **kwargs)
            failed = False
        finally:
            self.release(self._clock() - start, failed=failed)
        return answer

    async def __aenter__(self) -> None:
        """Wait for a turn.

        Raises:
            Overloaded: There was none.
        """
        await self.acquire()
        self._since.setdefault(asyncio.current_task(), []).append(self._clock())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the turn back."""
        task = asyncio.current_task()
        starts = self._since[task]
        self.release(self._clock() - starts.pop(), failed=kind is not None)
        if not starts:
            del self._since[task]

    async def acquire(self) -> None:
        """Wait for a turn, which :meth:`release` gives back.

        Raises:
            Overloaded: There was none.
        """
        if not self._enter():
            await self._wait()

    def release(self, seconds: float, *, failed: bool = False) -> None:
        """Give a turn back.

        Args:
            seconds: How long it was used, for the adaptive limit.
            failed: Whether it came to nothing.
        """
        adaptive = self._adaptive
        if adaptive is not None and adaptive.learn(seconds, self._in_use, failed=failed):
            self._limit = min(self._most, adaptive.limit)
        self._in_use -= 1
        self._grant()

    def _enter(self) -> bool:
        """Take a turn if one is free, and return whether it was; refuse when the line is full."""
        if self._in_use < self._limit and not self._line:
            self._in_use += 1
            self._admitted += 1
            return True
        if len(self._line) >= self._max_waiting:
            self._full += 1
            raise Overloaded(_FULL, _RETRY_AFTER, "full")
        return False

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._line[turn] = loop.time() + self._timeout
        if self._timer is None:
            self._timer = loop.call_later(self._timeout, self._expire)
        try:
            await turn
        except asyncio.CancelledError:
            if self._line.pop(turn, None) is None and not turn.cancelled():
                self._decline(turn)
            raise

    def _decline(self, turn: "asyncio.Future[None]") -> None:
        """Pass on a turn that came in the moment in which its receiver was cancelled."""
        if turn.exception() is None:
            self._admitted -= 1
            self._in_use -= 1
            self._grant()

    def _grant(self) -> None:
        """Give turns that are free to who waits longest."""
        while self._line and self._in_use < self._limit:
            turn, _ = self._line.popitem(last=False)
            if not turn.done():
                self._in_use += 1
                self._admitted += 1
                turn.set_result(None)

    def _expire(self) -> None:
        """Refuse everybody whose time is over; the first in line is always the first."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._line:
            turn, deadline = next(iter(self._line.items()))
            if deadline > loop.time():
                self._timer = loop.call_at(deadline, self._expire)
                return
            del self._line[turn]
            if not turn.done():
                self._late += 1
                turn.set_exception(Overloaded(_LATE, _RETRY_AFTER, "late"))
