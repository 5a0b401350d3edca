"""Charts: there are those whose numbers there are."""

import math

import pytest

from bellbuoy.host.families import ACTIVE, LIMIT
from bellbuoy.host.statuspage.charts import CHARTS, charts, limits, rounded, values
from bellbuoy.host.web.telemetry import REQUESTS
from bellbuoy.metrics import counter
from echo.families import FAMILIES as ECHO
from tests.bellbuoy.host.statuspage.stage import DATABASE, HTTP, Stage

OF_ALL = ["connections", "arrivals"]


@pytest.mark.parametrize(
    "families, expected",
    [
        ((), OF_ALL),
        ((counter("third_lines_total", "Lines."),), OF_ALL),
        (ECHO, ["messages", "bytes", *OF_ALL]),
        (
            (*HTTP, *DATABASE),
            ["requests", "latency", "in_flight", *OF_ALL, "pool", "statements", "turned_away"],
        ),
    ],
    ids=["bare", "third", "echo", "api"],
)
def test_a_service_has_the_charts_of_its_families(families: tuple, expected: list[str]) -> None:  # type: ignore[type-arg]  # of families
    """In the order of the page."""
    keys = [chart.key for chart in charts(Stage(families).interval())]
    assert [key for key in keys if key != "lag"] == expected


def test_answers_are_told_apart_by_their_class() -> None:
    """A second, the first digit of the status."""
    stage = Stage(HTTP)
    for status, count in (("200", 6), ("304", 2), ("404", 4), ("503", 10)):
        stage.counts[0].counter(REQUESTS, method="GET", route="/", status=status).inc(count)
    interval = stage.interval(seconds=2.0)
    assert values(charts(interval), interval)["requests"] == [4, 2, 5]


def test_a_chart_has_a_limit_where_there_is_one() -> None:
    """Connections, for instance."""
    stage = Stage()
    stage.counts[0].gauge(ACTIVE).set(3)
    stage.counts[0].gauge(LIMIT).set(100)
    interval = stage.interval()
    assert values(charts(interval), interval)["connections"] == [3]
    assert limits(charts(interval), interval)["connections"] == 100


def test_every_line_of_every_chart_can_be_read_from_nothing() -> None:
    """A service that has counted nothing yet has a page."""
    interval = Stage((*HTTP, *DATABASE, *ECHO)).interval()
    read = values(CHARTS, interval)
    assert {value for line in read.values() for value in line} <= {0.0, None}
    assert [len(read[chart.key]) for chart in CHARTS] == [len(chart.lines) for chart in CHARTS]


@pytest.mark.parametrize(
    "value, sent", [(None, None), (math.nan, None), (123456.0, 123500.0), (0.000123456, 0.0001235)]
)
def test_no_more_digits_are_sent_than_are_seen(value: float | None, sent: float | None) -> None:
    """And no NaN, which JSON has not got."""
    assert rounded(value) == sent
