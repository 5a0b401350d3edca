"""An interval: two snapshots of one scoreboard, and what happened between them.

Law of this file: no clock and no I/O. A family that the service has not got reads as nothing, so
that one page serves every service.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from bellbuoy.host.statuspage.lookup import Lookup
from bellbuoy.metrics import Family
from bellbuoy.percentile import between, percentile
from bellbuoy.snapshot import Series, Snapshot


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
        return self._after.family(name) is not None

    def knows(self, name: str, **labels: str) -> bool:
        """Return whether the family has a series with these labels, at the end."""
        return bool(self._after.series(name, labels))

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of a family's series with these labels, at the end."""
        return sum(series.value for series in self._after.series(name, labels))

    def was(self, name: str, **labels: str) -> float:
        """Return the same at the begin."""
        return sum(series.value for series in self._before.series(name, labels))

    def gained(self, name: str, **labels: str) -> float:
        """Return how much a counter grew."""
        return sum(gain for _, gain in self._gains(name, labels))

    def rate(self, name: str, **labels: str) -> float:
        """Return how much a counter grew in a second."""
        return self.gained(name, **labels) / self.seconds

    def gains(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Yield, for each series of a counter, its labels and how much it grew."""
        family = self._after.family(name)
        names = family.label_names if family else ()
        for values, gain in self._gains(name, labels):
            yield dict(zip(names, values, strict=True)), gain

    def percentile(self, name: str, share: float, **labels: str) -> float | None:
        """Return a percentile of what a histogram observed, ``None`` if that is nothing."""
        family = self._after.family(name)
        if family is None:
            return None
        now = _total(family, self._after.series(name, labels))
        then = _total(family, self._before.series(name, labels))
        found = percentile(family.buckets, between(now, then), share)
        return None if math.isnan(found) else found

    def _gains(self, name: str, labels: dict[str, str]) -> Iterator[tuple[tuple[str, ...], float]]:
        old = {series.labels: series.value for series in self._before.series(name, labels)}
        for series in self._after.series(name, labels):
            yield series.labels, max(0.0, series.value - old.get(series.labels, 0.0))

    @cached_property
    def _before(self) -> Lookup:
        return Lookup(self.before)

    @cached_property
    def _after(self) -> Lookup:
        return Lookup(self.after)


def _total(family: Family, found: Sequence[Series]) -> list[float]:
    columns = zip(*(series.cells for series in found), strict=True)
    return list(map(sum, columns)) or [0.0] * family.width
