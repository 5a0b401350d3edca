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


@dataclass(slots=True)
class Decision:
    """What became of one request; it answers what RateLimit headers and Retry-After say.

    Args:
        allowed: Whether it may go on.
        reset: Seconds until ``limit`` may come at once again.
        interval: Seconds between two requests in the long run.
        limit: Requests that may come at once after a pause, the burst.
    """

    allowed: bool
    reset: float
    interval: float
    limit: int

    # Most decisions are asked nothing more, so the rest is worked out when it is.

    @property
    def remaining(self) -> int:
        """How many more may come at this moment."""
        left = self.limit * self.interval - self.reset + _SLACK
        return max(0, min(self.limit, int(left / self.interval))) if self.allowed else 0

    @property
    def retry_after(self) -> float:
        """Seconds until the next one may come; 0 when it may now.

        A burst of one leaves nothing: the next may come when this one is paid for.
        """
        early = self.reset + self.interval - self.limit * self.interval
        return 0.0 if self.remaining else max(0.0, early)


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
        now, arrivals, interval = self._clock(), self._arrivals, self._interval
        arrival = arrivals.get(key, now)
        if arrival < now:  # noqa: PLR1730 - max() costs three times as much
            arrival = now
        if arrival + interval - self._tolerance - now > _SLACK:
            self._refused += 1
            arrivals.move_to_end(key)
            return Decision(False, arrival - now, interval, self._burst)  # noqa: FBT003
        self._allowed += 1
        arrivals[key] = arrival = arrival + interval
        arrivals.move_to_end(key)
        if len(arrivals) > self._most:
            _, oldest = arrivals.popitem(last=False)
            self._forgotten += oldest > now
        return Decision(True, arrival - now, interval, self._burst)  # noqa: FBT003

    def statistics(self) -> Statistics:
        """Return what it holds and did."""
        return Statistics(len(self._arrivals), self._allowed, self._refused, self._forgotten)
