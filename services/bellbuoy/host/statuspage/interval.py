"""An interval: two snapshots of one scoreboard, and what happened between them.

Law of this file: no clock and no I/O. A family that the service has not got reads as nothing, so
that one page serves every service.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bellbuoy.metrics import Family
from bellbuoy.percentile import between, percentile
from bellbuoy.snapshot import Series, Snapshot

_Table = dict[str, tuple[Family, tuple[Series, ...]]]


@dataclass(frozen=True)
class Interval:
    """What one can say of a while.

    Args:
        before: Its begin.
        after: Its end.
        seconds: Its length; more than none.
        at: Unix time of its end, in seconds.
    """

    before: Snapshot
    after: Snapshot
    seconds: float
    at: float

    def has(self, name: str) -> bool:
        """Return whether there is such a family."""
        return name in self._after

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of a family's series with these labels, at the end."""
        return sum(series.value for series in _matching(self._after, name, labels))

    def was(self, name: str, **labels: str) -> float:
        """Return the same at the begin."""
        return sum(series.value for series in _matching(self._before, name, labels))

    def gained(self, name: str, **labels: str) -> float:
        """Return how much a counter grew."""
        return sum(gain for _, gain in self.gains(name, **labels))

    def rate(self, name: str, **labels: str) -> float:
        """Return how much a counter grew in a second."""
        return self.gained(name, **labels) / self.seconds

    def gains(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Yield, for each series of a counter, its labels and how much it grew."""
        if name not in self._after:
            return
        names, old = self._after[name][0].label_names, self._old(name)
        for series in _matching(self._after, name, labels):
            gain = max(0.0, series.value - old.get(series.labels, 0.0))
            yield dict(zip(names, series.labels, strict=True)), gain

    def percentile(self, name: str, share: float, **labels: str) -> float | None:
        """Return a percentile of what a histogram observed, ``None`` if that is nothing."""
        if name not in self._after:
            return None
        family, _ = self._after[name]
        now = _total(family, _matching(self._after, name, labels))
        then = _total(family, _matching(self._before, name, labels))
        found = percentile(family.buckets, between(now, then), share)
        return None if math.isnan(found) else found

    def _old(self, name: str) -> dict[tuple[str, ...], float]:
        # Asked for again and again, by chart, rule and table.
        if name not in self._values:
            series = _matching(self._before, name, {})
            self._values[name] = {each.labels: each.value for each in series}
        return self._values[name]

    @cached_property
    def _values(self) -> dict[str, dict[tuple[str, ...], float]]:
        return {}

    @cached_property
    def _before(self) -> _Table:
        return {family.name: (family, series) for family, series in self.before.families}

    @cached_property
    def _after(self) -> _Table:
        return {family.name: (family, series) for family, series in self.after.families}


def _matching(table: _Table, name: str, labels: dict[str, str]) -> Iterator[Series]:
    if name not in table:
        return
    family, found = table[name]
    if not labels:
        yield from found
        return
    places = [(family.label_names.index(label), value) for label, value in labels.items()]
    for series in found:
        if all(series.labels[place] == value for place, value in places):
            yield series


def _total(family: Family, found: Iterator[Series]) -> list[float]:
    total = [0.0] * family.width
    for series in found:
        total = [a + b for a, b in zip(total, series.cells, strict=True)]
    return total
