"""The silence: statements and transactions are under way, and none of them ends.

Law of this file: it is computed from the last second alone. That an outage is one is known only
after a statement's time, five seconds; that nothing ends is seen at once.
"""

from bellbuoy import timeouts
from bellbuoy.host.statuspage.finding import Finding
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.summary import count
from bellbuoy.lifecycle import State

STILL = 0.5
"""Seconds without a turn of the loop after which a worker's numbers say nothing of PostgreSQL."""


def silence(last: Interval) -> list[Finding]:
    """Return that nothing ended, well or not, though connections were in use all the time.

    Args:
        last: From one snapshot to the next.
    """
    used = min(last.was("db_pool_connections", state="used"), _used(last))
    if not used or not last.value("db_up") or _stands_still(last):
        return []
    if last.percentile("db_query_duration_seconds", 0.5) is not None:
        return []  # one has ended
    return [
        Finding(
            "silence",
            "bad" if _used(last) >= last.value("db_pool_connections_max") else "warn",
            "Statements wait: none has ended for a second",
            f"{_in_use(int(_used(last)))}. Requests that need the database wait, too; "
            f"after {timeouts.COMMAND:.0f} s they answer 503.",
            "Is PostgreSQL stopped, out of memory or cut off? If not, pg_stat_activity tells what "
            "a statement waits for: a lock, or itself.",
            last.seconds,
        )
    ]


def _used(last: Interval) -> float:
    return last.value("db_pool_connections", state="used")


def _in_use(connections: int) -> str:
    return f"{count(connections, 'connection')} {'is' if connections == 1 else 'are'} in use"


def _stands_still(last: Interval) -> bool:
    ready = [process for process in last.after.traffic if process.state is State.READY]
    return any(max(process.beat_age, process.lag) > STILL for process in ready)
