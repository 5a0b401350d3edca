"""Growth is told from warming up."""

import pytest

from bench.api.memory import CONTAINER, GROWTH, Moment, judge, summary

KINDS = 3


def moments(*worker: float) -> list[Moment]:
    """Return a moment every ten seconds, with the worker's memory at each."""
    return [Moment(10.0 * number, mib, 100.0) for number, mib in enumerate(worker, start=1)]


def test_a_worker_that_warms_up_and_stays_is_flat() -> None:
    """What is taken in the first half is no growth."""
    found = summary(moments(40.0, 45.0, 50.0, 55.0, 58.0, *[60.0] * 7), KINDS)
    assert (found["worker RSS at the start, MiB"], found[GROWTH]) == (40.0, 0.0)
    assert found[CONTAINER] == 100.0


def test_an_arena_counts_once_wherever_it_is_taken() -> None:
    """Early or late in the second half, and not as a leak that goes on."""
    for before in range(KINDS, 7):
        warm = [60.0] * before + [60.8] * (9 - before)
        assert summary(moments(*[60.0] * 8, *warm), KINDS)[GROWTH] == 0.8


def test_one_moment_decides_nothing() -> None:
    """The first and the last one least of all."""
    assert summary(moments(*[60.0] * 6, 55.0, *[60.0] * 5, 65.0), KINDS)[GROWTH] == 0.0


def test_a_leak_is_no_arena() -> None:
    """Not even one of a megabyte in three minutes: it goes on through the second half."""
    found = summary(moments(*(60.0 + number / 18 for number in range(60))), KINDS)
    assert found[GROWTH] > 1.0
    assert [each["met"] for each in judge(found)] == [False, True]


def test_a_run_that_is_too_short_says_nothing() -> None:
    """Its first and last turns would be the same."""
    with pytest.raises(AssertionError, match="too short"):
        summary(moments(*[60.0] * 9), KINDS)


def test_every_target_is_met_or_missed_at_its_bound() -> None:
    """The bound itself is enough."""
    verdicts = judge({GROWTH: 1.0, CONTAINER: 150.01})
    assert [(each["what"], each["target"], each["met"]) for each in verdicts] == [
        (GROWTH, "<= 1", True),
        (CONTAINER, "<= 150", False),
    ]
