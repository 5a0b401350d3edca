"""A snapshot of the scoreboard: what all processes counted, as one.

``/metrics``, ``/tasks``, the probes and the tests read this and nothing else.
"""

import itertools
import math
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bellbuoy.lifecycle import State
from bellbuoy.metrics import OTHER, Family, Layout
from bellbuoy.scoreboard import COLLECTOR, Scoreboard, Slot

_LIVE = frozenset({State.STARTING, State.READY, State.DRAINING})


@dataclass(frozen=True)
class Process:
    """One process as the scoreboard shows it.

    Args:
        slot: Its slot's number.
        pid: Its process id.
        admin: Whether it serves the admin port.
        state: What it is doing.
        beat_age: Seconds since its last sign of life.
        connections: Connections it holds.
        born: Unix time of its fork, in seconds.
        text: What it wants to show, JSON or empty.
        lag: The longest that its event loop was late in the last second, in seconds.
        collections: What its garbage collector did, as the scoreboard orders it.
    """

    slot: int
    pid: int
    admin: bool
    state: State
    beat_age: float
    connections: int
    born: float
    text: bytes
    lag: float = 0.0
    collections: tuple[float, ...] = (0.0,) * len(COLLECTOR)


@dataclass(frozen=True)
class Series:
    """One series of a family: label values in the family's order, and its cells."""

    labels: tuple[str, ...]
    cells: Sequence[float]

    @property
    def value(self) -> float:
        """The value of a counter or a gauge."""
        return self.cells[0]


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known at one moment.

    Args:
        supervisor: Process id of the supervisor.
        supervisor_beat_age: Seconds since the supervisor's last sign of life.
        stopping: Whether the supervisor was told to stop.
        processes: Every living process.
        families: Each family with its series.
        at: The moment, by ``time.monotonic()``, which all processes share.
        withdrawn: Whether an operator took the container out of the traffic.
        own: The supervisor itself.
    """

    supervisor: int
    supervisor_beat_age: float
    stopping: bool
    processes: tuple[Process, ...]
    families: tuple[tuple[Family, tuple[Series, ...]], ...]
    at: float
    withdrawn: bool = False
    own: Process | None = None

    @property
    def traffic(self) -> tuple[Process, ...]:
        """The processes that serve clients."""
        return tuple(process for process in self.processes if not process.admin)

    def series(self, name: str) -> tuple[Series, ...]:
        """Return the series of the family called ``name``.

        Raises:
            KeyError: No such family.
        """
        for family, series in self.families:
            if family.name == name:
                return series
        raise KeyError(name)


def take(board: Scoreboard) -> Snapshot:
    """Read the scoreboard; costs about a microsecond a cell and disturbs nobody."""
    now = time.monotonic()
    live = [slot.index for slot in board.workers if slot.state in _LIVE and not slot.admin]
    # Each slot is read once, so that its families agree with each other.
    ever = [slot.load() for slot in board.slots]
    alive = [ever[index] for index in live]
    return Snapshot(
        supervisor=int(board.supervisor),
        supervisor_beat_age=max(0.0, now - board.beat),
        stopping=bool(board.stopping),
        processes=tuple(_process(slot, now) for slot in board.workers if slot.state != State.FREE),
        families=tuple(
            (family, tuple(_series(board, family, alive if family.resets else ever)))
            for family in board.layout.families
        ),
        at=now,
        withdrawn=board.commands.withdrawn,
        own=_process(board.own, now),
    )


def _process(slot: Slot, now: float) -> Process:
    return Process(
        slot=slot.index,
        pid=int(slot.pid),
        admin=bool(slot.admin),
        state=slot.state,
        beat_age=max(0.0, now - slot.beat),
        connections=int(slot.connections),
        born=slot.born,
        text=slot.text.read(),
        lag=slot.lag,
        collections=tuple(slot.collections),
    )


def _series(
    board: Scoreboard, family: Family, blocks: "Sequence[array[float]]"
) -> Iterator[Series]:
    for entry, names in _entries(board, family):
        for fixed, values in enumerate(family.fixed_values()):
            cells = _merge(board.layout, family, entry, fixed, blocks)
            if not _is_other(names) or any(cells):
                yield Series(names + values, cells)


def _is_other(names: tuple[str, ...]) -> bool:
    return bool(names) and all(name == OTHER for name in names)


def _entries(board: Scoreboard, family: Family) -> Iterator[tuple[int, tuple[str, ...]]]:
    if family.names is None:
        return iter([(0, ())])
    *known, other = next(names for names in board.names if names.table == family.names).entries()
    # The cells of `other` are the last, however few entries there are before them.
    return itertools.chain(enumerate(known), [(family.names.capacity, other)])


def _merge(
    layout: Layout, family: Family, entry: int, fixed: int, blocks: "Sequence[array[float]]"
) -> tuple[float, ...]:
    start = layout.series(family, entry, fixed)
    columns = zip(*(block[start : start + family.width] for block in blocks), strict=True)
    if family.merge == "sum":
        merged: tuple[float, ...] = tuple(map(sum, columns))
    elif family.merge == "min":
        merged = tuple(_least(column) for column in columns)
    else:
        merged = tuple(map(max, columns))
    return merged or (0.0,) * family.width


def _least(values: Iterable[float]) -> float:
    return min((value for value in values if not math.isnan(value)), default=0.0)
