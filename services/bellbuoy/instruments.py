"""Instruments: how a process counts.

Law of this file: counting touches process-local cells only; :meth:`Instruments.flush` copies
all of them to the process's slot at once. A killed process loses what it counted since the
last flush, never what was flushed before.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence

from bellbuoy.metrics import Family, Layout
from bellbuoy.names import Names


class Counter:
    """One series that only grows."""

    __slots__ = ("_cell", "_cells")

    def __init__(self, cells: "array[float]", cell: int) -> None:
        """Count in ``cells[cell]``."""
        self._cells = cells
        self._cell = cell

    def inc(self, amount: float = 1.0) -> None:
        """Add ``amount``, which is not negative."""
        self._cells[self._cell] += amount

    @property
    def value(self) -> float:
        """What this process and its predecessors in the slot counted."""
        return self._cells[self._cell]


class Gauge(Counter):
    """One series that goes up and down."""

    __slots__ = ()

    def dec(self, amount: float = 1.0) -> None:
        """Subtract ``amount``."""
        self._cells[self._cell] -= amount

    def set(self, value: float) -> None:
        """Store ``value``."""
        self._cells[self._cell] = value


class Histogram:
    """One distribution."""

    __slots__ = ("_cells", "_edges", "_start", "_sum")

    def __init__(self, cells: "array[float]", start: int, edges: tuple[float, ...]) -> None:
        """Count in the cells from ``start`` on."""
        self._cells = cells
        self._start = start
        self._edges = edges
        self._sum = start + len(edges) + 1

    def observe(self, value: float) -> None:
        """Count one observation, in the unit of the family's name."""
        self._cells[self._start + bisect_left(self._edges, value)] += 1.0
        self._cells[self._sum] += value


class Instruments:
    """All series of one process.

    Args:
        layout: The families and their places.
        shared: Stores the cells where others read them; ``None`` in a plain script.
        initial: What the slot's predecessor counted, to go on from; zeros when absent.
        names: The name tables; made locally where absent.
    """

    def __init__(
        self,
        layout: Layout,
        shared: Callable[["array[float]"], None] | None = None,
        initial: "array[float] | None" = None,
        names: Sequence[Names] = (),
    ) -> None:
        """Start from what the slot's predecessor counted."""
        self.layout = layout
        self.cells = initial if initial is not None else array("d", bytes(8 * layout.size))
        self._store = shared
        self._names = {table.table: table for table in names}
        for table in layout.tables:
            if table not in self._names:
                self._names[table] = Names(table, memoryview(bytearray(Names.size(table))))
        self._collectors: list[Callable[[], None]] = []

    def names(self, family: Family) -> Names:
        """Return the name table of a family.

        Raises:
            KeyError: The family has none.
        """
        return self._names[family.names]  # type: ignore[index]  # None is a KeyError, as promised

    def counter(self, family: Family, **labels: str) -> Counter:
        """Return the counter with these label values; keep it where the path is hot."""
        return Counter(self.cells, self.cell(family, labels))

    def gauge(self, family: Family, **labels: str) -> Gauge:
        """Return the gauge with these label values."""
        return Gauge(self.cells, self.cell(family, labels))

    def histogram(self, family: Family, **labels: str) -> Histogram:
        """Return the histogram with these label values."""
        return Histogram(self.cells, self.cell(family, labels), family.buckets)

    def cell(self, family: Family, labels: dict[str, str]) -> int:
        """Return the first cell of a series."""
        entry = 0
        if family.names:
            entry = self.names(family).index(*(labels[name] for name in family.names.labels))
        return self.layout.series(family, entry, family.fixed_index(labels))

    def before_flush(self, collect: Callable[[], None]) -> None:
        """Have ``collect`` store its numbers before each flush."""
        self._collectors.append(collect)

    def flush(self) -> None:
        """Collect, then publish every cell to the slot."""
        for collect in self._collectors:
            collect()
        if self._store is not None:
            self._store(self.cells)
