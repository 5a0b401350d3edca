"""The silence: statements that wait while none ends."""

import time

import pytest

from bellbuoy.database.measures import CONNECTIONS, CONNECTIONS_MAX, UP
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.silence import STILL, silence
from bellbuoy.snapshot import take
from tests.bellbuoy.host.statuspage.stage import DATABASE, Stage
from tests.bellbuoy.host.statuspage.test_verdict import api

(DURATION,) = (family for family in DATABASE if family.name == "db_query_duration_seconds")


@pytest.fixture
def stage() -> Stage:
    """An api of two workers, one of which has two statements under way."""
    stage = api()
    stage.counts[0].gauge(CONNECTIONS, state="used").set(2)
    for counts in stage.counts:
        counts.gauge(CONNECTIONS_MAX).set(2)
        counts.histogram(DURATION, operation="users.get").observe(0.001)
    stage.interval()
    return stage


def second(stage: Stage) -> Interval:
    """Return the second that begins now, in which nothing happens."""
    before = take(stage.board)
    return Interval(before, stage.interval().after, 1.0, time.time())


def test_statements_that_wait_while_none_ends_show(stage: Stage) -> None:
    """With what is to be expected of them, and since the begin of that second."""
    (found,) = silence(second(stage))
    assert found.level == "warn"
    assert found.what == "Statements wait: none has ended for a second"
    assert found.meaning.startswith("2 connections are in use.")
    assert "after 5 s they answer 503" in found.meaning
    assert found.age == 1.0


def test_when_every_connection_waits_nobody_is_served(stage: Stage) -> None:
    """As bad as the pool that runs out because of it."""
    stage.counts[1].gauge(CONNECTIONS, state="used").set(2)
    stage.interval()
    assert [found.level for found in silence(second(stage))] == ["bad"]


def test_one_end_is_enough(stage: Stage) -> None:
    """Of whichever worker."""
    before = take(stage.board)
    stage.counts[1].histogram(DURATION, operation="users.get").observe(0.5)
    assert silence(Interval(before, stage.interval().after, 1.0, time.time())) == []


def test_a_statement_that_has_just_begun_waits_for_nothing(stage: Stage) -> None:
    """Nor does one that has ended."""
    stage.counts[0].gauge(CONNECTIONS, state="used").set(0)
    stage.interval()
    assert silence(second(stage)) == []
    before = take(stage.board)
    stage.counts[0].gauge(CONNECTIONS, state="used").set(1)
    assert silence(Interval(before, stage.interval().after, 1.0, time.time())) == []


def test_an_outage_that_is_known_says_more(stage: Stage) -> None:
    """Nobody waits any more."""
    stage.counts[1].gauge(UP).set(0.0)
    stage.interval()
    assert silence(second(stage)) == []


def test_of_a_loop_that_stands_still_it_says_nothing(stage: Stage) -> None:
    """Neither while it does nor just after: it had no time to read the answers."""
    stage.first.lag = 2 * STILL
    assert silence(second(stage)) == []
    stage.first.lag = 0.0
    stage.first.beat = time.monotonic() - 2 * STILL
    assert silence(second(stage)) == []
    stage.first.beat = time.monotonic()
    assert len(silence(second(stage))) == 1


def test_a_service_without_a_database_has_none() -> None:
    """Echo."""
    assert silence(second(Stage())) == []
