"""The recorder: takes a snapshot a second, whether or not anybody looks, and judges it."""

from collections import deque
from collections.abc import Callable

from bellbuoy.host.statuspage.blink import blink
from bellbuoy.host.statuspage.charts import Chart, charts, values
from bellbuoy.host.statuspage.finding import worst_first
from bellbuoy.host.statuspage.history import History
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.silence import silence
from bellbuoy.host.statuspage.tables import Use, rates
from bellbuoy.host.statuspage.usage import usage
from bellbuoy.host.statuspage.verdict import judge
from bellbuoy.host.statuspage.view import moment, past
from bellbuoy.snapshot import Snapshot

WINDOW = 5
"""Ticks that the verdict looks back: what happens now and then is one story, not many."""


class Recorder:
    """Turns snapshots into what the page is told.

    Attributes:
        history: What is remembered.

    Args:
        service: The service's name.
        take: Returns a snapshot.
        clock: Monotonic seconds.
        wall: Unix time in seconds.
        use: Returns what a process uses.
    """

    def __init__(
        self,
        service: str,
        take: Callable[[], Snapshot],
        clock: Callable[[], float],
        wall: Callable[[], float],
        use: Use = usage,
    ) -> None:
        """Take the first snapshot, which is compared with the next."""
        self.history = History()
        self._service = service
        self._take = take
        self._clock = clock
        self._wall = wall
        self._use = use
        self._seen: deque[tuple[float, Snapshot]] = deque([(clock(), take())], maxlen=WINDOW + 1)
        self._charts: tuple[Chart, ...] = ()

    def tick(self) -> bytes:
        """Record this moment, and return what the page is told of it."""
        window = self.record()
        return moment(window, self._charts, self.history, self._use)

    def record(self) -> Interval:
        """Record this moment, of which nobody needs to be told; return the window it ends."""
        self._seen.append((self._clock(), self._take()))
        at = self._wall()
        last, window = self._interval(-2, at), self._interval(0, at)
        self._charts = charts(last)
        found = [*silence(last), *judge(window), *blink(last)]
        found = worst_first(found, lambda finding: finding.level)
        self.history.add(at, values(self._charts, last), rates(last), found)
        return window

    def past(self) -> bytes:
        """Return what the page is told at first."""
        return past(self._service, self._charts, self.history)

    def _interval(self, since: int, at: float) -> Interval:
        (then, before), (now, after) = self._seen[since], self._seen[-1]
        return Interval(before, after, max(now - then, 1e-3), at)
