"""The blink: what was over before anybody could look.

Law of this file: it is computed from the last second alone, as its traces are counts.
"""

from bellbuoy.host.statuspage.finding import Finding
from bellbuoy.host.statuspage.interval import Interval


def blink(last: Interval) -> list[Finding]:
    """Return what was over before anybody could look: an outage between two snapshots.

    Args:
        last: From one snapshot to the next.
    """
    failed = last.gained("db_query_errors_total", sqlstate_class="none") + last.gained(
        "db_query_errors_total", operation="connect"
    )
    if not failed or not last.value("db_up") or not last.was("db_up"):
        return []
    return [
        Finding(
            "blink",
            "warn",
            "PostgreSQL was away for a moment",
            "Some requests that needed it answered 503; they work again.",
            "PostgreSQL's log: was it restarted, did it crash, or did the network?",
        )
    ]
