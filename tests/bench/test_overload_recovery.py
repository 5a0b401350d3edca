"""Recovery counts from the end of the overload."""

import asyncio

from bench.overload import recovery as module
from bench.overload.crowd import Tally
from bench.overload.recovery import recovery

WELL, REFUSED = Tally({200: [0.1]}), Tally({200: [0.1], 503: [0.1]})


class Replay:
    """Answers what it was told to, in turn."""

    def __init__(self, *tallies: Tally) -> None:
        """Be driven as often as there are tallies."""
        self.left = list(tallies)

    async def drive(self, rate: float, seconds: float) -> Tally:  # noqa: ARG002 - a replay
        """Return the next one."""
        return self.left.pop(0)


async def test_what_the_overload_left_waiting_is_part_of_it() -> None:
    """It ended three seconds before anybody could be asked."""
    ended = asyncio.get_running_loop().time() - 3
    assert 3 <= await recovery(Replay(REFUSED, WELL), 10, ended) < 10


async def test_what_does_not_recover_never_does() -> None:
    """It is given up."""
    ended = asyncio.get_running_loop().time() - module.GIVE_UP
    assert await recovery(Replay(), 10, ended) == float("inf")
