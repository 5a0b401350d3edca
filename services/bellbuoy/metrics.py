"""Metric families: declared once, as data, and laid out in cells.

Law of this file: a number is one 8-byte cell, its place follows from the declaration, and the
count of cells is known before the first process is forked. Label values that arise at run time
(task names, status codes) go through a bounded :class:`NameTable`.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "min", "max", "latest"]
"""How the values of several processes become one.

Counters and histograms are summed over all that ever ran, gauges over those alive. ``min`` and
``max`` take one of theirs; ``latest`` is the greatest value that any process ever stored, for
timestamps. A process takes part in ``min`` once it knows: until it stores a number its cell is
NaN, so that a worker which has just begun is nobody's minimum. When nobody knows, it is what the
family says, or there is no series.
"""

# OpenTelemetry's advice for HTTP and database durations, in seconds.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

OTHER = "other"


@dataclass(frozen=True)
class NameTable:
    """A bounded set of label values that arise at run time.

    Args:
        key: The table's own name.
        labels: The label names that one entry holds values for.
        capacity: Entries; whatever comes later is counted under ``other``.
    """

    key: str
    labels: tuple[str, ...]
    capacity: int


@dataclass(frozen=True)
class Family:
    """One metric family; make it with :func:`counter`, :func:`gauge` or :func:`histogram`.

    Args:
        name: The exported name, with unit and, for counters, ``_total``.
        kind: What the cells mean.
        help: One sentence for ``# HELP``.
        labels: Label names and all their values.
        names: The table of the labels whose values arise at run time.
        buckets: Upper edges of a histogram, without ``+Inf``, in the unit of the name.
        merge: How the values of several processes become one, see :data:`Merge`.
        otherwise: What a ``min`` is while no process knows; NaN for no series.
    """

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    names: NameTable | None = None
    buckets: tuple[float, ...] = ()
    merge: Merge = "sum"
    otherwise: float = 0.0

    @property
    def width(self) -> int:
        """Cells of one series: a histogram has its buckets, ``+Inf`` and the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1

    @property
    def fixed(self) -> int:
        """Series for one entry of the name table, or in all when there is none."""
        return prod(len(values) for values in self.labels.values())

    @property
    def cells(self) -> int:
        """Cells of the whole family."""
        entries = self.names.capacity + 1 if self.names else 1
        return entries * self.fixed * self.width

    @property
    def label_names(self) -> tuple[str, ...]:
        """Label names in the order of a series' label values."""
        return (self.names.labels if self.names else ()) + tuple(self.labels)

    def fixed_values(self) -> Iterator[tuple[str, ...]]:
        """Yield every combination of the fixed label values, in the order of the cells."""
        return itertools.product(*self.labels.values())

    def fixed_index(self, values: Mapping[str, str]) -> int:
        """Return the place of a combination of fixed label values.

        Raises:
            ValueError: A value that the declaration does not list.
            KeyError: A label without a value.
        """
        index = 0
        for name, allowed in self.labels.items():
            index = index * len(allowed) + allowed.index(values[name])
        return index

    @property
    def resets(self) -> bool:
        """Whether the value goes away with the process that stored it."""
        return self.kind == "gauge" and self.merge != "latest"

    @property
    def unknown(self) -> float:
        """What a cell of a gauge holds before its process stores something."""
        return math.nan if self.merge == "min" else 0.0


def counter(
    name: str,
    help: str,  # noqa: A002 - the word of the exposition format
    labels: Mapping[str, tuple[str, ...]] | None = None,
    names: NameTable | None = None,
) -> Family:
    """Declare a number that only grows; its name ends in ``_total``."""
    return Family(name, "counter", help, labels or {}, names)


def gauge(
    name: str,
    help: str,  # noqa: A002
    labels: Mapping[str, tuple[str, ...]] | None = None,
    names: NameTable | None = None,
    merge: Merge = "sum",
    otherwise: float = 0.0,
) -> Family:
    """Declare a number that goes up and down."""
    return Family(name, "gauge", help, labels or {}, names, merge=merge, otherwise=otherwise)


def histogram(
    name: str,
    help: str,  # noqa: A002
    buckets: tuple[float, ...] = SECONDS,
    labels: Mapping[str, tuple[str, ...]] | None = None,
    names: NameTable | None = None,
) -> Family:
    """Declare a distribution over ``buckets``, upper edges in the unit of the name."""
    return Family(name, "histogram", help, labels or {}, names, buckets)


class Layout:
    """Where each family's cells begin within a process's block of cells."""

    def __init__(self, families: Sequence[Family]) -> None:
        """Place the families one after the other.

        Raises:
            ValueError: Two families have one name.
        """
        self.families = tuple(families)
        self.starts: dict[str, int] = {}
        self.size = 0
        for family in self.families:
            if family.name in self.starts:
                raise ValueError(f"{family.name} is declared twice")
            self.starts[family.name] = self.size
            self.size += family.cells
        self.tables = tuple(dict.fromkeys(f.names for f in self.families if f.names))

    def series(self, family: Family, entry: int, fixed: int) -> int:
        """Return the first cell of a series: of a name table's entry and a fixed combination."""
        return self.starts[family.name] + (entry * family.fixed + fixed) * family.width

    def cells(self, family: Family) -> range:
        """Return all cells of a family."""
        start = self.starts[family.name]
        return range(start, start + family.cells)
