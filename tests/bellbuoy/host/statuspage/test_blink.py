"""The blink: an outage that began and ended between two looks."""

from dataclasses import replace

from bellbuoy.database.measures import UP
from bellbuoy.host.statuspage.blink import blink
from bellbuoy.snapshot import take
from tests.bellbuoy.host.statuspage.stage import DATABASE
from tests.bellbuoy.host.statuspage.test_verdict import api

(ERRORS,) = (family for family in DATABASE if family.name == "db_query_errors_total")


def test_an_outage_between_two_snapshots_is_not_missed() -> None:
    """PostgreSQL answers before and after; what failed meanwhile tells."""
    stage = api()
    stage.interval()
    before = take(stage.board)
    errors = stage.counts[0].counter(ERRORS, operation="connect", sqlstate_class="57")
    errors.inc()
    now = replace(stage.interval(), before=before)
    assert [finding.what for finding in blink(now)] == ["PostgreSQL was away for a moment"]
    stage.counts[1].gauge(UP).set(0.0)
    assert blink(replace(stage.interval(), before=before)) == []  # the verdict says more
    assert blink(replace(now, before=now.after)) == []


def test_a_postgresql_that_is_full_was_not_away() -> None:
    """It refuses connections and answers all the time; an outage beside that is one."""
    stage = api()
    stage.interval()
    before = take(stage.board)
    stage.counts[0].counter(ERRORS, operation="connect", sqlstate_class="53").inc(7)
    assert blink(replace(stage.interval(), before=before)) == []
    stage.counts[0].counter(ERRORS, operation="users.get", sqlstate_class="none").inc()
    assert len(blink(replace(stage.interval(), before=before))) == 1
