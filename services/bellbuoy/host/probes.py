"""Liveness and readiness: decided from a snapshot, without asking anybody."""

from bellbuoy.lifecycle import State
from bellbuoy.snapshot import Snapshot

FRESH = 2.0
"""Seconds: an older beat means that the worker's loop is blocked now."""


def is_live(snapshot: Snapshot, watchdog: float) -> bool:
    """Return whether the container works or is about to.

    A database outage, a blocked worker and a drain are no reason to kill it; a supervisor that
    shows no sign of life is, and so are traffic workers none of which has beaten for
    ``watchdog`` seconds while nobody replaced them.
    """
    if snapshot.supervisor_beat_age > watchdog:
        return False
    return snapshot.stopping or any(
        process.beat_age <= watchdog or process.state in {State.STARTING, State.DRAINING}
        for process in snapshot.traffic
    )


def is_ready(snapshot: Snapshot) -> bool:
    """Return whether traffic should be sent here: a worker is ready and its loop turns.

    An operator may say no (``PUT /readiness``); it does not follow that anything is wrong.
    """
    open_to_traffic = not snapshot.stopping and not snapshot.withdrawn
    return open_to_traffic and any(
        process.state is State.READY and process.beat_age <= FRESH for process in snapshot.traffic
    )
