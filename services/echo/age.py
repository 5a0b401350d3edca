"""How old a connection may get: decided purely."""

import math
from random import Random

JITTER = 0.1
"""A tenth more or less, so that connections that came together do not leave together."""


class Ages:
    """Gives each connection the time at which it has lived long enough.

    Args:
        seconds: The age; 0 lets connections live for ever.
        random: Where the jitter comes from.
    """

    def __init__(self, seconds: float, random: Random) -> None:
        self._seconds = seconds
        self._random = random

    def deadline(self, now: float) -> float:
        """Return when a connection that begins ``now`` ends; infinity when it may stay."""
        if not self._seconds:
            return math.inf
        return now + self._seconds * self._random.uniform(1 - JITTER, 1 + JITTER)
