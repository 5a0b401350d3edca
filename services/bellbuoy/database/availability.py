"""Availability: whether PostgreSQL is worth asking. A state machine without a loop or a clock.

Law of this file: only what was tried *after* the last recovery can say that there is an outage,
and only the watch can say that it is over. A statement that has been waiting since before would
otherwise close the circuit again when it times out, and one that had got its answer before the
outage would open it.

::

            opened          failed
    UNKNOWN ──────▶ UP ◀─────────────▶ DOWN
       │                  recovered     ▲
       └──────────── failed ────────────┘
"""

from enum import Enum, auto


class State(Enum):
    """What is known of PostgreSQL."""

    UNKNOWN = auto()
    """Nobody has asked yet; whoever does finds out."""
    UP = auto()
    """It answered."""
    DOWN = auto()
    """It did not; requests are refused at once until the watch says otherwise."""


class Availability:
    """What is known of PostgreSQL, and since which recovery.

    Attributes:
        state: What is known.
        epoch: Grows with each recovery; whoever tries something notes it before.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.state = State.UNKNOWN
        self.epoch = 0

    def answered(self) -> bool:
        """Note that a statement got its answer; return whether that is news."""
        if self.state is not State.UNKNOWN:
            return False
        self.state = State.UP
        return True

    def failed(self, epoch: int) -> bool:
        """Note that something tried in ``epoch`` met an outage; return whether that is news."""
        if self.state is State.DOWN or epoch != self.epoch:
            return False
        self.state = State.DOWN
        return True

    def recovered(self) -> bool:
        """Note that the watch got an answer; return whether that is news."""
        if self.state is State.UP:
            return False
        self.state = State.UP
        self.epoch += 1
        return True
