"""Label values come from bounded sets."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bellbuoy.host.web import telemetry
from bellbuoy.host.web.telemetry import HttpMetrics
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout


async def answer(_: web.Request) -> web.Response:
    """Do nothing."""
    return web.Response()


def requests(method: str, template: str, path: str) -> web.Request:
    """Return a request as the router of an application with one route leaves it."""
    app = web.Application()
    app.router.add_route("GET", template, answer)
    request = make_mocked_request(method, path)
    match = asyncio.run(app.router.resolve(request))
    match.add_app(app)
    request._match_info = match
    return request


def counted(instruments: Instruments, **labels: str) -> float:
    """Return the count of one series of requests."""
    return instruments.counter(telemetry.REQUESTS, **labels).value


def test_a_request_is_counted_by_method_route_and_status() -> None:
    """And its duration by method and route."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    request = requests("GET", "/users/{id}", "/users/1")
    metrics.answered(request, 200, 0.02, 0, 100)
    metrics.answered(request, 200, 0.02, 0, 100)
    assert counted(instruments, method="GET", route="/users/{id}", status="200") == 2
    cells = instruments.layout.cells(telemetry.DURATION)
    assert sum(instruments.cells[cells.start : cells.stop]) == 2 + 0.04


def test_an_unknown_method_is_counted_with_the_others() -> None:
    """Whatever a client invents."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    HttpMetrics(instruments).answered(requests("PROPFIND", "/", "/x"), 404, 0.0, 0, 0)
    assert counted(instruments, method="_OTHER", route="none", status="404") == 1


def test_a_declared_route_shows_before_its_first_request() -> None:
    """A rate sees no increase in a series that is born with its first count.

    An outage that is shorter than a scrape's interval would cost nothing of the error budget.
    """
    instruments = Instruments(Layout(telemetry.FAMILIES))
    HttpMetrics(instruments).declare("GET", "/")
    answers = instruments.names(telemetry.REQUESTS).entries()
    assert {("GET", "/", status) for status in ("200", "500", "503")} <= set(answers)
    assert ("GET", "/") in instruments.names(telemetry.DURATION).entries()


def test_routes_beyond_the_tables_are_counted_together() -> None:
    """The series of a service are bounded, however many routes it has."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    for number in range(1000):
        metrics.declare("GET", f"/{number}")
    for family in (telemetry.REQUESTS, telemetry.DURATION, telemetry.RESPONSE_SIZE):
        table = instruments.names(family)
        assert len(table.entries()) == table.table.capacity + 1
    HttpMetrics(instruments).answered(requests("GET", "/2000", "/2000"), 200, 0.0, 0, 0)
    assert counted(instruments, method="other", route="other", status="other") == 1


def test_sizes_are_distributions_by_route() -> None:
    """The body that the head announces, and the one that is sent."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    request = requests("GET", "/users", "/users")
    HttpMetrics(instruments).answered(request, 200, 0.0, 300, 5000)
    for family, value in ((telemetry.REQUEST_SIZE, 300), (telemetry.RESPONSE_SIZE, 5000)):
        cells = instruments.layout.cells(family)
        assert sum(instruments.cells[cells.start : cells.stop]) == 1 + value


def test_what_finds_no_route_leaves_nothing_behind() -> None:
    """Aiohttp makes a route object for each of them."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    for number in range(100):
        metrics.answered(requests("GET", "/", f"/{number}"), 404, 0.0, 0, 0)
    assert counted(instruments, method="GET", route="none", status="404") == 100
    assert metrics._routes == {}


def test_bugs_are_counted_by_what_was_raised_and_bounded() -> None:
    """A class for each request would be a series for each."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    metrics.failed("/users", KeyError())
    for number in range(1000):
        metrics.failed("/", type(f"Error{number}", (Exception,), {})())
    table = instruments.names(telemetry.EXCEPTIONS)
    assert ("/users", "KeyError") in table.entries()
    assert len(table.entries()) == table.table.capacity + 1


def test_a_refusal_is_counted_by_its_reason() -> None:
    """One of a fixed set."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    metrics = HttpMetrics(instruments)
    for reason in telemetry.REASONS:
        metrics.rejected(reason)
        assert instruments.counter(telemetry.REJECTED, reason=reason).value == 1
