"""What the tests of AsyncMonitor share: a monitor, its counts, and work that is driven by hand."""

import types
from collections.abc import Generator
from typing import Any

import pytest

from bellbuoy.monitor import AsyncMonitor
from bellbuoy.taskrecord import TaskStats

OUTCOMES = ("running", "completed", "failed", "cancelled", "timed_out")


@types.coroutine
def pause() -> Generator[None, Any, Any]:
    """Wait until whoever drives the coroutine sends or throws something."""
    return (yield)


def counts(stats: TaskStats) -> tuple[int, ...]:
    """Return how many of what has started run, and how the others ended."""
    assert stats.started == sum(getattr(stats, outcome) for outcome in OUTCOMES)
    assert sum(stats.buckets) == stats.started - stats.running
    return tuple(getattr(stats, outcome) for outcome in OUTCOMES)


@pytest.fixture
def monitor() -> AsyncMonitor:
    """Return a monitor that knows no names."""
    return AsyncMonitor()


def of(monitor: AsyncMonitor, name: str = "work") -> dict[str, int]:
    """Return the counts of one name that are not zero."""
    found = zip(OUTCOMES, counts(monitor.get_stats().tasks[name]), strict=True)
    return {outcome: count for outcome, count in found if count}
