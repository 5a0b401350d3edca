"""The history: the last minutes, for whoever opens the page after the fact.

Law of this file: everything has a bound. A sample is a row of numbers, an incident a few words;
the oldest leave as new ones come.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bellbuoy.host.statuspage.finding import Finding, Level, worst_first

SAMPLES = 300
"""One a second: five minutes."""

INCIDENTS = 50

RECENT = 60.0
"""Seconds for which an incident that is over is worth a word beside the verdict."""

Values = dict[str, list[float | None]]


@dataclass(frozen=True)
class Sample:
    """The numbers of one moment.

    Args:
        at: Unix time in seconds.
        values: Of each chart, the value of each line.
        rates: Of each task name, how many calls began in a second.
        level: How bad it was; ``None`` when nothing was wrong.
    """

    at: float
    values: Values
    rates: dict[str, float]
    level: Level | None


@dataclass(frozen=True)
class Incident:
    """Something that was wrong for a while.

    Args:
        finding: As it was seen last.
        began: Unix time in seconds.
        ended: The same, ``None`` while it goes on.
    """

    finding: Finding
    began: float
    ended: float | None = None


class History:
    """The samples and incidents of the last minutes.

    Args:
        samples: How many samples to keep.
        incidents: How many incidents to keep.
    """

    def __init__(self, samples: int = SAMPLES, incidents: int = INCIDENTS) -> None:
        """Remember nothing yet."""
        self.samples: deque[Sample] = deque(maxlen=samples)
        self._over: deque[Incident] = deque(maxlen=incidents)
        self._open: dict[str, Incident] = {}

    def add(
        self, at: float, values: Values, rates: dict[str, float], findings: Sequence[Finding]
    ) -> None:
        """Note one moment; ``findings`` are worst first."""
        self.samples.append(Sample(at, values, rates, findings[0].level if findings else None))
        found = {finding.key: finding for finding in findings}
        for key in self._open.keys() - found.keys():
            self._over.append(replace(self._open.pop(key), ended=at))
        for key, finding in found.items():
            known = self._open.get(key)
            began = known.began if known else at - finding.age
            self._open[key] = Incident(finding, began)

    @property
    def current(self) -> list[Incident]:
        """What is wrong now, worst first."""
        return worst_first(self._open.values(), lambda each: each.finding.level)

    @property
    def incidents(self) -> list[Incident]:
        """What is and was wrong, newest first, at most as many as are kept."""
        known = [*self._over, *self._open.values()]
        known.sort(key=lambda each: -each.began)
        return known[: self._over.maxlen]

    def recent(self, at: float) -> Incident | None:
        """Return what was wrong a moment ago and is over, the newest of it."""
        last = max(self._over, key=lambda each: each.ended or 0.0, default=None)
        return last if last and at - (last.ended or 0.0) <= RECENT else None
