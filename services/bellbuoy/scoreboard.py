"""The scoreboard: every number and state of a container, in memory its processes share.

Law of this file: a cell has one writer. A slot's cells belong to the process that has the slot,
from the fork until its parent has reaped it; before and after they belong to the supervisor.
Counters outlive the process, gauges do not.

The pattern is the scoreboard of Apache httpd: one mapping, made before the fork, read by
whoever wants to know, locked by nobody.
"""

import mmap
import os
import time
from array import array
from collections.abc import Sequence
from typing import overload

from bellbuoy.commands import Commands
from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State, can_step
from bellbuoy.metrics import Family, Layout
from bellbuoy.names import Names
from bellbuoy.textblock import TextBlock

CELL_BYTES = 8
TEXT_BYTES = 16 * 1024

COLLECTOR = tuple(
    (what, generation)
    for generation in range(3)
    for what in ("collections", "collected", "uncollectable")
)
"""What ``gc.get_stats()`` tells, in the order of a slot's cells."""


class _Header:
    """One named cell of a header, as an attribute."""

    def __init__(self, index: int) -> None:
        self.index = index

    @overload
    def __get__(self, owner: None, _: type) -> "_Header": ...
    @overload
    def __get__(self, owner: "Slot | Scoreboard", _: type) -> float: ...
    def __get__(self, owner: "Slot | Scoreboard | None", _: type) -> "float | _Header":
        return self if owner is None else owner.header[self.index]

    def __set__(self, owner: "Slot | Scoreboard", value: float) -> None:
        owner.header[self.index] = value


class Slot:
    """One process's place on the scoreboard; the attributes are stored at once.

    Attributes:
        pid: The process that has the slot, 0 for none.
        admin: 1 when that process serves the admin port.
        beat: ``time.monotonic()`` of its last sign of life, in seconds.
        connections: Connections it holds now.
        born: ``time.time()`` at which the process was forked.
        generation: How many processes have had the slot.
        lag: The longest that its event loop was late in the last second, in seconds.
        collections: What its garbage collector did, see :data:`COLLECTOR`.
    """

    pid = _Header(0)
    admin = _Header(1)
    beat = _Header(2)
    connections = _Header(3)
    born = _Header(4)
    generation = _Header(5)
    _state = _Header(6)
    _version = _Header(7)
    lag = _Header(8)
    HEADER = 9 + len(COLLECTOR)

    def __init__(
        self, index: int, board: "Scoreboard", cells: "memoryview[float]", text: memoryview
    ) -> None:
        """Use ``cells`` (header and two copies of the series, 8 bytes each) and ``text``."""
        self.index = index
        self.header = cells[: self.HEADER]
        self.collections = self.header[9:]
        self.text = TextBlock(text)
        self._board = board
        second = self.HEADER + board.layout.size
        self._copies = (cells[self.HEADER : second], cells[second:])

    @property
    def state(self) -> State:
        """What the process is doing."""
        return State(int(self._state))

    @property
    def serves(self) -> bool:
        """Whether a traffic worker has the slot and takes connections."""
        return not self.admin and self.state in {State.STARTING, State.READY}

    @property
    def carries_traffic(self) -> bool:
        """Whether a traffic worker has the slot and may still hold connections."""
        return not self.admin and self.state not in {State.FREE, State.STOPPED}

    def step(self, state: State) -> None:
        """Go on to ``state``; the world sees it at once.

        Raises:
            ValueError: The lifecycle has no such step.
        """
        if not can_step(self.state, state):
            raise ValueError(f"no step from {self.state.name} to {state.name}")
        self._state = float(state)

    def take(self, *, admin: bool) -> None:
        """Reserve the slot for a process that is about to be forked.

        Raises:
            ValueError: Some process has it.
        """
        if self.state is not State.FREE:
            raise ValueError(f"slot {self.index} is taken: {self.state.name}")
        self.admin = float(admin)
        self.beat = time.monotonic()
        self.born = time.time()
        self.generation += 1
        self.lag = 0.0
        self.collections[:] = array("d", bytes(CELL_BYTES * len(COLLECTOR)))
        self.store(self._without_gauges(self.load()))
        self.step(State.STARTING)

    def instruments(self) -> Instruments:
        """Return the instruments of the process that has the slot; counters go on."""
        return Instruments(self._board.layout, self.store, self.load(), self._board.names)

    def store(self, cells: "array[float]") -> None:
        """Publish all cells; a reader sees all of them or none.

        Of the two copies, the version names the one to read; the other is written. So a process
        that is killed or stopped in here leaves its last publication whole.
        """
        version = int(self._version) + 1
        self._copies[version % 2][:] = memoryview(cells)
        self._version = float(version)

    @property
    def has_published(self) -> bool:
        """Whether any process ever stored cells here; if none did, all are zero."""
        return bool(self._version)

    def load(self) -> "array[float]":
        """Return the cells as last published.

        Reading is repeated while the process publishes in between; as that takes longer than
        reading and is done ten times a second, it is rarely repeated once.
        """
        while True:
            version = self._version
            cells = array("d", bytes(self._copies[int(version) % 2]))
            if version == self._version:
                return cells

    def free(self, cells: "array[float]") -> None:
        """Give the slot back after its process was reaped; ``cells`` are what it leaves.

        Gauges end with the process.
        """
        self.store(self._without_gauges(cells))
        self.text.write(b"")
        self.pid = self.admin = self.connections = 0.0
        self._state = float(State.FREE)

    def _without_gauges(self, cells: "array[float]") -> "array[float]":
        for family in self._board.layout.families:
            if family.resets:
                for cell in self._board.layout.cells(family):
                    cells[cell] = family.unknown
        return cells


