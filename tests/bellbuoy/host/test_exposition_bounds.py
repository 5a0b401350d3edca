"""Whatever a client invents and whatever goes wrong, a scrape has no more series than before.

Each storm brings 100,000 values that never came before to where the chassis counts them; what is
compared is the text of a scrape. tests/integration/test_catalogue.py sends as many paths, and as
many methods, to a real service.
"""

import sys
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from aiohttp.web_urldispatcher import SystemRoute, UrlMappingMatchInfo

from bellbuoy.host.exposition import Exposition
from bellbuoy.host.families import FAMILIES
from bellbuoy.host.web import telemetry
from bellbuoy.host.web.telemetry import HttpMetrics
from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import TaskExport

pytestmark = pytest.mark.slow

STORM = 100_000

MOST = 2_500
"""Samples of a service."""

ENOUGH = 1_000
"""Values that fill every table of names, that of those which are dropped included."""

BEATS = 3 * ENOUGH
"""What grows with each of them is four times as much in the end."""


class Worker:
    """A worker on a scoreboard, and what counts in it."""

    def __init__(self) -> None:
        """Be ready."""
        self.board = Scoreboard((*FAMILIES, *telemetry.FAMILIES), 2)
        slot = self.board.workers[0]
        slot.take(admin=False)
        slot.step(State.READY)
        self.instruments: Instruments = slot.instruments()
        self.http = HttpMetrics(self.instruments)
        self.monitor = AsyncMonitor()
        TaskExport(self.monitor, self.instruments)
        self._exposition = Exposition("storm", HostSettings(), lambda: take(self.board))

    def scrape(self) -> dict[str, float]:
        """Return every series of a scrape, with its value."""
        self.instruments.flush()
        text, _ = self._exposition.render("")
        lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
        samples = (line.rpartition(" ") for line in lines)
        return {series: float(value) for series, _, value in samples}

    def lost(self, method: str, path: str) -> None:
        """Answer a request for which there is no route."""
        found = UrlMappingMatchInfo({}, SystemRoute(web.HTTPNotFound()))
        request = SimpleNamespace(method=method, path=path, match_info=found)
        self.http.answered(cast("web.Request", request), 404, 0.001, 0, 100)


def paths(worker: Worker, numbers: Iterable[int]) -> None:
    """Each request for another place."""
    for number in numbers:
        worker.lost("GET", f"/{number:x}/{number}")


def methods(worker: Worker, numbers: Iterable[int]) -> None:
    """Each request by another method."""
    for number in numbers:
        worker.lost(f"M{number}", "/")


def exceptions(worker: Worker, numbers: Iterable[int]) -> None:
    """Each bug of a class of its own."""
    for number in numbers:
        kind = type(f"Error{number}", (Exception,), {})
        worker.http.failed("/users", cast("Exception", kind()))


def errors(worker: Worker, numbers: Iterable[int]) -> None:
    """Each failure of a task with words of its own, far too many of them."""

    @worker.monitor.track_task("dive")
    async def dive(number: int) -> None:
        raise ValueError(f"{number} " * 50)

    for number in numbers:
        with pytest.raises(ValueError, match=f"^{number} "):
            dive(number).send(None)


def tasks(worker: Worker, numbers: Iterable[int]) -> None:
    """Each piece of work under a name of its own."""
    for number in numbers:
        with worker.monitor.span(f"task {number}"):
            pass


STORMS: dict[Callable[[Worker, Iterable[int]], None], str] = {
    paths: 'http_requests_total{method="GET",route="none",status="404"}',
    methods: 'http_requests_total{method="_OTHER",route="none",status="404"}',
    exceptions: 'http_exceptions_total{exception="other",route="other"}',
    errors: 'asyncmonitor_task_finished_total{outcome="failed",task="dive"}',
    tasks: 'asyncmonitor_task_finished_total{outcome="completed",task="other"}',
}
"""Where each is counted, when all places are taken."""


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.__name__)
def test_a_storm_adds_no_series_and_is_counted(
    storm: Callable[[Worker, Iterable[int]], None],
) -> None:
    """Not one, and every one."""
    worker = Worker()
    storm(worker, range(ENOUGH))
    before = worker.scrape()
    storm(worker, range(ENOUGH, ENOUGH + STORM))
    after = worker.scrape()
    assert after.keys() == before.keys()
    assert len(after) <= MOST
    assert after[STORMS[storm]] - before[STORMS[storm]] == STORM


def calls(work: Callable[[], object]) -> int:
    """Return how many functions are called for it: what it costs, on a busy machine, too."""
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_a_scrape_costs_later_what_it_cost_at_first() -> None:
    """However often was counted and published; the numbers alone are longer."""
    worker = Worker()

    def live(beats: Iterable[int]) -> None:
        for beat in beats:
            for storm in STORMS:
                storm(worker, [beat])
            worker.instruments.flush()

    live(range(ENOUGH))  # every series there can be
    series, cost = worker.scrape().keys(), calls(worker.scrape)
    live(range(ENOUGH, ENOUGH + BEATS))
    assert worker.scrape().keys() == series
    assert calls(worker.scrape) <= cost * 1.1


def test_of_error_texts_one_is_kept_and_cut() -> None:
    """For the status page and /tasks."""
    worker = Worker()
    errors(worker, range(100))
    last = worker.monitor.get_stats().tasks["dive"].last_error
    assert last is not None
    assert last.message.startswith("99 ")
    assert len(last.message) <= 200
