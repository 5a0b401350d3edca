"""Label values come from bounded sets."""

from bellbuoy.host.web import telemetry
from bellbuoy.host.web.telemetry import HttpMetrics
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout


def counted(instruments: Instruments, **labels: str) -> float:
    """Return the count of one series of requests."""
    return instruments.counter(telemetry.REQUESTS, **labels).value


def test_a_request_is_counted_by_method_route_and_status() -> None:
    """And its duration by method and route."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    metrics.answered("GET", "/users/{id}", 200, 0.02)
    metrics.answered("GET", "/users/{id}", 200, 0.02)
    assert counted(instruments, method="GET", route="/users/{id}", status="200") == 2
    cells = instruments.layout.cells(telemetry.DURATION)
    assert sum(instruments.cells[cells.start : cells.stop]) == 2 + 0.04


def test_an_unknown_method_is_counted_with_the_others() -> None:
    """Whatever a client invents."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    HttpMetrics(instruments).answered("PROPFIND", "none", 404, 0.0)
    assert counted(instruments, method="_OTHER", route="none", status="404") == 1


def test_a_declared_route_shows_before_its_first_request() -> None:
    """A rate over a series that is not there would be nothing instead of zero."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    HttpMetrics(instruments).declare("GET", "/")
    assert ("GET", "/", "200") in instruments.names(telemetry.REQUESTS).entries()
    assert ("GET", "/") in instruments.names(telemetry.DURATION).entries()


def test_routes_beyond_the_tables_are_counted_together() -> None:
    """The series of a service are bounded, however many routes it has."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    for number in range(1000):
        metrics.answered("GET", f"/{number}", 200, 0.0)
    for family in (telemetry.REQUESTS, telemetry.DURATION):
        table = instruments.names(family)
        assert len(table.entries()) == table.table.capacity + 1
    assert counted(instruments, method="other", route="other", status="other") > 0
