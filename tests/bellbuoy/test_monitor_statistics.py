"""What AsyncMonitor tells beside counts: errors and times, in a snapshot that cannot change."""

import asyncio
import dataclasses
import time

import pytest

from bellbuoy.monitor import AsyncMonitor
from tests.bellbuoy.monitoring import monitor, of, pause

__all__ = ["monitor"]


def test_the_newest_failure_is_shown(monitor: AsyncMonitor) -> None:
    """Its type and the first 200 characters of its message; a time-out is a failure."""
    for error in (ValueError("first"), TimeoutError("x" * 300)):
        with pytest.raises(type(error)), monitor.span("work"):
            raise error
    with pytest.raises(asyncio.CancelledError), monitor.span("work"):
        raise asyncio.CancelledError
    shown = monitor.get_stats().tasks["work"].last_error
    assert shown is not None
    assert (shown.type, shown.message) == ("TimeoutError", "x" * 200)


def test_an_exception_that_cannot_be_shown_is_counted_all_the_same(monitor: AsyncMonitor) -> None:
    """And it, not the failure to show it, reaches the caller."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(Mute), monitor.span("work"):
        raise Mute
    shown = monitor.get_stats().tasks["work"].last_error
    assert shown is not None
    assert (shown.type, shown.message) == ("Mute", "unprintable: RuntimeError")
    assert of(monitor) == {"failed": 1}


def test_whatever_is_shown_can_be_encoded(monitor: AsyncMonitor) -> None:
    """File names in messages and names may hold surrogates, which JSON cannot."""
    with pytest.raises(FileNotFoundError), monitor.span("read \udcff"):
        raise FileNotFoundError("no file \udcff")
    monitor.span("read \udcff")
    (stats,) = monitor.get_stats().tasks.values()
    assert stats.last_error is not None
    assert (stats.name, stats.last_error.message) == ("read ?", "no file ?")


def test_the_times_of_a_decorated_call_are_kept(monitor: AsyncMonitor) -> None:
    """From just before it to just after it, however long it lasts."""
    work = monitor.track_task("work")(pause)()
    times = [time.time()]
    work.send(None)
    times.append(time.time())
    before = monitor.get_stats().tasks["work"]
    with pytest.raises(StopIteration):
        work.send(None)
    times.append(time.time())
    after = monitor.get_stats().tasks["work"]
    assert (before.last_success, before.seconds) == (0.0, 0.0)
    assert times[0] - 1 <= before.last_start <= times[1] + 1
    assert after.last_start == pytest.approx(before.last_start, abs=1)
    assert after.last_start <= after.last_success <= times[2] + 1
    assert after.seconds == pytest.approx(after.last_success - after.last_start, abs=1e-6)
    assert after.seconds > 0


def test_durations_and_times_are_kept(monitor: AsyncMonitor) -> None:
    """Starts and successes in Unix time, failures do not count as success."""
    with pytest.raises(ValueError, match="no"), monitor.span("work"):
        raise ValueError("no")
    assert monitor.get_stats().tasks["work"].last_success == 0.0
    with monitor.span("work"):
        pass
    stats = monitor.get_stats().tasks["work"]
    assert stats.last_error is not None
    assert 0 <= stats.seconds < 60
    assert stats.last_start <= stats.last_success < stats.last_start + 60
    assert abs(stats.last_start - stats.last_error.at) < 60


def test_statistics_are_a_frozen_snapshot(monitor: AsyncMonitor) -> None:
    """Nobody can write into them, and they do not change."""
    monitor.span("work")
    stats = monitor.get_stats()
    with monitor.span("work"), monitor.span("new"):
        assert list(stats.tasks) == ["work"]
        assert stats.tasks["work"].started == 0
    with pytest.raises(TypeError, match="does not support item assignment"):
        stats.tasks["work"] = stats.tasks["work"]  # type: ignore[index]  # that is the point
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.dropped_names = 1  # type: ignore[misc]  # that is the point
