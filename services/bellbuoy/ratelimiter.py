"""Rates: how often each key may come, by the generic cell rate algorithm (ITU-T I.371).

Law of this file: pure and synchronous. A key is one number, the time at which its next request
would come if it came exactly at the rate; a request may be early by a burst and no more.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

KEYS = 65_536
"""Keys remembered by default, about 10 MB."""

_SLACK = 1e-6
"""Seconds by which a request may be early: who waits as long as it was told must get in, and sums
of floats are not exact. The next one has to wait for it, so the rate stays what it is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one request; the fields are what RateLimit headers and Retry-After say.

    Args:
        allowed: Whether it may go on.
        limit: Requests that may come at once after a pause, the burst.
        remaining: How many more may come at this moment.
        reset: Seconds until ``limit`` may come at once again.
        retry_after: Seconds until the next one may come; 0 when it may now.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: float
    retry_after: float


@dataclass(frozen=True)
class Statistics:
    """What a rate limiter holds and did.

    Args:
        keys: Keys remembered now.
        allowed: Requests that might go on.
        refused: Requests that might not.
        forgotten: Keys dropped while they still had something to wait for, because there were too
            many; they start anew, with a whole burst.
    """

    keys: int
    allowed: int
    refused: int
    forgotten: int


class RateLimiter:
    """A token bucket for each key, over the keys that came last.

    Args:
        rate: Requests a second in the long run.
        burst: Requests that may come at once after a pause.
        keys: Keys remembered at most; the one unseen for longest is forgotten for a new one.
        clock: Monotonic seconds.

    Raises:
        ValueError: An argument is not positive.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        keys: int = KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nobody yet."""
        if not rate > 0 or burst < 1 or keys < 1:
            raise ValueError("rate, burst and keys are positive")
        self._interval = 1 / rate
        self._burst = burst
        self._tolerance = burst * self._interval
        self._most = keys
        self._clock = clock
        # A key's theoretical arrival time, in the order of last use.
        self._arrivals: OrderedDict[str, float] = OrderedDict()
        self._allowed = self._refused = self._forgotten = 0

    def decide(self, key: str) -> Decision:
        """Count a request of ``key`` and return whether it may go on; a refused one costs nothing.

        A refused key that goes on asking is not kept out for longer.
        """
        now = self._clock()
        arrival = max(self._arrivals.get(key, now), now)
        early = arrival + self._interval - self._tolerance - now
        if early > _SLACK:
            self._refused += 1
            self._arrivals.move_to_end(key)
            return Decision(False, self._burst, 0, arrival - now, early)  # noqa: FBT003
        self._allowed += 1
        arrival += self._interval
        self._remember(key, arrival, now)
        left = self._tolerance - (arrival - now) + _SLACK
        remaining = max(0, min(self._burst, int(left / self._interval)))
        # A burst of one leaves nothing: the next may come when this one is paid for.
        wait = 0.0 if remaining else max(0.0, self._interval - left + _SLACK)
        return Decision(True, self._burst, remaining, arrival - now, wait)  # noqa: FBT003

    def statistics(self) -> Statistics:
        """Return what it holds and did."""
        return Statistics(len(self._arrivals), self._allowed, self._refused, self._forgotten)

    def _remember(self, key: str, arrival: float, now: float) -> None:
        self._arrivals[key] = arrival
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > self._most:
            _, oldest = self._arrivals.popitem(last=False)
            self._forgotten += oldest > now
