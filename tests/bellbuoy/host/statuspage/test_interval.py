"""Intervals: rates and percentiles between two snapshots."""

import math

import pytest

from bellbuoy.database.measures import UP
from bellbuoy.host.families import ACTIVE, DEATHS
from bellbuoy.host.web.telemetry import DURATION, REQUESTS
from tests.bellbuoy.host.statuspage.stage import DATABASE, HTTP, Stage


def test_a_counter_grows_by_what_all_workers_counted() -> None:
    """In the interval, per second."""
    stage = Stage()
    stage.counts[0].counter(DEATHS, how="exit").inc(3)
    stage.counts[1].counter(DEATHS, how="signal").inc()
    interval = stage.interval(seconds=2.0)
    assert interval.gained(DEATHS.name) == 4
    assert interval.rate(DEATHS.name) == 2
    assert interval.rate(DEATHS.name, how="exit") == 1.5


def test_a_gauge_is_what_it_is_at_the_end() -> None:
    """Over all workers."""
    stage = Stage()
    stage.counts[0].gauge(ACTIVE).set(3)
    stage.counts[1].gauge(ACTIVE).set(4)
    assert stage.interval().value(ACTIVE.name) == 7


def test_a_series_that_is_new_has_all_its_count_from_the_interval() -> None:
    """A status that was never answered before."""
    stage = Stage(HTTP)
    stage.counts[0].counter(REQUESTS, method="GET", route="/", status="503").inc(2)
    assert list(stage.interval().gains(REQUESTS.name)) == [
        ({"method": "GET", "route": "/", "status": "503"}, 2.0)
    ]


def test_a_percentile_is_of_what_was_observed_in_the_interval() -> None:
    """Of all routes, or of one; of nothing there is none."""
    stage = Stage(HTTP)
    assert stage.interval().percentile(DURATION.name, 0.5) is None
    for route, seconds in (("/", 0.004), ("/users", 0.9)):
        stage.counts[0].histogram(DURATION, method="GET", route=route).observe(seconds)
    interval = stage.interval()
    assert interval.percentile(DURATION.name, 1.0) == pytest.approx(1.0)
    assert interval.percentile(DURATION.name, 1.0, route="/") == pytest.approx(0.005)


def test_what_a_service_has_not_got_reads_as_nothing() -> None:
    """One page serves every service."""
    interval = Stage().interval()
    assert not interval.has("db_up")
    assert not interval.knows("db_up")
    assert interval.value("db_up") == 0
    assert interval.gained("db_refused_total") == 0
    assert interval.percentile("db_query_duration_seconds", 0.5) is None


@pytest.mark.parametrize("up", [0.0, 1.0, math.nan])
def test_what_no_worker_knows_is_not_known(up: float) -> None:
    """The service has the family, and no number for it."""
    stage = Stage(DATABASE)
    for each in stage.counts:
        each.gauge(UP).set(up)
    interval = stage.interval()
    assert interval.has("db_up")
    assert interval.knows("db_up") is not math.isnan(up)
