"""Batching: lookups that arrive in one turn of the event loop become one query.

Laws of this file:

- A batch that was sent takes no more keys: whoever wrote before asking reads what was written.
- A query is cancelled only when nobody waits for it any more.
- A key that cannot be asked for is refused before it joins, so it fails nobody else.
- What fails a batch fails those who wait for it, and no other batch.
- A key that is not there is an answer: ``None``.
- So many queries are under way at once and no more. While they are, the next batch grows: the more
  is asked, the fewer queries each lookup costs, and lookups never take all of a pool.

The pattern is Facebook's DataLoader, without its cache: what two callers share is the question,
never an old answer.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from bellbuoy import timeouts
from bellbuoy.errors import Overloaded, Refused

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST = 256
"""Keys in one query; a fuller turn sends several."""

AT_ONCE = 2
"""Queries under way at once: one is on its way while the other's answer is taken apart. More would
make the batches smaller and take more of the pool."""

LINE = 16
"""Full batches that wait for their turn; who comes then is refused at once."""

_STOPPING = "This instance is stopping."


@dataclass(slots=True, eq=False)
class _Batch(Generic[K, V]):
    """The keys of one query, and who waits for each.

    Args:
        waiters: For each key those who want it, the ones that gave up included.
        waiting: How many have not given up.
        task: The query, once it is sent.
        timer: Ends its waiting for a turn.
        begun: Whether it had its turn.
    """

    waiters: "dict[K, list[asyncio.Future[V | None]]]" = field(default_factory=dict)
    waiting: int = 0
    task: "asyncio.Task[None] | None" = None
    timer: "asyncio.TimerHandle | None" = None
    begun: bool = False

    def join(self, key: K, waiter: "asyncio.Future[V | None]") -> None:
        """Have ``key`` asked for."""
        self.waiters.setdefault(key, []).append(waiter)
        self.waiting += 1

    def begin(self) -> None:
        """Have its turn."""
        self.begun = True
        if self.timer is not None:
            self.timer.cancel()

    def leave(self) -> None:
        """Give up waiting; the last one to do so ends the query."""
        self.waiting -= 1
        if not self.waiting and self.task is not None:
            self.task.cancel()

    def wanted(self) -> list[K]:
        """Return the keys that somebody still waits for."""
        return [
            key
            for key, waiters in self.waiters.items()
            if not waiters[0].done() or not all(waiter.done() for waiter in waiters)
        ]

    def answer(self, found: Mapping[K, V]) -> None:
        """Give everybody who waits what was found."""
        for key, waiters in self.waiters.items():
            value = found.get(key)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Give everybody who waits the error."""
        for waiters in self.waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error)