class Scoreboard:
    """The shared memory of one supervisor and the processes it forks.

    Attributes:
        supervisor: Process id of the supervisor.
        beat: ``time.monotonic()`` of the supervisor's last sign of life, in seconds.
        was_open: 1 once any traffic worker has opened its service.
        was_ready: 1 once any traffic worker has been ready (readiness is latched).
        stopping: 1 once the supervisor has been told to stop.
        commands: What an operator told all processes.

    Args:
        families: Everything the processes will ever export.
        slots: Processes that may live at once, the supervisor's own slot included (the last).
    """

    supervisor = _Header(0)
    beat = _Header(1)
    was_ready = _Header(2)
    stopping = _Header(3)
    was_open = _Header(4)
    HEADER = 8 + Commands.CELLS

    def __init__(self, families: Sequence[Family], slots: int) -> None:
        """Map the memory; call it before the first fork."""
        self.layout = Layout(families)
        slot_cells = Slot.HEADER + 2 * self.layout.size
        texts = CELL_BYTES * (self.HEADER + slots * slot_cells)
        tables = texts + slots * TEXT_BYTES
        size = tables + sum(Names.size(table) for table in self.layout.tables)
        # The name tables are locked through the file, so that the kernel frees the lock of a
        # process that dies.
        self._file = os.memfd_create("bellbuoy-scoreboard")
        os.ftruncate(self._file, size)
        memory = memoryview(mmap.mmap(self._file, size))
        cells = memory[:texts].cast("d")
        self.header = cells[: self.HEADER]
        self.commands = Commands(self.header[-Commands.CELLS :])
        self.slots = tuple(
            Slot(
                index,
                self,
                cells[self.HEADER + index * slot_cells :][:slot_cells],
                memory[texts + index * TEXT_BYTES :][:TEXT_BYTES],
            )
            for index in range(slots)
        )
        self.names = self._map_names(memory[tables:])

    @property
    def workers(self) -> tuple[Slot, ...]:
        """The slots of the processes that the supervisor forks."""
        return self.slots[:-1]

    @property
    def own(self) -> Slot:
        """The supervisor's slot."""
        return self.slots[-1]

    def _map_names(self, memory: memoryview) -> tuple[Names, ...]:
        tables, start = [], 0
        for table in self.layout.tables:
            size = Names.size(table)
            tables.append(Names(table, memory[start : start + size], self._file))
            start += size
        return tuple(tables)
