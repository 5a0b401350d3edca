"""Snapshots made by hand, for what is decided from them."""

from bellbuoy.lifecycle import State
from bellbuoy.snapshot import Process, Snapshot


def process(
    state: State = State.READY, beat_age: float = 0.1, *, slot: int = 0, admin: bool = False
) -> Process:
    """Return a process that shows this."""
    return Process(
        slot=slot,
        pid=1000 + slot,
        admin=admin,
        state=state,
        beat_age=beat_age,
        connections=0,
        born=0.0,
        text=b"",
    )


def snapshot(
    *processes: Process, supervisor_beat_age: float = 0.1, stopping: bool = False
) -> Snapshot:
    """Return a snapshot of these processes, without any families."""
    return Snapshot(
        supervisor=1,
        supervisor_beat_age=supervisor_beat_age,
        stopping=stopping,
        processes=processes,
        families=(),
        at=0.0,
    )
