"""The life of a worker: a table, no clock, no loop.

Law of this file: every state and every step between two states stands in :data:`STEPS`.
"""

from enum import IntEnum


class State(IntEnum):
    """What a worker is doing; the number is what the scoreboard stores."""

    FREE = 0
    """No process has the slot."""
    STARTING = 1
    """The process runs; it may serve already, but must not be sent traffic."""
    READY = 2
    """It serves."""
    DRAINING = 3
    """It finishes what it has; it must not be sent traffic."""
    STOPPED = 4
    """It serves nothing any more and is about to exit."""


STEPS: dict[State, frozenset[State]] = {
    State.FREE: frozenset({State.STARTING}),
    State.STARTING: frozenset({State.READY, State.DRAINING, State.STOPPED, State.FREE}),
    State.READY: frozenset({State.DRAINING, State.FREE}),
    State.DRAINING: frozenset({State.STOPPED, State.FREE}),
    State.STOPPED: frozenset({State.FREE}),
}
"""From each state, where a worker can go. FREE is reachable from all: processes get killed."""


def can_step(old: State, new: State) -> bool:
    """Return whether a worker may go from ``old`` to ``new``."""
    return new in STEPS[old]
