"""A snapshot of the scoreboard: what all processes counted, as one.

``/metrics``, ``/tasks``, the probes and the tests read this and nothing else.
"""

import functools
import math
import operator
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bellbuoy.lifecycle import State
from bellbuoy.metrics import Family, Layout, NameTable
from bellbuoy.scoreboard import COLLECTOR, Scoreboard, Slot

_Blocks = Sequence["array[float]"]
_Names = Mapping[NameTable, Sequence[tuple[str, ...]]]

LIVE = frozenset({State.STARTING, State.READY, State.DRAINING})
"""States in which a process's gauges count."""


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


class Series(NamedTuple):
    """One series of a family: label values in the family's order, and its cells."""

    labels: tuple[str, ...]
    cells: tuple[float, ...]

    @property
    def value(self) -> float:
        """The value of a counter or a gauge."""
        return self.cells[0]


def _nothing(_: int, __: Family) -> tuple[Series, ...]:
    return ()


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
        series_in: Returns the series of a family in one process, by the number of its slot.
    """

    supervisor: int
    supervisor_beat_age: float
    stopping: bool
    processes: tuple[Process, ...]
    families: tuple[tuple[Family, tuple[Series, ...]], ...]
    at: float
    withdrawn: bool = False
    own: Process | None = None
    series_in: Callable[[int, Family], tuple[Series, ...]] = field(default=_nothing, compare=False)

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
    """Read the scoreboard; what it costs depends on the series, and it disturbs nobody."""
    now = time.monotonic()
    # Each slot is read once, so that its families agree with each other.
    cells = {slot.index: slot.load() for slot in board.slots if slot.has_published}
    ever = list(cells.values())
    alive = [cells[slot.index] for slot in board.workers if _counts(slot) and slot.index in cells]
    # The names after the cells, so that whatever was counted has its name.
    names = {table.table: table.entries() for table in board.names}

    def series_in(slot: int, family: Family) -> tuple[Series, ...]:
        blocks = [cells[slot]] if slot in cells else []
        return tuple(_series(board.layout, family, names, blocks))

    return Snapshot(
        supervisor=int(board.supervisor),
        supervisor_beat_age=max(0.0, now - board.beat),
        stopping=bool(board.stopping),
        processes=tuple(_process(slot, now) for slot in board.workers if slot.state != State.FREE),
        families=tuple(
            (family, tuple(_series(board.layout, family, names, alive if family.resets else ever)))
            for family in board.layout.families
        ),
        at=now,
        withdrawn=board.commands.withdrawn,
        own=_process(board.own, now),
        series_in=series_in,
    )


def _counts(slot: Slot) -> bool:
    return slot.state in LIVE and not slot.admin


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


def _series(layout: Layout, family: Family, names: _Names, blocks: _Blocks) -> Iterator[Series]:
    found = _all_series(layout, family, names, blocks)
    if math.isnan(family.otherwise):
        return (series for series in found if not math.isnan(series.value))
    return found


def _all_series(layout: Layout, family: Family, names: _Names, blocks: _Blocks) -> Iterator[Series]:
    fixed = list(family.fixed_values())
    cells = layout.cells(family)
    if family.names is None:
        yield from map(Series, fixed, _merged(family, cells, blocks))
        return
    *known, other = names[family.names]
    used = len(known) * family.fixed * family.width
    labels = (entry + values for entry in known for values in fixed)
    yield from map(Series, labels, _merged(family, cells[:used], blocks))
    # The cells of `other` are the last, however few entries there are before them.
    last = _merged(family, cells[-family.fixed * family.width :], blocks)
    yield from (Series(other + values, each) for values, each in zip(fixed, last) if any(each))  # noqa: B905 - a family of no label value has no cells


def _merged(family: Family, cells: range, blocks: _Blocks) -> Iterator[tuple[float, ...]]:
    """Yield the cells of each series, those of all processes as one."""
    parts = [block[cells.start : cells.stop] for block in blocks]
    merged = iter(_merge(family, parts) if parts else [family.otherwise] * len(cells))
    # One iterator, as often as a series has cells: zip takes so many in turn.
    return zip(*[merged] * family.width, strict=True)


def _merge(family: Family, parts: _Blocks) -> Iterable[float]:
    if family.merge == "sum":
        return functools.reduce(lambda total, part: map(operator.add, total, part), parts)
    if family.merge == "min":
        return (_least(values, family.otherwise) for values in zip(*parts, strict=True))
    return map(max, zip(*parts, strict=True))


def _least(values: Iterable[float], otherwise: float) -> float:
    return min((value for value in values if not math.isnan(value)), default=otherwise)