class Batcher(Generic[K, V]):
    """Looks keys up, those of one turn of the loop together.

    Args:
        load: Returns what it finds of some keys, each named once; it keeps a deadline.
        most: Keys given to ``load`` at once.
        accepts: Whether a key can be asked for at all.
        observe: Told how many keys each query asks for.
        at_once: Queries under way at once.
        patience: Seconds that a batch waits for its turn.
    """

    def __init__(
        self,
        load: Callable[[Sequence[K]], Coroutine[Any, Any, Mapping[K, V]]],
        *,
        most: int = MOST,
        accepts: Callable[[K], bool] | None = None,
        observe: Callable[[int], object] | None = None,
        at_once: int = AT_ONCE,
        patience: float = timeouts.ACQUIRE,
    ) -> None:
        """Wait for the first key."""
        if most < 1 or at_once < 1:
            raise ValueError("most and at_once are at least 1")
        self._load = load
        self._most = most
        self._accepts = accepts
        self._observe = observe
        self._at_once = at_once
        self._patience = patience
        self._open: _Batch[K, V] | None = None
        self._line: deque[_Batch[K, V]] = deque()
        # The loop holds tasks weakly.
        self._sent: set[asyncio.Task[None]] = set()
        self._closed = False

    async def get(self, key: K) -> V | None:
        """Return what ``key`` stands for, or ``None`` if there is nothing.

        Raises:
            ValueError: The key cannot be asked for.
            Overloaded: There was no turn for it in time, or too many wait for one.
            Refused: The batcher is closed.
            Exception: What ``load`` raised; all who shared its query get the same one.

        Cancellation: ends the waiting; the query ends when everybody has given up.
        """
        if self._accepts is not None and not self._accepts(key):
            raise ValueError(f"{key!r} is no key that can be looked up")
        if self._closed:
            raise Refused(_STOPPING, 1.0)
        loop = asyncio.get_running_loop()
        batch = self._open or self._new(loop)
        waiter: asyncio.Future[V | None] = loop.create_future()
        batch.join(key, waiter)
        if len(batch.waiters) >= self._most:
            self._fill(batch)
        try:
            return await waiter
        finally:
            batch.leave()

    async def aclose(self) -> None:
        """End the queries under way; who still waits is refused. Idempotent."""
        self._closed = True
        while (batch := self._next()) is not None:
            batch.begin()
            batch.fail(Refused(_STOPPING, 1.0))
        sent = tuple(self._sent)
        for task in sent:
            task.cancel()
        await asyncio.gather(*sent, return_exceptions=True)

    def _new(self, loop: asyncio.AbstractEventLoop) -> _Batch[K, V]:
        """Open a batch; it is sent when this turn of the loop is over, or when it gets its own."""
        if len(self._line) >= LINE:
            raise Overloaded("Too much is being looked up.", 1.0, "full")
        batch = self._open = _Batch()
        if self._is_busy():
            batch.timer = loop.call_later(self._patience, self._expire, batch)
        else:
            loop.call_soon(self._send, batch)
        return batch

    def _is_busy(self) -> bool:
        return len(self._sent) >= self._at_once

    def _fill(self, batch: _Batch[K, V]) -> None:
        """Take no more keys into a batch that is full."""
        self._open = None
        self._line.append(batch)
        self._send(batch)

    def _send(self, batch: _Batch[K, V]) -> None:
        """Let a batch have its turn: now, or as soon as there is one."""
        if batch.begun:
            return
        if self._is_busy() and batch.timer is None:
            loop = asyncio.get_running_loop()
            batch.timer = loop.call_later(self._patience, self._expire, batch)
        self._send_what_waits()

    def _send_what_waits(self) -> None:
        """Ask for it, oldest first, while there are turns."""
        while not self._is_busy() and (batch := self._next()) is not None:
            self._start(batch)

    def _next(self) -> _Batch[K, V] | None:
        if self._line:
            return self._line.popleft()
        batch, self._open = self._open, None
        return batch

    def _start(self, batch: _Batch[K, V]) -> None:
        """Ask for the batch's keys; from here on it takes no more."""
        batch.begin()
        keys = batch.wanted()
        if not keys:
            return
        if self._observe is not None:
            self._observe(len(keys))
        batch.task = task = asyncio.get_running_loop().create_task(self._ask(batch, keys))
        self._sent.add(task)
        task.add_done_callback(functools.partial(self._ended, batch))

    def _ended(self, batch: _Batch[K, V], task: "asyncio.Task[None]") -> None:
        self._sent.discard(task)
        if task.cancelled():
            # By the last who waited, or by closing; only then is anybody left. A task that is
            # cancelled before its first step runs nothing of its own, so it could not say it.
            batch.fail(Refused(_STOPPING, 1.0))
        if not self._closed:
            self._send_what_waits()

    def _expire(self, batch: _Batch[K, V]) -> None:
        """Refuse a batch that got no turn in time."""
        if batch is self._open:
            self._open = None
        else:
            self._line.remove(batch)
        batch.fail(Overloaded("There was no turn for this in time.", 1.0, "late"))

    async def _ask(self, batch: _Batch[K, V], keys: Sequence[K]) -> None:
        try:
            batch.answer(await self._load(keys))
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            batch.fail(error)
