"""A task record holds what runs and counts what ended; the rest is arithmetic."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.taskrecord import BUCKETS, LastError, TaskRecord, fold

SECOND = 1_000_000_000
ERROR = LastError("ValueError", "no", 1.0)

DURATIONS = st.integers(0, 2**62)


def test_a_new_record_has_seen_nothing() -> None:
    """Never is zero."""
    stats = TaskRecord("work").stats(0)
    assert (stats.name, stats.started, stats.running, stats.completed) == ("work", 0, 0, 0)
    assert (stats.last_start, stats.last_success, stats.last_error) == (0.0, 0.0, None)


def test_what_has_begun_runs_until_it_ends() -> None:
    """And is counted as started at once."""
    record = TaskRecord("work")
    record.begin("one", 5 * SECOND)
    assert (record.stats(0).started, record.stats(0).running) == (1, 1)
    record.succeed("one", 7 * SECOND)
    stats = record.stats(0)
    assert (stats.started, stats.running, stats.completed, stats.seconds) == (1, 0, 1, 2.0)


def test_each_other_end_has_its_own_count() -> None:
    """Only a failure leaves an error behind; a later cancellation does not hide it."""
    record = TaskRecord("work")
    for outcome, error in (("failed", ERROR), ("timed_out", ERROR), ("cancelled", None)):
        record.begin(outcome, 0)
        record.fail(outcome, outcome, SECOND, error)  # type: ignore[arg-type]  # all are outcomes
    stats = record.stats(0)
    assert (stats.failed, stats.timed_out, stats.cancelled) == (1, 1, 1)
    assert (stats.started, stats.completed, stats.last_error) == (3, 0, ERROR)


def test_times_are_shown_as_unix_time() -> None:
    """The offset turns the monotonic clock's nanoseconds into seconds since 1970."""
    record = TaskRecord("work")
    record.begin("one", 5 * SECOND)
    record.succeed("one", 6 * SECOND)
    record.begin("two", 8 * SECOND)
    stats = record.stats(1000 * SECOND)
    assert (stats.last_start, stats.last_success) == (1008.0, 1006.0)


def test_statistics_are_frozen() -> None:
    """What was asked for does not change behind the asker's back."""
    record = TaskRecord("work")
    stats = record.stats(0)
    record.begin("one", 0)
    assert stats.started == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.started = 1  # type: ignore[misc]  # that is the point


@given(st.lists(DURATIONS, max_size=20))
def test_every_duration_is_in_the_bucket_whose_edge_is_the_first_above(
    durations: list[int],
) -> None:
    """Whatever the duration, up to more than a century; longer than all edges is the last."""
    record = TaskRecord("work")
    expected = [0] * (len(BUCKETS) + 1)
    for duration in durations:
        record.begin(duration, 0)
        record.succeed(duration, duration)
        above = (place for place, edge in enumerate(BUCKETS) if duration < round(edge * 1e9))
        expected[next(above, len(BUCKETS))] += 1
    stats = record.stats(0)
    assert list(stats.buckets) == expected
    assert stats.seconds == sum(durations) / 1e9


def test_the_edges_are_powers_of_two_from_65_microseconds_to_a_minute() -> None:
    """That is what a bit length can tell apart."""
    assert BUCKETS[0] == 65536e-9
    assert BUCKETS[-1] == pytest.approx(68.7, abs=0.05)
    assert [late / early for early, late in itertools.pairwise(BUCKETS)] == [2.0] * 20


def test_folding_keeps_every_count() -> None:
    """Those up to the first edge become one, and so do those beyond the last."""
    counts = list(range(65))
    assert fold(counts)[0] == sum(range(17))
    assert fold(counts)[1:21] == tuple(range(17, 37))
    assert sum(fold(counts)) == sum(counts)
    assert len(fold(counts)) == len(BUCKETS) + 1
