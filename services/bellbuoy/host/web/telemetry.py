"""What is counted about HTTP.

Law of this file: every label value comes from a bounded set. A path is counted by its route's
template, a method that nobody standardised as ``_OTHER`` (OpenTelemetry's word for it).
"""

from array import array
from bisect import bisect_left

from aiohttp import web
from aiohttp.web_urldispatcher import AbstractRoute

from bellbuoy.instruments import Instruments
from bellbuoy.metrics import SECONDS, NameTable, counter, gauge, histogram

NO_ROUTE = "none"
OTHER_METHOD = "_OTHER"
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
)
BYTES = (0.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0)
"""Edges of sizes; most requests have no body at all."""

REASONS = ("full", "late", "rate", "silent", "header", "body", "write")
"""Why a request or its connection was refused: a limiter was full or had no turn in time, or the
client came too often or took too long to say anything, to send its head or its body, or to read."""

FORESEEN = (200, 500, 503)
"""Statuses whose series a route has from the start: no rate sees the count one is born with."""

# The api's 31 routes take 93; the rest is for the other statuses, and for what finds no route.
_ANSWERS = NameTable("http_answers", ("method", "route", "status"), 224)
# Twice as many as the api has; what is exported is what was named.
_ROUTES = NameTable("http_routes", ("method", "route"), 64)
_SIZES = NameTable("http_sizes", ("route",), 16)
_BUGS = NameTable("http_bugs", ("route", "exception"), 32)

REQUESTS = counter("http_requests_total", "Requests that were answered.", names=_ANSWERS)
DURATION = histogram(
    "http_request_duration_seconds",
    "From a request's head to its answer, before it is written.",
    names=_ROUTES,
)
REQUEST_SIZE = histogram(
    "http_request_size_bytes", "Body of a request, as its head announces it.", BYTES, names=_SIZES
)
RESPONSE_SIZE = histogram("http_response_size_bytes", "Body of an answer.", BYTES, names=_SIZES)
IN_FLIGHT = gauge("http_requests_in_flight", "Requests that are being handled.")
ABORTED = counter("http_requests_aborted_total", "Requests cut off before they were answered.")
REJECTED = counter(
    "http_requests_rejected_total",
    "Requests and connections refused for a limit or a deadline.",
    {"reason": REASONS},
)
EXCEPTIONS = counter(
    "http_exceptions_total", "Requests that a bug of ours answered with 500.", names=_BUGS
)
CONCURRENCY_LIMIT = gauge("http_concurrency_limit", "Limited requests that may be in progress.")
CONCURRENCY_IN_USE = gauge("http_concurrency_in_use", "Limited requests that are in progress.")
CONCURRENCY_WAITING = gauge("http_concurrency_waiting", "Limited requests waiting for a turn.")

FAMILIES = (
    REQUESTS,
    DURATION,
    REQUEST_SIZE,
    RESPONSE_SIZE,
    IN_FLIGHT,
    ABORTED,
    REJECTED,
    EXCEPTIONS,
    CONCURRENCY_LIMIT,
    CONCURRENCY_IN_USE,
    CONCURRENCY_WAITING,
)


class Series:
    """What is counted about the answers of one method, route and status: four cells in one go."""

    __slots__ = ("_answers", "_cells", "_duration", "_received", "_sent")

    def __init__(self, instruments: Instruments, method: str, route: str, status: int) -> None:
        """Find the cells."""
        labels = {"method": method, "route": route}
        self._cells: array[float] = instruments.cells
        self._answers = instruments.cell(REQUESTS, {**labels, "status": str(status)})
        self._duration = instruments.cell(DURATION, labels)
        self._received = instruments.cell(REQUEST_SIZE, {"route": route})
        self._sent = instruments.cell(RESPONSE_SIZE, {"route": route})

    def count(self, seconds: float, received: int, sent: int) -> None:
        """Count one answer; a histogram's sum stands behind its buckets."""
        cells = self._cells
        cells[self._answers] += 1.0
        cells[self._duration + bisect_left(SECONDS, seconds)] += 1.0
        cells[self._duration + len(SECONDS) + 1] += seconds
        cells[self._sent + bisect_left(BYTES, sent)] += 1.0
        cells[self._sent + len(BYTES) + 1] += sent
        if received:
            cells[self._received + bisect_left(BYTES, received)] += 1.0
            cells[self._received + len(BYTES) + 1] += received
        else:
            cells[self._received] += 1.0


class HttpMetrics:
    """The HTTP instruments of one worker.

    Attributes:
        in_flight: Requests being handled now.
        aborted: Requests that got no answer.
    """

    def __init__(self, instruments: Instruments) -> None:
        """Count into ``instruments``."""
        self._instruments = instruments
        self._answers: dict[tuple[str, str, int], Series] = {}
        # A route stands for its method and its template: the short way for most requests.
        self._routes: dict[tuple[AbstractRoute, int], Series] = {}
        self.in_flight = instruments.gauge(IN_FLIGHT)
        self.aborted = instruments.counter(ABORTED)
        self._rejected = {
            reason: instruments.counter(REJECTED, reason=reason) for reason in REASONS
        }

    def declare(self, method: str, route: str) -> None:
        """Make the series of a route's success and failures, so that a rate sees the first."""
        for status in FORESEEN:
            self._series((method, route, status))

    def answered(
        self, request: web.Request, status: int, seconds: float, received: int, sent: int
    ) -> None:
        """Count an answered request: how long it took, the bytes of both bodies."""
        route = request.match_info._route  # noqa: SLF001 - each property costs as much as a cell
        series = self._routes.get((route, status)) or self._find(request, route, status)
        series.count(seconds, received, sent)

    def malformed(self, status: int) -> None:
        """Count what was no request, and was answered."""
        labels = {"method": OTHER_METHOD, "route": NO_ROUTE, "status": str(status)}
        self._instruments.counter(REQUESTS, **labels).inc()

    def rejected(self, reason: str) -> None:
        """Count a refusal, by one of the reasons."""
        self._rejected[reason].inc()

    def failed(self, route: str, error: BaseException) -> None:
        """Count a bug, by the class of what was raised."""
        labels = {"route": route, "exception": type(error).__name__[:60]}
        self._instruments.counter(EXCEPTIONS, **labels).inc()

    def _find(self, request: web.Request, route: AbstractRoute, status: int) -> Series:
        method = request.method if request.method in METHODS else OTHER_METHOD
        key = (method, template(request), status)
        series = self._answers.get(key) or self._series(key)
        # aiohttp makes a route for each request that it finds none for.
        if route.resource is not None and route.method == method:
            self._routes[(route, status)] = series
        return series

    def _series(self, key: tuple[str, str, int]) -> Series:
        method, route, status = key
        series = self._answers[key] = Series(self._instruments, method, route, status)
        return series


def template(request: web.Request) -> str:
    """Return the template of the route that took the request."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else NO_ROUTE
