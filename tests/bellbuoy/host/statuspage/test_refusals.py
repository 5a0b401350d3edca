"""Refusals: every reason has its words, and is shown once it happened."""

from bellbuoy.database.measures import ACQUIRE_TIMEOUTS, REFUSED
from bellbuoy.host.families import REJECTED
from bellbuoy.host.statuspage.refusals import WORDS, refusals
from bellbuoy.host.web.telemetry import REJECTED as REQUESTS_REJECTED
from tests.bellbuoy.host.statuspage.stage import DATABASE, HTTP, Stage


def test_every_reason_that_is_declared_has_words_of_its_own() -> None:
    """And no others have: a reason that is gone takes its words with it."""
    declared = {
        (family.name, reason)
        for family in (REJECTED, REQUESTS_REJECTED)
        for reason in family.labels["reason"]
    }
    without_reason = {(family.name, "") for family in (REFUSED, ACQUIRE_TIMEOUTS)}
    assert WORDS.keys() == declared | without_reason
    assert len(set(WORDS.values())) == len(WORDS)


def test_no_reason_is_shown_as_its_label() -> None:
    """Who reads it at three in the morning has not declared it."""
    shown = [words for words in WORDS.values() if "_" in words or ": " not in words]
    assert shown == []


def test_refusals_are_told_in_words_and_only_if_there_were_any() -> None:
    """With the rate of now, of both workers together."""
    stage = Stage((*HTTP, *DATABASE))
    assert refusals(stage.interval()) == []
    for counts in stage.counts:
        counts.counter(REJECTED, reason="limit").inc(3)
    stage.counts[0].counter(REFUSED).inc(2)
    found = [(each.what, each.total, each.rate) for each in refusals(stage.interval(2.0))]
    assert found == [
        ("connections: as many are open as may be", 6, 3),
        ("statements: PostgreSQL does not answer", 2, 1),
    ]


def test_every_refusal_of_the_table_can_be_shown() -> None:
    """Each counter is found by the labels that stand in the table."""
    stage = Stage((*HTTP, *DATABASE))
    for family in (REJECTED, REQUESTS_REJECTED):
        for reason in family.labels["reason"]:
            stage.counts[0].counter(family, reason=reason).inc()
    for family in (REFUSED, ACQUIRE_TIMEOUTS):
        stage.counts[0].counter(family).inc()
    assert [each.what for each in refusals(stage.interval())] == [*WORDS.values()]
