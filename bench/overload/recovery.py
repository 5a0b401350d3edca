"""Recovery: how long after an overload everybody is served again."""

import asyncio
from typing import Protocol

from bench.overload.crowd import Tally

HEALED = 0.5
"""Seconds of nothing but success that count as well."""

GIVE_UP = 20.0
"""Seconds after which it counts as never."""


class Driven(Protocol):
    """What can be driven at a rate for some seconds, as a crowd can."""

    async def drive(self, rate: float, seconds: float) -> Tally:
        """Return what became of the requests once all are answered."""


async def recovery(crowd: Driven, rate: float, ended: float) -> float:
    """Return after how many seconds requests at ``rate`` are all answered well.

    Args:
        crowd: Who asks.
        rate: Requests a second.
        ended: The loop's time when the overload ended: whatever it left waiting is part of it.
    """
    loop = asyncio.get_running_loop()
    while (begin := loop.time()) - ended < GIVE_UP:
        if (await crowd.drive(rate, HEALED)).is_well():
            return round(begin - ended, 2)
    return float("inf")
