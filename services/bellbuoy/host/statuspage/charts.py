"""The charts: what each shows, declared as data.

Law of this file: a chart names the family it stands on, and is there when that family is. Its
numbers come from an interval and are in base units: seconds, bytes, a second.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bellbuoy.host.statuspage.interval import Interval

Unit = Literal["count", "rate", "seconds", "byterate"]
Read = Callable[[Interval], float | None]

DIGITS = 4
"""Significant digits of what is sent: more than a chart of 100 pixels can show."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        label: Its name, one or two words.
        read: Returns its value; ``None`` where there is none.
        tone: The role of its colour in the page's style.
    """

    label: str
    read: Read = field(repr=False)
    tone: str = "a"


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        key: Its name in the feed.
        title: What it shows.
        unit: Of all its values.
        family: The metric family without which it is not there.
        lines: The first is the one whose value is written large.
        limit: What the first line cannot exceed, if there is such a thing.
    """

    key: str
    title: str
    unit: Unit
    family: str
    lines: tuple[Line, ...]
    limit: Read | None = field(default=None, repr=False)


def charts(interval: Interval) -> tuple[Chart, ...]:
    """Return the charts of the service that an interval is of."""
    return tuple(chart for chart in CHARTS if interval.has(chart.family))


def values(shown: Sequence[Chart], interval: Interval) -> dict[str, list[float | None]]:
    """Return the value of each line of each chart."""
    return {chart.key: [rounded(line.read(interval)) for line in chart.lines] for chart in shown}


def limits(shown: Sequence[Chart], interval: Interval) -> dict[str, float | None]:
    """Return the limit of each chart that has one."""
    return {chart.key: rounded(chart.limit(interval)) for chart in shown if chart.limit}


def rounded(value: float | None) -> float | None:
    """Return a value with as many digits as can be seen; what is no number is ``None``."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")


def _gauge(name: str, **labels: str) -> Read:
    return lambda interval: interval.value(name, **labels)


def _rate(*names: str, **labels: str) -> Read:
    return lambda interval: sum(interval.rate(name, **labels) for name in names)


def _percentile(name: str, share: float) -> Read:
    return lambda interval: interval.percentile(name, share)


def _answers(*classes: str) -> Read:
    def read(interval: Interval) -> float:
        gains = interval.gains("http_requests_total")
        return sum(n for labels, n in gains if labels["status"][:1] in classes) / interval.seconds

    return read


def _distribution(name: str) -> tuple[Line, ...]:
    shares = {"p99": (0.99, "a"), "p90": (0.9, "b"), "p50": (0.5, "c")}
    return tuple(
        Line(label, _percentile(name, share), tone) for label, (share, tone) in shares.items()
    )


CHARTS = (
    Chart(
        "requests",
        "Requests",
        "rate",
        "http_requests_total",
        (
            Line("answered", _answers("1", "2", "3")),
            Line("4xx", _answers("4"), "warn"),
            Line("5xx", _answers("5"), "bad"),
        ),
    ),
    Chart(
        "latency",
        "Latency of requests",
        "seconds",
        "http_request_duration_seconds",
        _distribution("http_request_duration_seconds"),
    ),
    Chart(
        "in_flight",
        "Requests in flight",
        "count",
        "http_requests_in_flight",
        (
            Line("in flight", _gauge("http_requests_in_flight")),
            Line("waiting", _gauge("http_concurrency_waiting"), "warn"),
            Line("limit", _gauge("http_concurrency_limit"), "c"),
        ),
    ),
    Chart(
        "messages",
        "Messages",
        "rate",
        "echo_messages_total",
        (Line("messages", _rate("echo_messages_total")),),
    ),
    Chart(
        "bytes",
        "Bytes",
        "byterate",
        "echo_received_bytes_total",
        (
            Line("received", _rate("echo_received_bytes_total")),
            Line("sent", _rate("echo_sent_bytes_total"), "b"),
        ),
    ),
    Chart(
        "connections",
        "Connections",
        "count",
        "bellbuoy_connections_active",
        (Line("open", _gauge("bellbuoy_connections_active")),),
        _gauge("bellbuoy_connections_limit"),
    ),
    Chart(
        "arrivals",
        "Arrivals",
        "rate",
        "bellbuoy_connections_accepted_total",
        (
            Line("accepted", _rate("bellbuoy_connections_accepted_total")),
            Line("refused", _rate("bellbuoy_connections_rejected_total"), "bad"),
        ),
    ),
    Chart(
        "lag",
        "Event-loop lag",
        "seconds",
        "asyncio_loop_lag_seconds",
        _distribution("asyncio_loop_lag_seconds"),
    ),
    Chart(
        "pool",
        "Database connections",
        "count",
        "db_pool_connections",
        (
            Line("used", _gauge("db_pool_connections", state="used")),
            Line("idle", _gauge("db_pool_connections", state="idle"), "c"),
            Line("waiting", _gauge("db_pool_pending_acquires"), "warn"),
        ),
        _gauge("db_pool_connections_max"),
    ),
    Chart(
        "statements",
        "Latency of statements",
        "seconds",
        "db_query_duration_seconds",
        _distribution("db_query_duration_seconds"),
    ),
    Chart(
        "turned_away",
        "Statements refused",
        "rate",
        "db_refused_total",
        (
            Line("outage", _rate("db_refused_total"), "bad"),
            Line("no connection", _rate("db_pool_acquire_timeouts_total"), "warn"),
        ),
    ),
)
"""In the order of the page."""
