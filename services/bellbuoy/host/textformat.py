"""The text formats of Prometheus: families and their series as lines.

Law of this file: what is written is byte for byte what prometheus_client would write, which a
test holds it to. What stays is written once: the heading of a family, the words before a number,
and the lines of a series whose cells are as they were. The name tables bound how much that is.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from bellbuoy.metrics import Family
from bellbuoy.snapshot import Series

Exported = tuple[Family, Iterable[Series]]
"""A family and what there is of it."""

_GO_DIFFERS = 1e6
"""From here on Go writes an exponent where Python writes digits."""


class TextFormat:
    """One of the two formats, which remembers what it wrote.

    Args:
        openmetrics: Whether it is OpenMetrics, and not Prometheus' own format.
    """

    def __init__(self, *, openmetrics: bool) -> None:
        """Have written nothing yet."""
        self._openmetrics = openmetrics
        self._end = "# EOF\n" if openmetrics else ""
        self._blocks: dict[str, _Block] = {}

    def write(self, families: Iterable[Exported]) -> bytes:
        """Return every family; those of one name are always declared alike."""
        text = "".join(text for family, series in families for text in self._texts(family, series))
        return (text + self._end).encode()

    def _texts(self, family: Family, series: Iterable[Series]) -> Iterator[str]:
        block = self._blocks.get(family.name)
        if block is None:
            block = self._blocks[family.name] = _Block(family, _heading(family, self._openmetrics))
        return block.texts(series)


class _Block:
    """One family: its heading, and each series as it was written last."""

    def __init__(self, family: Family, heading: str) -> None:
        self._family = family
        self._heading = heading
        self._lines: dict[tuple[str, ...], _Lines] = {}

    def texts(self, series: Iterable[Series]) -> Iterator[str]:
        """Yield the heading, then the lines of each series."""
        yield self._heading
        for each in series:
            lines = self._lines.get(each.labels)
            if lines is None:
                lines = self._lines[each.labels] = _Lines(self._family, each.labels)
            if each.cells != lines.cells:
                lines.rewrite(each.cells)
            yield lines.text


class _Lines:
    """The lines of one series, for the cells that it had last."""

    __slots__ = ("_is_histogram", "_words", "cells", "text")

    def __init__(self, family: Family, labels: tuple[str, ...]) -> None:
        self._is_histogram = family.kind == "histogram"
        self._words = tuple(_words(family, dict(zip(family.label_names, labels, strict=True))))
        self.cells: tuple[float, ...] = ()
        self.text = ""

    def rewrite(self, cells: tuple[float, ...]) -> None:
        """Write the lines for ``cells``."""
        values = _counted(cells) if self._is_histogram else cells
        lines = [f"{words}{number(value)}\n" for words, value in zip(self._words, values)]  # noqa: B905 - below zero there is no sum
        self.cells, self.text = cells, "".join(lines)


def number(value: float) -> str:
    """Return a number as Go writes it."""
    if -math.inf < value < _GO_DIFFERS:
        return repr(value)
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # it has no types


def _counted(cells: tuple[float, ...]) -> list[float]:
    """Return what the lines of a histogram say: up to each edge, in all, and the sum."""
    *counts, total = cells
    values = list(accumulate(counts))
    return [*values, values[-1], total]


def _heading(family: Family, openmetrics: bool) -> str:  # noqa: FBT001
    name, text = family.name, family.help.replace("\\", "\\\\").replace("\n", "\\n")
    if family.kind == "counter":
        name = _stem(family) if openmetrics else f"{_stem(family)}_total"
    if openmetrics:
        text = text.replace('"', '\\"')
    return f"# HELP {name} {text}\n# TYPE {name} {family.kind}\n"


def _words(family: Family, labels: dict[str, str]) -> Iterator[str]:
    """Yield what stands before each number of a series."""
    if family.kind == "counter":
        yield f"{_stem(family)}_total{_braces(labels)} "
    elif family.kind == "gauge":
        yield f"{family.name}{_braces(labels)} "
    else:
        for edge in (*map(str, family.buckets), "+Inf"):
            yield f"{family.name}_bucket{_braces({**labels, 'le': edge})} "
        if not family.buckets or family.buckets[0] >= 0:
            yield f"{family.name}_count{_braces(labels)} "
            yield f"{family.name}_sum{_braces(labels)} "


def _stem(family: Family) -> str:
    return family.name.removesuffix("_total")


def _braces(labels: dict[str, str]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
