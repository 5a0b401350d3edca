"""A stage: a scoreboard whose workers are moved by hand, and the intervals between two looks."""

import os
import time
from collections.abc import Sequence

from bellbuoy.database.measures import families
from bellbuoy.host import web
from bellbuoy.host.families import FAMILIES
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State
from bellbuoy.metrics import Family
from bellbuoy.scoreboard import Scoreboard, Slot
from bellbuoy.snapshot import take

HTTP = tuple(web.FAMILIES)
DATABASE = families(["users.get"])


class Stage:
    """A supervisor that lives, and workers that are ready since a minute.

    Attributes:
        board: The scoreboard.
        workers: The traffic workers' slots.
        counts: The instruments of each.
        own: Those of the supervisor.

    Args:
        extra: Families beside the host's own.
        workers: Traffic workers.
    """

    def __init__(self, extra: Sequence[Family] = (), workers: int = 2) -> None:
        """Have nothing counted yet."""
        self.board = Scoreboard((*FAMILIES, *extra), workers + 2)
        self.board.supervisor = os.getpid()
        self.board.beat = time.monotonic()
        self.workers = list(self.board.workers[:workers])
        self.counts: list[Instruments] = []
        for slot in self.workers:
            slot.take(admin=False)
            slot.born = time.time() - 60
            slot.pid = os.getpid()
            slot.step(State.READY)
            self.counts.append(slot.instruments())
        self.own = self.board.own.instruments()
        self._before = take(self.board)

    @property
    def first(self) -> Slot:
        """The first worker."""
        return self.workers[0]

    def interval(self, seconds: float = 1.0) -> Interval:
        """Return what happened since the stage was made, said to have taken so long."""
        for each in (*self.counts, self.own):
            each.flush()
        return Interval(self._before, take(self.board), seconds, time.time())
