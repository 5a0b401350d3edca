"""The gradient: how much may be in progress at once, learned from how long it takes.

Law of this file: pure. It is told how long each piece of work took, and says how many may be in
progress. When work takes longer than it does undisturbed, it queues somewhere behind us, and
fewer should be let in.

The shape is that of Envoy's gradient controller (``adaptive_concurrency_filter``, "Gradient
Controller": limit = limit * (undisturbed + buffer) / sample + sqrt(limit), measured anew after
five windows at the minimum) and, from Netflix's ``Gradient2Limit``, no growth while less than half
of the limit is used. Unlike Envoy's it never throttles traffic on a schedule only to measure.
"""

import math
import time
from collections.abc import Callable
from statistics import median

WINDOW = 0.1
"""Seconds that one verdict is drawn from, at least; Envoy's default."""

SAMPLES = 10
"""Pieces of work that it is drawn from, at least; Netflix's default window."""

MOST_SAMPLES = 500
"""Of a window's, those that are kept; the median does not need more."""

BUFFER = 0.25
"""Share by which work may take longer than undisturbed before the limit sinks; Envoy's default."""

TOLERANCE = 0.02
"""Seconds by which it always may: work of a millisecond may queue for some without harm, and
batches live on that."""

STUCK = 5
"""Windows of slow work in a row after which the limit sinks as far as it takes, and windows at the
least after which that is what undisturbed looks like now; Envoy's number."""

START = 64
"""Where the limit begins: higher, and a backlog of seconds could build up before the first verdict;
lower, and a crowd that could be served would be refused until it has risen."""

STEEPEST = 0.5
"""The limit is halved at most from one window to the next, and less than doubled."""


class Gradient:
    """A limit that follows the latency.

    Args:
        least: The limit never sinks below; what can be worked on without any queue.
        most: Nor does it rise above.
        clock: Monotonic seconds.
    """

    def __init__(self, least: int, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin in between."""
        if not 1 <= least <= most:
            raise ValueError("1 <= least <= most")
        self._least = least
        self._most = most
        self._clock = clock
        self._limit = float(min(most, max(START, 2 * least)))
        self._undisturbed = math.inf
        self._slow = self._stuck = 0
        self._samples: list[float] = []
        self._peak = 0
        self._end = 0.0

    @property
    def limit(self) -> int:
        """How many may be in progress at once."""
        return int(self._limit)

    @property
    def undisturbed(self) -> float:
        """Seconds that work takes when nothing queues, as far as is known; ``inf`` at first."""
        return self._undisturbed

    def learn(self, seconds: float, in_use: int, *, failed: bool = False) -> bool:
        """Note that one piece of work took ``seconds``; return whether the limit is a new one.

        Args:
            seconds: From when it was let in until it was done.
            in_use: How many were in progress, it included.
            failed: Whether it came to nothing: then only a long time says something about the
                load, a short one that it was not worked on at all.
        """
        if failed and seconds < self._undisturbed:
            return False
        samples = self._samples
        if not samples:
            self._end = self._clock() + WINDOW
        if len(samples) < MOST_SAMPLES:
            samples.append(seconds)
        self._peak = max(in_use, self._peak)
        if len(samples) < SAMPLES or self._clock() < self._end:
            return False
        before = self.limit
        self._judge(median(samples))
        self._samples, self._peak = [], 0
        return self.limit != before

    def _judge(self, sample: float) -> None:
        if self._stuck >= STUCK:
            self._undisturbed, self._slow, self._stuck = sample, 0, 0
        self._undisturbed = min(self._undisturbed, sample)
        wanted = self._undisturbed + max(self._undisturbed * BUFFER, TOLERANCE)
        gradient = max(STEEPEST, min(1.0, wanted / sample)) if sample > 0 else 1.0
        self._slow = self._slow + 1 if gradient < 1.0 else 0
        self._limit = max(float(self._least), min(float(self._most), self._next(gradient)))
        self._stuck = self._stuck + 1 if self._slow and self._limit <= self._least else 0

    def _next(self, gradient: float) -> float:
        """Return the limit that follows, without regard to its bounds.

        Growth and gradient may balance each other above the least, with work that is slow for
        another reason than a queue of ours. So after a while there is no growth: a queue of ours
        is gone before the limit is at the least, where anything else is learned.
        """
        if self._slow > STUCK:
            return self._limit * gradient
        limit = self._limit * gradient + math.sqrt(self._limit)
        unused = limit > self._limit and self._peak < self._limit / 2
        return self._limit if unused else limit
