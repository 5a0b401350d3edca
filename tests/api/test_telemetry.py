"""Label values come from bounded sets."""

from api import telemetry
from api.telemetry import HttpMetrics
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout


def counted(instruments: Instruments, **labels: str) -> float:
    """Return the count of one series of requests."""
    return instruments.counter(telemetry.REQUESTS, **labels).value


def test_a_request_is_counted_by_method_route_and_status() -> None:
    """And its duration by route alone."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    metrics.answered("GET", "/users/{id}", 200, 0.02)
    metrics.answered("GET", "/users/{id}", 200, 0.02)
    assert counted(instruments, method="GET", route="/users/{id}", status="200") == 2
    start = instruments.layout.starts["http_request_duration_seconds"]
    assert sum(instruments.cells[start : start + telemetry.DURATION.cells]) == 2 + 0.04


def test_an_unknown_method_is_counted_with_the_others() -> None:
    """Whatever a client invents."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    HttpMetrics(instruments).answered("PROPFIND", "none", 404, 0.0)
    assert counted(instruments, method="_OTHER", route="none", status="404") == 1


def test_the_series_are_few() -> None:
    """At most what the scoreboard's budget gives a service."""
    assert sum(family.cells for family in telemetry.FAMILIES) < 300
