"""The blink: what was over before anybody could look.

Law of this file: it is computed from the last second alone, as its traces are counts.
"""

from bellbuoy.host.statuspage.finding import Finding
from bellbuoy.host.statuspage.interval import Interval

_ERRORS = "db_query_errors_total"


def blink(last: Interval) -> list[Finding]:
    """Return what was over before anybody could look: an outage between two snapshots.

    Args:
        last: From one snapshot to the next.
    """
    silent = last.gained(_ERRORS, sqlstate_class="none")
    refused = last.gained(_ERRORS, operation="connect")
    # A PostgreSQL that is full was not away; the shortage tells of it.
    full = last.gained(_ERRORS, operation="connect", sqlstate_class="53")
    if silent + refused <= full or not last.value("db_up") or not last.was("db_up"):
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
