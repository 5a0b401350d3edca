"""The refusals: what was turned away and why, in the words of who has to understand it.

Law of this file: every reason that a family declares has its words here, in one table; a test
compares the two. The names are written out, as the page knows the database by its numbers alone.
"""

from dataclasses import dataclass

from bellbuoy.host.statuspage.interval import Interval

WORDS = {
    ("bellbuoy_connections_rejected_total", "limit"): "connections: as many are open as may be",
    ("bellbuoy_connections_rejected_total", "peer_limit"): "connections: one client holds too many",
    ("bellbuoy_connections_rejected_total", "proxy"): (
        "connections: the proxy did not say whose they are"
    ),
    ("bellbuoy_connections_rejected_total", "tls"): "connections: no TLS came about",
    ("bellbuoy_connections_rejected_total", "reset"): "connections: gone before they were served",
    ("http_requests_rejected_total", "full"): "requests: too many at the same time",
    ("http_requests_rejected_total", "late"): "requests: no turn in time",
    ("http_requests_rejected_total", "rate"): "requests: one client asks too often",
    ("http_requests_rejected_total", "silent"): "connections: the client said nothing",
    ("http_requests_rejected_total", "header"): "requests: the client was too slow with the head",
    ("http_requests_rejected_total", "body"): "requests: the client was too slow with the body",
    ("http_requests_rejected_total", "write"): "requests: the client was too slow to read",
    ("db_refused_total", ""): "statements: PostgreSQL does not answer",
    ("db_pool_acquire_timeouts_total", ""): "statements: no database connection was free",
}
"""By family and reason, which some have not. In the order of the page."""


@dataclass(frozen=True)
class Refusal:
    """Something that is turned away, and why.

    Args:
        what: In words.
        total: How often since the start.
        rate: How often a second, in the interval.
    """

    what: str
    total: float
    rate: float


def refusals(interval: Interval) -> list[Refusal]:
    """Return what was refused since the start, by reason."""
    found = []
    for (family, reason), words in WORDS.items():
        labels = {"reason": reason} if reason else {}
        if total := interval.value(family, **labels):
            found.append(Refusal(words, total, interval.rate(family, **labels)))
    return found
