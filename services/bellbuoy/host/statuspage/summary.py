"""The summary: what there is to say when nothing is wrong."""

from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.lifecycle import State


def calm(interval: Interval) -> str:
    """Return in a sentence what is well, for when nothing is wrong."""
    ready = sum(process.state is State.READY for process in interval.after.traffic)
    text = f"{count(ready, 'worker')} {'is' if ready == 1 else 'are'} ready"
    return f"{text}, PostgreSQL answers." if interval.value("db_up") else f"{text}."


def load(interval: Interval) -> str:
    """Return in a sentence how much is going on."""
    if interval.has("http_requests_total"):
        p99 = interval.percentile("http_request_duration_seconds", 0.99)
        text = f"{interval.rate('http_requests_total'):,.0f} requests a second"
        return f"{text}, 99 % of them answered within {p99 * 1000:,.0f} ms." if p99 else f"{text}."
    if interval.has("echo_messages_total"):
        return f"{interval.rate('echo_messages_total'):,.0f} messages a second."
    return f"{count(int(interval.value('bellbuoy_connections_active')), 'connection')} open."


def count(number: int, noun: str) -> str:
    """Return a number and what it counts."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def figure(rate: float) -> str:
    """Return a rate as the number of a sentence."""
    return f"{rate:,.0f}" if rate >= 1 else "Fewer than 1"
