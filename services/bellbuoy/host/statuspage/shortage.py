"""The shortage: PostgreSQL answers, and statements get no connection to it.

Law of this file: it is computed from an interval and nothing else.
"""

from collections.abc import Iterator

from bellbuoy.host.statuspage.finding import Finding
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.summary import figure


def shortage(interval: Interval) -> Iterator[Finding]:
    """Yield who has no connections left: PostgreSQL, or our pool of them."""
    if interval.gained("db_query_errors_total", operation="connect", sqlstate_class="53"):
        yield Finding(
            "database-full",
            "bad",
            "PostgreSQL is full: it refuses new connections",
            "Requests that get none answer 503; those that get one are served.",
            "Raise max_connections of PostgreSQL, or run with fewer workers, replicas or "
            "BUOY_DB_POOL_SIZE: `bellbuoy budget` counts what they need. pg_stat_activity tells "
            "who else is connected.",
        )
    rate = interval.rate("db_pool_acquire_timeouts_total")
    if rate and interval.value("db_up"):
        yield Finding(
            "pool",
            "bad",
            "The database pool is exhausted",
            f"{figure(rate)} statements a second get no connection: their requests answer 503 "
            "after a second.",
            "Slow statements (below), or BUOY_DB_POOL_SIZE.",
        )
