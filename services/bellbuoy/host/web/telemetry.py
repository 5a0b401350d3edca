"""What is counted about HTTP.

Law of this file: every label value comes from a bounded set. A path is counted by its route's
template, a method that nobody standardised as ``_OTHER`` (OpenTelemetry's word for it).
"""

from bellbuoy.instruments import Counter, Histogram, Instruments
from bellbuoy.metrics import NameTable, counter, gauge, histogram

NO_ROUTE = "none"
OTHER_METHOD = "_OTHER"
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
)

_ANSWERS = NameTable("http_answers", ("method", "route", "status"), 160)
_ROUTES = NameTable("http_routes", ("method", "route"), 32)

REQUESTS = counter("http_requests_total", "Requests that were answered.", names=_ANSWERS)
DURATION = histogram(
    "http_request_duration_seconds",
    "From a request's head to its answer, before it is written.",
    names=_ROUTES,
)
IN_FLIGHT = gauge("http_requests_in_flight", "Requests that are being handled.")
ABORTED = counter("http_requests_aborted_total", "Requests cut off before they were answered.")
EXCEPTIONS = counter("http_exceptions_total", "Requests that a bug of ours answered with 500.")

FAMILIES = (REQUESTS, DURATION, IN_FLIGHT, ABORTED, EXCEPTIONS)


class HttpMetrics:
    """The HTTP instruments of one worker.

    Attributes:
        in_flight: Requests being handled now.
        aborted: Requests that got no answer.
        exceptions: Requests answered with 500 because of a bug.
    """

    def __init__(self, instruments: Instruments) -> None:
        """Count into ``instruments``."""
        self._instruments = instruments
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.in_flight = instruments.gauge(IN_FLIGHT)
        self.aborted = instruments.counter(ABORTED)
        self.exceptions = instruments.counter(EXCEPTIONS)

    def declare(self, method: str, route: str) -> None:
        """Make the series of a route's success, so that a rate of zero can be seen."""
        self._series((method, route, 200))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        key = (method if method in METHODS else OTHER_METHOD, route, status)
        answers, durations = self._answers.get(key) or self._series(key)
        answers.inc()
        durations.observe(seconds)

    def malformed(self, status: int) -> None:
        """Count what was no request, and was answered."""
        labels = {"method": OTHER_METHOD, "route": NO_ROUTE, "status": str(status)}
        self._instruments.counter(REQUESTS, **labels).inc()

    def _series(self, key: tuple[str, str, int]) -> tuple[Counter, Histogram]:
        method, route, status = key
        labels = {"method": method, "route": route}
        series = self._answers[key] = (
            self._instruments.counter(REQUESTS, **labels, status=str(status)),
            self._instruments.histogram(DURATION, **labels),
        )
        return series
