"""The scoreboard as Prometheus sees it, read back by Prometheus' own parsers."""

import os
import platform
from collections.abc import Callable

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

import bellbuoy
from bellbuoy.host.exposition import Exposition
from bellbuoy.lifecycle import State
from bellbuoy.metrics import counter, gauge, histogram
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings
from bellbuoy.snapshot import take

FLOATS = counter("buoys_total", "Buoys that were set.", labels={"colour": ("red", "green")})
ADRIFT = gauge("buoys_adrift", "Buoys that are not where they should be.")
DEPTH = histogram("buoy_depth_metres", "Depth under the buoys.", buckets=(1.0, 10.0, 100.0))

SETTINGS = HostSettings(revision="a1b2c3", loop="asyncio")

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def board() -> Scoreboard:
    """Two traffic workers and an admin process, which is us, with some numbers."""
    board = Scoreboard((FLOATS, ADRIFT, DEPTH), 5)
    board.supervisor = os.getpid()
    for slot, admin, state in zip(
        board.workers,
        (True, False, False),
        (State.READY, State.READY, State.DRAINING),
        strict=False,
    ):
        slot.take(admin=admin)
        slot.pid = os.getpid()
        slot.step(state)
        instruments = slot.instruments()
        instruments.counter(FLOATS, colour="red").inc(2)
        instruments.gauge(ADRIFT).set(1)
        for depth in (0.5, 5.0, 7.0, 1000.0):
            instruments.histogram(DEPTH).observe(depth)
        instruments.flush()
    return board


Families = dict[str, Metric]


def scrape(board: Scoreboard, accept: str = "") -> Families:
    """Render and parse; the content type must fit."""
    body, content_type = Exposition("lighthouse", SETTINGS, lambda: take(board)).render(accept)
    is_openmetrics = content_type.startswith("application/openmetrics-text")
    assert is_openmetrics == ("openmetrics" in accept)
    parse: Callable[[str], object] = parse_openmetrics if is_openmetrics else parse_text
    return {family.name: family for family in parse(body.decode())}  # type: ignore[attr-defined]  # either yields them


def values(family: Metric, name: str | None = None) -> dict[tuple[str, ...], float]:
    """Return the values of the samples called ``name``, by their label values."""
    return {
        tuple(sample.labels.values()): sample.value
        for sample in family.samples
        if name is None or sample.name == name
    }


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_every_kind_is_exported(board: Scoreboard, accept: str) -> None:
    """As text and as OpenMetrics: counters and histograms of all, gauges of those alive."""
    families = scrape(board, accept)
    floats = families["buoys"]
    assert floats.type == "counter"
    assert floats.documentation == "Buoys that were set."
    assert values(floats, "buoys_total") == {("red",): 6.0, ("green",): 0.0}
    # The admin process carries no traffic, so its gauge is not counted.
    assert values(families["buoys_adrift"]) == {(): 2.0}
    depth = families["buoy_depth_metres"]
    assert depth.type == "histogram"
    buckets = values(depth, "buoy_depth_metres_bucket")
    assert {float(edge): count for (edge,), count in buckets.items()} == {
        1.0: 3.0,
        10.0: 9.0,
        100.0: 9.0,
        float("inf"): 12.0,
    }
    assert values(depth, "buoy_depth_metres_count") == {(): 12.0}
    assert values(depth, "buoy_depth_metres_sum") == {(): 3 * 1012.5}


def test_it_says_what_runs(board: Scoreboard) -> None:
    """The service, its version, what it was built from, Python's version, and the loop's."""
    (sample,) = scrape(board)["bellbuoy_build_info"].samples
    assert sample.value == 1
    assert sample.labels["service"] == "lighthouse"
    assert sample.labels["version"] == bellbuoy.__version__
    assert sample.labels["revision"] == "a1b2c3"
    assert sample.labels["python_version"] == platform.python_version()
    assert values(scrape(board)["asyncio_loop_info"]) == {("asyncio", platform.python_version()): 1}


def test_it_says_whether_traffic_should_be_sent_here(board: Scoreboard) -> None:
    """As the probe does, and whether it was told to stop."""
    assert flags(board) == (1, 0)
    board.commands.withdrawn = True
    assert flags(board) == (0, 0)
    board.commands.withdrawn = False
    board.stopping = 1.0
    assert flags(board) == (0, 1)


def flags(board: Scoreboard) -> tuple[float, float]:
    """Return ``bellbuoy_ready`` and ``bellbuoy_shutting_down``."""
    families = scrape(board)
    ready, stopping = (
        values(families[f"bellbuoy_{name}"])[()] for name in ("ready", "shutting_down")
    )
    return ready, stopping


def test_it_counts_traffic_workers_by_state(board: Scoreboard) -> None:
    """Every state, so that a dashboard shows zeros and not gaps."""
    assert values(scrape(board)["bellbuoy_workers"]) == {
        ("starting",): 0,
        ("ready",): 1,
        ("draining",): 1,
        ("stopped",): 0,
    }


@pytest.mark.parametrize("scheme", ["underscores", "allow-utf-8", "dots", "values"])
@pytest.mark.parametrize("media", [OPENMETRICS, "text/plain; version=1.0.0"])
def test_the_escaping_it_names_is_the_one_it_used(
    board: Scoreboard, media: str, scheme: str
) -> None:
    """Names stand as they are, which is what two schemes want; who asks for others is told."""
    exposition = Exposition("lighthouse", SETTINGS, lambda: take(board))
    body, content_type = exposition.render(f"{media}; escaping={scheme}")
    kept = scheme if scheme in {"underscores", "allow-utf-8"} else "underscores"
    assert content_type.endswith(f"escaping={kept}")
    assert b'\nbuoys_total{colour="red"} 6.0\n' in body


def test_two_scrapes_tell_two_moments(board: Scoreboard) -> None:
    """What is remembered of the first is not told again."""
    exposition = Exposition("lighthouse", SETTINGS, lambda: take(board))
    before, _ = exposition.render("")
    assert b'\nbuoys_total{colour="red"} 6.0\n' in before
    instruments = board.workers[1].instruments()
    instruments.counter(FLOATS, colour="red").inc()
    instruments.flush()
    after, _ = exposition.render("")
    assert b'\nbuoys_total{colour="red"} 7.0\n' in after


def test_a_process_that_is_gone_does_not_spoil_the_scrape(board: Scoreboard) -> None:
    """It died a moment ago, or is not forked yet."""
    board.workers[1].pid = 2**22 + 1  # beyond the largest there can be
    board.workers[2].pid = 0
    families = scrape(board)
    assert ("admin",) in values(families["process_resident_memory_bytes"])
    assert ("worker-1",) not in values(families["process_resident_memory_bytes"])
    assert values(families["buoys"], "buoys_total") == {("red",): 6.0, ("green",): 0.0}
