"""A retry budget: how much trying again a dependency is asked to bear. Without a loop.

Law of this file: within any window at most ``ratio`` of the calls, and ``minimum`` a second, are
tried again, whoever asks. When everything fails, retries are what keeps a dependency down; this
bounds them where it matters, at the dependency, and not in each call.

The ratio and the window are those of Finagle and Linkerd: 20 % over 10 s. The minimum is 1 a
second where theirs is 10: a budget is each worker's own, and the workers of a service add up.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

SLICES = 10
"""Parts of the window; what was counted in one is forgotten at once when it has passed."""


@dataclass(frozen=True)
class BudgetStatistics:
    """What a budget counted within its window.

    Args:
        calls: Calls, without their retries.
        retries: Retries that were granted.
        refused: Retries that were refused since the beginning.
    """

    calls: int
    retries: int
    refused: int


class RetryBudget:
    """Shared by everything that calls one dependency.

    Args:
        ratio: Retries for each call.
        minimum: Retries a second that are granted anyway, so that a rare caller may retry at all.
        window: Seconds over which both are counted.
        clock: Monotonic seconds.

    Raises:
        ValueError: An argument makes no sense.
    """

    def __init__(
        self,
        ratio: float = 0.2,
        minimum: float = 1.0,
        window: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Have nothing counted."""
        if ratio < 0 or minimum < 0 or window <= 0:
            raise ValueError("ratio and minimum are not negative, and window is more than 0")
        self._ratio = ratio
        self._reserve = minimum * window
        self._slice = window / SLICES
        self._clock = clock
        self._calls = [0] * SLICES
        self._retries = [0] * SLICES
        self._now = int(clock() / self._slice)
        self._refused = 0

    def call(self) -> None:
        """Note a call; its retries are not calls."""
        self._forget()
        self._calls[self._now % SLICES] += 1

    def withdraw(self) -> bool:
        """Return whether one more retry may be made, and count it if so."""
        self._forget()
        if sum(self._retries) + 1 > self._ratio * sum(self._calls) + self._reserve:
            self._refused += 1
            return False
        self._retries[self._now % SLICES] += 1
        return True

    def statistics(self) -> BudgetStatistics:
        """Return what was counted."""
        self._forget()
        return BudgetStatistics(sum(self._calls), sum(self._retries), self._refused)

    def _forget(self) -> None:
        """Clear the slices that have passed since the last look."""
        now = int(self._clock() / self._slice)
        if now == self._now:
            return
        for passed in range(self._now + 1, min(now, self._now + SLICES) + 1):
            self._calls[passed % SLICES] = self._retries[passed % SLICES] = 0
        self._now = now
