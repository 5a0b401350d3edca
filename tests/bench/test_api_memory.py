"""Growth is told from warming up."""

from bench.api.memory import CONTAINER, GROWTH, Moment, judge, summary


def test_a_worker_that_warms_up_and_stays_is_flat() -> None:
    """What is taken in the first half is no growth."""
    warming = [Moment(at, 40.0 + at / 2.5, 90.0) for at in range(0, 50, 10)]
    moments = [*warming, *(Moment(at, 60.0, 100.0) for at in range(50, 101, 10))]
    found = summary(moments)
    assert (found["worker RSS at the start, MiB"], found[GROWTH]) == (40.0, 0.0)
    assert found[CONTAINER] == 100.0


def test_a_leak_is_shown_as_what_ten_minutes_would_add() -> None:
    """Whatever the length of the run."""
    moments = [Moment(at, 60.0 + at * 0.01, 100.0 + at) for at in range(0, 101, 10)]
    found = summary(moments)
    assert (found[GROWTH], found[CONTAINER]) == (6.0, 200.0)


def test_every_target_is_met_or_missed_at_its_bound() -> None:
    """The bound itself is enough."""
    verdicts = judge({GROWTH: 1.0, CONTAINER: 150.01})
    assert [(each["what"], each["target"], each["met"]) for each in verdicts] == [
        (GROWTH, "<= 1", True),
        (CONTAINER, "<= 150", False),
    ]
