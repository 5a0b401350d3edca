"""Concurrency: what a limiter holds, for who looks at the service."""

from bellbuoy.host.web.telemetry import (
    CONCURRENCY_IN_USE,
    CONCURRENCY_LIMIT,
    CONCURRENCY_WAITING,
)
from bellbuoy.instruments import Instruments
from bellbuoy.limiter import ConcurrencyLimiter


def measure(limiter: ConcurrencyLimiter, instruments: Instruments) -> None:
    """Show what a limiter holds, before each flush."""
    limit = instruments.gauge(CONCURRENCY_LIMIT)
    in_use = instruments.gauge(CONCURRENCY_IN_USE)
    waiting = instruments.gauge(CONCURRENCY_WAITING)

    def show() -> None:
        held = limiter.statistics()
        limit.set(held.limit)
        in_use.set(held.in_use)
        waiting.set(held.waiting)

    instruments.before_flush(show)
