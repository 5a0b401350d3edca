"""Overload is judged at each level above the capacity, against the best of all levels."""

from dataclasses import replace

from bench.overload.verdicts import CPU_BOUND, DATABASE_BOUND, Row, judge

CALM = Row(1, 100, 100, 0, 100.0, 1.0, 2.0, 0.0, None, None, 0, 0.5, 50.0)


def test_every_target_is_met_or_missed_at_its_bound() -> None:
    """Load is not sent, goodput falls, a refusal takes long, it does not recover, memory grows."""
    fair = replace(CALM, times=2, due=200, sent=198, goodput=90.0, refusal_p99_ms=10.0)
    fair = replace(fair, recovery_s=5.0, memory_mib=66)
    bad = replace(CALM, times=5, due=500, sent=494, goodput=89.0, refusal_p99_ms=11.0)
    bad = replace(bad, recovery_s=5.1, memory_mib=67)
    verdicts = judge([CALM, fair, bad], DATABASE_BOUND)
    assert [(each["times"], each["met"]) for each in verdicts] == [(2, True), (5, False)] * 5
    assert [each["figure"] for each in verdicts[:3:2]] == [0.99, 0.9]


def test_what_refuses_nobody_must_be_given_what_it_can_do() -> None:
    """More cannot be sent: the rest finds no connection free."""
    busy = replace(CALM, times=2, due=200, sent=90, unsent=110)
    idle = replace(CALM, times=5, due=500, sent=89, unsent=411)
    verdicts = judge([CALM, busy, idle], CPU_BOUND)
    assert [each["met"] for each in verdicts if "sent" in str(each["what"])] == [True, False]


def test_what_was_not_measured_is_not_met() -> None:
    """Above the capacity somebody must be refused, and somebody served."""
    dead = replace(CALM, times=2, p99_ms=None)
    verdicts = judge([CALM, dead], (*DATABASE_BOUND, *CPU_BOUND))
    missed = [each for each in verdicts if not each["met"]]
    assert [(each["what"], each["figure"]) for each in missed] == [
        ("refusals, p99 ms", None),
        ("served, p99 ms", None),
    ]
