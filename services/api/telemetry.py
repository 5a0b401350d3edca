"""What the api counts about HTTP.

Law of this file: every label value comes from a bounded set. A path is counted by its route's
template, a method that nobody standardised as ``_OTHER`` (OpenTelemetry's word for it).
"""

from bellbuoy.instruments import Counter, Instruments
from bellbuoy.metrics import NameTable, counter, gauge, histogram

ROUTES = ("/", "/{name}", "/health", "/version", "/users", "/users/{id}", "none")
"""The templates; ``none`` is a request that no route takes."""

NO_ROUTE = "none"
OTHER_METHOD = "_OTHER"
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
)

_ANSWERS = NameTable("http_answers", ("method", "route", "status"), 128)

REQUESTS = counter("http_requests_total", "Requests that were answered.", names=_ANSWERS)
DURATION = histogram(
    "http_request_duration_seconds",
    "From a request's head to its answer, before it is written.",
    labels={"route": ROUTES},
)
IN_FLIGHT = gauge("http_requests_in_flight", "Requests that are being handled.")
ABORTED = counter("http_requests_aborted_total", "Requests cut off before they were answered.")
EXCEPTIONS = counter("http_exceptions_total", "Requests that a bug of ours answered with 500.")

FAMILIES = (REQUESTS, DURATION, IN_FLIGHT, ABORTED, EXCEPTIONS)


class HttpMetrics:
    """The instruments of one worker.

    Attributes:
        in_flight: Requests being handled now.
        aborted: Requests that got no answer.
        exceptions: Requests answered with 500 because of a bug.
    """

    def __init__(self, instruments: Instruments) -> None:
        """Count into ``instruments``."""
        self._instruments = instruments
        self._answers: dict[tuple[str, str, int], Counter] = {}
        self._durations = {route: instruments.histogram(DURATION, route=route) for route in ROUTES}
        self.in_flight = instruments.gauge(IN_FLIGHT)
        self.aborted = instruments.counter(ABORTED)
        self.exceptions = instruments.counter(EXCEPTIONS)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        key = (method, route, status)
        answers = self._answers.get(key) or self._declare(key)
        answers.inc()
        self._durations[route].observe(seconds)

    def malformed(self, status: int) -> None:
        """Count what was no request, and was answered."""
        key = (OTHER_METHOD, NO_ROUTE, status)
        (self._answers.get(key) or self._declare(key)).inc()

    def _declare(self, key: tuple[str, str, int]) -> Counter:
        method, route, status = key
        if method not in METHODS:
            method = OTHER_METHOD
        answers = self._instruments.counter(
            REQUESTS, method=method, route=route, status=str(status)
        )
        # Keyed by the method as it came, which the parser bounds to its own list.
        self._answers[key] = answers
        return answers
