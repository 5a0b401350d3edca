"""When to fork the next worker: decided purely."""

QUICK = 1.0
"""A worker that lived shorter than this, in seconds, died while booting."""

FIRST = 0.25
DOUBLINGS = 3
LONGEST = FIRST * 2**DOUBLINGS
"""A killed worker is replaced at once; one that keeps dying, every two seconds at most."""


class Respawn:
    """Backs off while workers die young: at once, 0.25 s, 0.5 s, … 2 s."""

    def __init__(self) -> None:
        """Nobody died yet."""
        self.young_deaths = 0
        self._not_before = 0.0

    def died(self, lived: float, now: float) -> None:
        """Note that a worker died at ``now`` after ``lived`` seconds."""
        if lived >= QUICK:
            self.young_deaths = 0
            return
        if self.young_deaths:
            # Bounded before it is a power: after half an hour that would be no float any more.
            self._not_before = now + FIRST * 2 ** min(self.young_deaths - 1, DOUBLINGS)
        self.young_deaths += 1

    def may_spawn(self, now: float) -> bool:
        """Return whether a worker may be forked at ``now``."""
        return now >= self._not_before
